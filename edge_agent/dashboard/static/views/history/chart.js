/* A product over time as steps: drawn as SVG by hand, with alerts as buttons over it, which say what they are. */

import { el, fill, icon, svg, text } from "../../dom.js";

const HEIGHT = 132, LEFT = 28, RIGHT = 10, TOP = 24, BOTTOM = 22;
const KINDS = { low_stock: "low", out_of_stock: "out", restocked: "ok", misplaced: "wrong", view_lost: "unknown", view_restored: "ok" };
const NAMES = { low_stock: "Low stock", out_of_stock: "Out of stock", restocked: "Restocked", misplaced: "Misplaced",
  view_lost: "Can't be read", view_restored: "Can be read again" };
let made = 0;

export function chart(series, alerts, found) {
  const id = (made += 1);
  const said = el("p", { class: "history-said small num", id: `history-said-${id}` });
  const place = el("div", { class: "history-plot" });
  const node = el("section", { class: "card history-card", "aria-label": `${series.sku} on ${series.shelf}` },
    el("div", { class: "row spread" }, el("h2", {}, series.sku, el("span", { class: "muted small" }, ` ${series.shelf}`)), said), place);
  const steps = series.steps.map((step) => ({ ...step, at: new Date(step.at).getTime() }));
  const span = [new Date(found.start).getTime(), Math.min(new Date(found.end).getTime(), new Date(found.now).getTime())];
  const rest = () => text(said, steps.length ? `at last ${words(steps.at(-1))}` : "");
  let drawn = 0;
  const draw = () => {
    const width = Math.max(220, Math.floor(place.clientWidth));
    if (!place.clientWidth || width === drawn) return; // what has the focus keeps it
    drawn = width;
    const scale = scales(steps, span, width);
    fill(place, plot(series, steps, scale, id), alerts.map((alert) => mark(alert, scale, said, rest)));
    const picture = place.firstElementChild;
    picture.addEventListener("pointermove", (event) => {
      const at = scale.time(event.clientX - picture.getBoundingClientRect().left);
      const step = steps.findLast((one) => one.at <= at);
      if (step) text(said, `${moment(at, span)}: ${words(step)}`);
    });
    picture.addEventListener("pointerleave", rest);
  };
  rest();
  return { node, draw };
}

export function words(step) {
  if (step.count === null) return `unknown, of ${step.expected}`;
  return step.expected ? `${step.count} of ${step.expected}` : `${step.count} here by mistake`;
}

export function alertWords(alert) {
  return `${NAMES[alert.kind] ?? alert.kind}${alert.message ? `: ${alert.message}` : ""}`;
}

/* "07:03", or with the day where the span is longer than one; seconds in an hour. */
export function moment(at, [from, to]) {
  const long = to - from > 26 * 3600000, short = to - from <= 3700000;
  const time = { hour: "2-digit", minute: "2-digit", ...(short ? { second: "2-digit" } : {}) };
  return new Date(at).toLocaleString("en-GB", long ? { day: "numeric", month: "short", ...time } : time);
}

function scales(steps, [from, to], width) {
  const most = Math.max(1, ...steps.map((step) => Math.max(step.count ?? 0, step.expected)));
  const wide = width - LEFT - RIGHT, high = HEIGHT - TOP - BOTTOM;
  return {
    width, most, from, to,
    x: (at) => LEFT + ((Math.min(Math.max(at, from), to) - from) / (to - from)) * wide,
    y: (count) => TOP + high - (count / most) * high,
    time: (x) => from + ((x - LEFT) / wide) * (to - from),
  };
}

function plot(series, steps, scale, id) {
  const { x, y, width, from, to } = scale;
  const hatch = `history-hatch-${id}`;
  const ends = steps.map((step, place) => ({ ...step, until: steps[place + 1]?.at ?? to }));
  const bands = ends.filter((step) => step.count === null);
  if (!steps.length || steps[0].at > from) bands.unshift({ at: from, until: steps[0]?.at ?? to, before: true });
  const known = steps.filter((step) => step.count !== null).map((step) => step.count);
  const sum = known.length ? `between ${Math.min(...known)} and ${Math.max(...known)} facings` : "never known";
  return svg("svg", { class: "history-svg", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img",
    "aria-label": `${series.sku} on ${series.shelf}: ${sum}, ${steps.length ? `at last ${words(steps.at(-1))}` : ""}${bands.length ? "; at times unknown" : ""}. Show as table for every change.` },
  svg("defs", {}, svg("pattern", { id: hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 6 }))),
  ticks(scale),
  bands.map((band) => svg("rect", { class: band.before ? "unknown before" : "unknown", x: x(band.at), y: TOP, width: Math.max(1.5, x(band.until) - x(band.at)), height: HEIGHT - TOP - BOTTOM, fill: `url(#${hatch})` })),
  svg("path", { class: "expected", d: line(ends, (step) => step.expected, scale) }),
  series.low_at !== null && series.low_at > 0 && svg("line", { class: "low", x1: LEFT, x2: width - RIGHT, y1: y(series.low_at), y2: y(series.low_at) }),
  svg("path", { class: "under", d: area(ends, scale) }),
  svg("path", { class: "count", d: line(ends, (step) => step.count, scale) }));
}

/* Steps as a path; it is broken off where there is no value. */
function line(ends, value, { x, y }) {
  let path = "", on = false;
  for (const step of ends) {
    const now = value(step);
    if (now === null) { on = false; continue; }
    path += `${on ? "L" : "M"}${x(step.at).toFixed(1)} ${y(now).toFixed(1)}H${x(step.until).toFixed(1)}`;
    on = true;
  }
  return path;
}

function area(ends, { x, y }) {
  return ends.filter((step) => step.count).map((step) =>
    `M${x(step.at).toFixed(1)} ${y(0)}V${y(step.count).toFixed(1)}H${x(step.until).toFixed(1)}V${y(0)}Z`).join("");
}

function ticks({ x, y, most, width, from, to }) {
  const every = most <= 6 ? Math.max(1, Math.ceil(most / 3)) : Math.ceil(most / 4);
  const counts = [];
  for (let count = 0; count <= most; count += every) counts.push(count);
  const times = [];
  for (let place = 0, many = width < 420 ? 3 : 6; place <= many; place += 1) times.push(from + ((to - from) * place) / many);
  return [
    counts.map((count) => [svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(count), y2: y(count) }),
      svg("text", { class: "axis", x: LEFT - 6, y: y(count) + 4, "text-anchor": "end" }, String(count))]),
    times.map((at, place) => svg("text", { class: "axis", x: x(at), y: HEIGHT - 5,
      "text-anchor": place === 0 ? "start" : place === times.length - 1 ? "end" : "middle" }, tick(at, to - from))),
  ];
}

function tick(at, span) {
  const date = new Date(at);
  if (span > 3 * 86400000) return date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

function mark(alert, scale, said, rest) {
  const at = new Date(alert.at).getTime(), full = `${moment(at, [scale.from, scale.to])}: ${alertWords(alert)}`;
  const tell = () => text(said, full);
  const one = el("button", { type: "button", class: "history-alert", "aria-label": full, title: full, dataset: { kind: KINDS[alert.kind] ?? "info" },
    onfocus: tell, onblur: rest, onpointerenter: tell, onpointerleave: rest, onclick: tell }, icon(KINDS[alert.kind] ?? "info"));
  one.style.left = `${scale.x(at)}px`;
  return one;
}
