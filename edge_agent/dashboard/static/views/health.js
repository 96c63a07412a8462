/* Health: what is wrong with the device, the worst first, each with what to do; figures; a report to copy. */

import { get } from "../api.js";
import { badge, button, el, fill, heading, icon, keyed, styles, text } from "../dom.js";
import { toast } from "../notes.js";
import { polled } from "../polling.js";
import { duration, number, plural, sentence } from "../words.js";

const KIND = { ok: ["ok", "Fine"], warn: ["low", "Check"], wrong: ["out", "Act now"] };
const RANK = { wrong: 0, warn: 1, ok: 2 };

export async function show(main) {
  await styles("views/health.css");
  const state = { alive: true, report: "" };
  const answer = el("div", { class: "health-answer" }), list = el("ul", { class: "card flush health-list" });
  const vitals = el("dl", { class: "facts" }), versions = el("dl", { class: "facts" }), plain = el("pre", { class: "health-report small", tabindex: "0", "aria-label": "The report as text" });
  main.append(
    heading("Health", null, button("Copy the report", () => copy(state.report), { icon: "copy" })), answer, list,
    el("div", { class: "cards health-figures" },
      el("section", { class: "card" }, el("h2", {}, "Figures"), vitals),
      el("section", { class: "card" }, el("h2", {}, "Versions"), versions)),
    el("details", { class: "card" }, el("summary", {}, "The report as text"), plain));
  const load = async () => {
    const [health, live] = await Promise.all([get("health"), get("live")]);
    if (!state.alive) return;
    const findings = [...health.findings].sort((a, b) => RANK[a.level] - RANK[b.level]);
    verdict(answer, findings);
    keyed(list, findings, (one) => one.what, row, (node, one) => node.update(one));
    const figures = figuresOf(health), builds = versionsOf(live);
    facts(vitals, figures);
    facts(versions, builds);
    state.report = report(health, live, findings, figures, builds);
    text(plain, state.report);
  };
  const end = await polled(load);
  return () => {
    state.alive = false;
    end();
  };
}

function verdict(node, findings) {
  const worst = findings[0]?.level ?? "ok", [kind] = KIND[worst];
  const many = findings.filter((one) => one.level === worst).map((one) => one.what);
  const words = worst === "ok" ? "All is well" : worst === "warn" ? `Check: ${many.join(", ")}` : `Somebody must act: ${many.join(", ")}`;
  if (node.textContent === words) return;
  node.dataset.kind = kind;
  fill(node, icon(kind), el("p", {}, words));
}

function row() {
  const mark = el("span", {}), what = el("h2", {}), words = el("p", {});
  const node = el("li", {}, mark, el("div", {}, what, words));
  node.update = (one) => {
    const [kind, word] = KIND[one.level];
    if (node.dataset.kind !== kind) {
      node.dataset.kind = kind;
      fill(mark, badge(kind, word));
    }
    text(what, one.what);
    text(words, sentence(one.words));
  };
  return node;
}

function facts(node, pairs) {
  keyed(node, pairs.flatMap(([name, value]) => [{ key: name, tag: "dt", value: name }, { key: `${name}=`, tag: "dd", value }]),
    (one) => one.key, (one) => el(one.tag), (part, one) => text(part, one.value));
}

/* The health message's figures in words; what isn't known is left out, what is new is shown by its own name. */
function figuresOf({ vitals }) {
  const { frame_age_s: ages = {}, ...rest } = vitals;
  const known = {
    uptime_s: ["running for", duration],
    frames: ["pictures counted", number],
    inference_ms_p50: ["model, median", (value) => `${number(value)} ms`],
    inference_ms_p95: ["model, 95th percentile", (value) => `${number(value)} ms`],
    temperature_c: ["processor", (value) => `${number(value)} °C`],
    disk_free_mb: ["free on the disk", (value) => (value > 2048 ? `${number(value / 1024)} GB` : `${number(value)} MB`)],
    outbox_depth: ["events waiting", number],
    outbox_oldest_s: ["the oldest waits", duration],
    reconnects: ["broker connected anew", (value) => plural(value, "time")],
    frames_replaced: ["pictures left out for newer ones", number],
  };
  const pairs = Object.entries(ages).map(([camera, age]) => [`picture of ${camera}`, age === null ? "none yet" : `${number(age)} s old`]);
  for (const [key, [name, words]] of Object.entries(known)) {
    if (rest[key] !== null && rest[key] !== undefined) pairs.push([name, words(rest[key])]);
  }
  return pairs;
}

function versionsOf({ device, model }) {
  return [
    ["device", `${device.site}/${device.device}`], ["shelf-agent", device.version], ["model", model.id],
    ["model’s SHA-256", `${model.sha256.slice(0, 16)}…`], ["arithmetic", model.quantization], ["runs in", `${model.runtime} on ${model.delegate}`],
  ];
}

function report(health, live, findings, figures, builds) {
  const lines = [`shelfwatch ${live.device.site}/${live.device.device}, ${health.ts}`, ""];
  for (const one of findings) lines.push(`${KIND[one.level][1].padEnd(7)} ${one.what}: ${one.words}`);
  lines.push("", ...[...builds.slice(1), ...figures].map(([name, value]) => `${name}: ${value}`));
  return lines.join("\n");
}

/* A page that isn't encrypted may not use the clipboard's own interface. */
async function copy(words) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(words);
    else copyOldWay(words);
    toast("The report is copied.");
  } catch {
    toast("This browser doesn't let the page copy. Open “The report as text” below, and copy it by hand.", "low");
  }
}

function copyOldWay(words) {
  const area = el("textarea", { class: "vh", value: words, "aria-hidden": "true" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
}
