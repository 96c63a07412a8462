/* The same as a table: every change of a product, with the alerts between them, the newest first. */

import { badge, el } from "../../dom.js";
import { alertWords, moment, words } from "./chart.js";

const MOST = 200;

export function table(series, alerts, found) {
  const span = [new Date(found.start).getTime(), new Date(found.end).getTime()];
  const rows = [
    ...series.steps.map((step) => ({ at: new Date(step.at).getTime(), what: badge(step.expected || step.count === null ? step.status : "wrong"), words: words(step) })),
    ...alerts.map((alert) => ({ at: new Date(alert.at).getTime(), what: badge("info", "Alert"), words: alertWords(alert) })),
  ].sort((one, other) => other.at - one.at);
  return el("section", { class: "card flush history-table" }, el("table", { class: "table lists" },
    el("caption", {}, `${series.sku} on ${series.shelf}${rows.length > MOST ? `, the newest ${MOST} of ${rows.length}; the CSV file has all` : ""}`),
    el("thead", {}, el("tr", {}, ["From", "Facings", "State"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, rows.slice(0, MOST).map((row) => el("tr", {},
      el("th", { scope: "row", class: "nowrap" }, moment(row.at, span)),
      el("td", { "data-label": "Facings" }, row.words),
      el("td", { "data-label": "State" }, row.what))))));
}
