/* History: how many facings there were over hours and days, what was unknown, and which alerts there were. */

import { get } from "../api.js";
import { button, el, empty, field, fill, heading, icon, note, segmented, styles } from "../dom.js";
import { failed, say } from "../notes.js";
import { chart } from "./history/chart.js";
import { table } from "./history/table.js";

const AGAIN_MS = 30000, HOUR_MS = 3600000, SHOWN = 24;
const YOUNG_MS = 6 * HOUR_MS;
const SPANS = { hour: HOUR_MS, day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS, month: 30 * 24 * HOUR_MS };
const WORDS = [["hour", "Hour"], ["day", "Day"], ["week", "Week"], ["month", "30 days"], ["own", "Own"]];

export async function show(main) {
  await styles("views/history.css");
  const there = await get("history/shelves");
  if (!there.enabled) {
    main.append(heading("History"), empty("history", "No history is kept on this device",
      "Set enabled = true under [history] in agent.toml, and restart the agent."));
    return () => {};
  }
  const view = new View(main, there);
  await view.load();
  const timer = setInterval(() => { if (view.follows()) view.load(); }, AGAIN_MS);
  return () => { clearInterval(timer); view.close(); };
}

class View {
  constructor(main, there) {
    const shelves = [...new Set(there.products.map((one) => one.shelf))];
    const wanted = decodeURIComponent(location.hash.split("/")[1] ?? "");
    Object.assign(this, { there, span: young(there) ? "hour" : "day", table: false, turn: 0, charts: [], most: SHOWN });
    this.shelf = el("select", { onchange: () => { this.products(); this.load(); } },
      el("option", { value: "" }, "All shelves"), shelves.map((id) => el("option", { value: id }, id)));
    this.sku = el("select", { onchange: () => this.load() });
    this.from = el("input", { type: "datetime-local", onchange: () => this.load() });
    this.to = el("input", { type: "datetime-local", onchange: () => this.load() });
    this.own = el("div", { class: "row history-own", hidden: true }, field("From", this.from), field("To", this.to));
    this.csv = el("a", { class: "button", download: "" }, icon("download"), el("span", {}, "CSV file"));
    this.as = button("Show as table", () => this.flip(), { icon: "grid", "aria-pressed": "false" });
    this.body = el("div", { class: "history-body" });
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (shelves.includes(wanted)) this.shelf.value = wanted;
    this.products();
    main.append(heading("History", `Facings over time. Times are those of this browser (${zone}).`, this.as, this.csv),
      el("div", { class: "history-controls" }, field("Shelf", this.shelf), field("Product", this.sku),
        segmented(WORDS, this.span, (span) => this.choose(span), "Span of time"), this.own),
      this.legend = legend(), this.body);
    this.watch = new ResizeObserver(() => this.charts.forEach((one) => one.draw()));
    this.watch.observe(this.body);
  }

  products() {
    const names = this.there.products.filter((one) => !this.shelf.value || one.shelf === this.shelf.value).map((one) => one.sku);
    fill(this.sku, el("option", { value: "" }, "All products"), [...new Set(names)].sort().map((sku) => el("option", { value: sku }, sku)));
  }

  choose(span) {
    if (span === "own" && !this.from.value) {
      const { from, to } = this.range();
      [this.from.value, this.to.value] = [local(from), local(to)];
    }
    this.span = span;
    this.own.hidden = span !== "own";
    this.load();
  }

  flip() {
    this.table = !this.table;
    this.as.setAttribute("aria-pressed", String(this.table));
    this.draw();
  }

  range() {
    if (this.span === "own") return { from: new Date(this.from.value), to: new Date(this.to.value) };
    const to = new Date();
    return { from: new Date(to - SPANS[this.span]), to };
  }

  follows() {
    return this.span !== "own" && !document.hidden && !this.body.contains(document.activeElement);
  }

  async load() {
    const { from, to } = this.range();
    if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) return;
    const turn = (this.turn += 1);
    const asked = new URLSearchParams({ from: from.toISOString(), to: to.toISOString() });
    if (this.shelf.value) asked.set("shelf", this.shelf.value);
    if (this.sku.value) asked.set("sku", this.sku.value);
    this.csv.href = `/api/history.csv?${asked}`;
    asked.set("max_points", "600");
    try {
      const found = await get(`history?${asked}`);
      if (turn !== this.turn) return;
      this.found = found;
      this.draw();
    } catch (error) {
      if (turn !== this.turn) return;
      failed(error);
      fill(this.body, note("out", el("p", {}, error.message)));
    }
  }

  draw() {
    this.charts = [];
    this.legend.hidden = this.table;
    const { series, alerts } = this.found;
    if (!series.length) {
      fill(this.body, nothing(this.there));
      return;
    }
    const shown = series.slice(0, this.most);
    fill(this.body, shown.map((one) => {
      const mine = alerts.filter((alert) => alert.shelf === one.shelf && (alert.sku === null || alert.sku === one.sku));
      if (this.table) return table(one, mine, this.found);
      const made = chart(one, mine, this.found);
      this.charts.push(made);
      return made.node;
    }), series.length > shown.length && button(`Show ${series.length - shown.length} more products`, () => { this.most = Infinity; this.draw(); }));
    this.charts.forEach((one) => one.draw());
    say(`${series.length} products, ${alerts.length} alerts`);
  }

  close() {
    this.watch.disconnect();
  }
}

/* Of a device that has hardly begun, a day would be mostly what nobody knows. */
function young({ first }) {
  return first === null || Date.now() - Date.parse(first) < YOUNG_MS;
}

function nothing(there) {
  if (!there.products.length) {
    return empty("history", "Nothing has been counted yet", "As soon as a shelf is read, its counts are kept here for "
      + `${there.days} days. If nothing comes, see Health.`);
  }
  return empty("history", "Nothing is known of this span", "The agent was off, or these products were not on a shelf then. Choose another span.");
}

function legend() {
  const entry = (kind, words) => el("li", {}, el("i", { class: `history-key ${kind}`, "aria-hidden": "true" }), words);
  return el("ul", { class: "history-legend small muted" }, entry("count", "facings counted"), entry("expected", "facings planned"),
    entry("low", "low from here down"), entry("unknown", "unknown: nobody can say"), entry("alert", "alert"));
}

/* A date as a datetime-local field has it, in local time. */
function local(date) {
  return new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}
