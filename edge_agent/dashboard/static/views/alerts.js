/* Alerts: what waits for a person, why it fired and for how long; acknowledged with one tap. */

import { get, post } from "../api.js";
import { el, empty, fill, heading, keyed, segmented, styles, text } from "../dom.js";
import { failed, say, toast } from "../notes.js";
import { polled } from "../polling.js";
import { plural } from "../words.js";
import { alertCard } from "./alerts/card.js";

const RANK = { out_of_stock: 0, low_stock: 1, view_lost: 2, misplaced: 3 };
const GROUPS = [
  ["open", "To see to"],
  ["acknowledged", "Somebody is on it"],
  ["noted", "Found, but not told yet"],
];

export async function show(main) {
  await styles("views/alerts.css");
  const state = { which: location.hash === "#alerts/over" ? "closed" : "open", alive: true };
  const list = el("div", { class: "stack" }), lead = el("p", { class: "lead" });
  const head = heading("Alerts", null, segmented([["open", "Open"], ["closed", "Over"]], state.which, (value) => {
    state.which = value;
    history.replaceState(null, "", value === "closed" ? "#alerts/over" : "#alerts");
    fill(list, el("p", { class: "loading" }, "Loading…"));
    load().catch(failed);
  }, "Which alerts"));
  head.firstElementChild.append(lead);
  main.append(head, list);

  const acknowledge = async (alert, by, words) => {
    await post(`alerts/${encodeURIComponent(alert.id)}/acknowledge`, words ? { by, note: words } : { by });
    toast(`${by} is on it.`);
    await load();
    dispatchEvent(new Event("alerts-changed"));
    (document.getElementById(`alert-${alert.id}`) ?? main.querySelector("h1")).focus();
  };
  const load = async () => {
    const which = state.which;
    const answer = await get(`alerts?state=${which}`);
    if (state.alive && which === state.which) draw(answer);
  };
  const draw = (answer) => {
    const waiting = answer.unacknowledged, taken = answer.open - waiting;
    text(lead, `${waiting ? plural(waiting, "alert waits", "alerts wait") : "Nothing waits"} for somebody${taken ? `, ${taken} seen to` : ""}`);
    const groups = (state.which === "closed" ? [["closed", ""]] : GROUPS)
      .map(([name, words]) => ({ name, words, alerts: order(answer.alerts.filter((one) => one.state === name), name) }))
      .filter((group) => group.alerts.length);
    if (!groups.length) return nothing(list, state.which);
    list.querySelectorAll(":scope > :not([data-key])").forEach((node) => node.remove());
    keyed(list, groups, (group) => group.name, section, (node, group) => {
      text(node.firstChild, group.words ? `${group.words} (${group.alerts.length})` : "Over, the newest first");
      keyed(node.lastChild, group.alerts, (one) => one.id, (one) => alertCard(one, acknowledge), (card, one) => card.update(one));
    });
  };
  const end = await polled(load);
  return () => {
    state.alive = false;
    end();
  };
}

function order(alerts, name) {
  if (name === "closed") return alerts;
  return alerts.sort((a, b) => RANK[a.kind] - RANK[b.kind] || a.opened_at.localeCompare(b.opened_at));
}

function section() {
  return el("section", {}, el("h2", { class: "alerts-group" }), el("div", { class: "alerts-cards" }));
}

function nothing(list, which) {
  if (list.firstElementChild?.className === "empty" && list.dataset.which === which) return;
  list.dataset.which = which;
  fill(list, which === "closed"
    ? empty("alerts", "No alert yet", "What was open and is over is listed here.")
    : empty("ok", "Nothing to see to", "No alert is open. A shelf that runs low, runs out, holds the wrong product or can't be seen comes up here by itself."));
  if (which === "open") say("No alert is open.");
}
