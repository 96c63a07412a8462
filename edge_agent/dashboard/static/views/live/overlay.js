/* The slots over a picture: an outline by state (colour, line and sign), and the count of each run of a product. */

import { attr, keyed, svg, text } from "../../dom.js";
import { duration, percent, product } from "../../words.js";

const KIND = { ok: "ok", empty: "out", misplaced: "wrong", unread: "unknown", unknown: "unknown", starting: "starting" };
const SIGN = { empty: "×", misplaced: "⇄", unread: "…", unknown: "?" };
const LABEL_PX = 11, SIGN_PX = 15, LETTER = 0.58;
const TALL_PX = 75; // a slot that is lower on the screen has one line of words

export function overlay(said) {
  const areas = svg("g", {}), signs = svg("g", {}), labels = svg("g", {});
  const hatch = svg("pattern", { id: `hatch-${(count += 1)}`, width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 3, height: 8, class: "live-hatch" }));
  const node = svg("svg", { class: "live-overlay", role: "img", "aria-label": "no picture yet", preserveAspectRatio: "none" }, svg("defs", {}, hatch), areas, labels, signs);
  let latest = null, chosen = null;
  const draw = () => {
    if (!latest) return;
    const { one, shelves } = latest;
    const [wide, tall] = one.frame.wh, unit = wide / Math.max(1, node.clientWidth);
    attr(node, "viewBox", `0 0 ${wide} ${tall}`);
    attr(hatch, "patternTransform", `rotate(45) scale(${unit.toFixed(2)})`);
    const slots = shelves.flatMap((shelf) => shelf.slots.map((slot) => ({ ...slot, shelf, key: `${shelf.id}/${slot.id}`, xy: slot.quad.map(([x, y]) => [x * wide, y * tall]) })));
    attr(node, "aria-label", summary(slots));
    keyed(areas, slots, (slot) => slot.key, () => area((key) => { chosen = chosen === key ? null : key; draw(); }), (shape, slot) => {
      attr(shape, "points", slot.xy.map((xy) => xy.map((value) => value.toFixed(1)).join(",")).join(" "));
      attr(shape, "data-kind", KIND[slot.state]);
      attr(shape, "data-state", slot.state);
      attr(shape, "fill", slot.state === "empty" || slot.state === "unknown" ? `url(#${hatch.id})` : "transparent");
      attr(shape, "data-chosen", slot.key === chosen);
      text(shape.firstChild, describe(slot));
    });
    keyed(signs, slots.filter((slot) => SIGN[slot.state]), (slot) => slot.key, sign, (mark, slot) => mark.update(slot, unit));
    keyed(labels, runs(slots), (run) => run.key, label, (mark, run) => mark.update(run, unit));
    const picked = slots.find((slot) => slot.key === chosen);
    text(said, picked ? describe(picked) : "");
    said.hidden = !picked;
  };
  const resized = new ResizeObserver(draw);
  resized.observe(node);
  return { node, update: (one, shelves) => { latest = { one, shelves }; draw(); }, close: () => resized.disconnect() };
}
let count = 0;

function area(onPick) {
  const shape = svg("polygon", { class: "live-area" }, svg("title", {}));
  shape.addEventListener("click", () => onPick(shape.dataset.key));
  return shape;
}

function sign() {
  const disc = svg("circle", { class: "live-disc" }), word = svg("text", { class: "live-sign" });
  const mark = svg("g", { class: "live-over" }, disc, word);
  mark.update = (slot, unit) => {
    const { top, bottom } = boxOf(slot.xy), small = bottom - top < TALL_PX * unit;
    const x = middle(slot.xy), y = top + (bottom - top) * (small ? 0.36 : 0.5), size = (small ? 0.8 : 1) * SIGN_PX * unit;
    attr(mark, "data-kind", KIND[slot.state]);
    for (const [name, value] of [["cx", x], ["cy", y], ["r", 0.72 * size]]) attr(disc, name, value.toFixed(1));
    for (const [name, value] of [["x", x], ["y", y], ["font-size", size]]) attr(word, name, value.toFixed(1));
    text(word, SIGN[slot.state]);
  };
  return mark;
}

/* A run's label lies on its lower edge, on one line or on two, cut to the run's width. On a
   small picture only what isn't full has one. */
function label() {
  const back = svg("rect", { class: "live-back" }), lines = [svg("text", { class: "live-label" }), svg("text", { class: "live-label" })];
  const mark = svg("g", { class: "live-over" }, back, lines);
  mark.update = (run, unit) => {
    const room = Math.floor((run.right - run.left) / unit / (LABEL_PX * LETTER)) - 1;
    const low = run.bottom - run.top < TALL_PX * unit;
    const words = low && run.full ? [] : fit(run.name, run.count, room, low);
    mark.style.display = words.length ? "" : "none";
    const line = LABEL_PX * 1.3 * unit, width = (Math.max(0, ...words.map((one) => one.length)) * LETTER + 1) * LABEL_PX * unit;
    const x = (run.left + run.right) / 2, height = (words.length + 0.15) * line, top = run.bottom - height + 0.2 * line;
    for (const [name, value] of [["x", x - width / 2], ["y", top], ["width", width], ["height", height], ["rx", 3 * unit]]) attr(back, name, value.toFixed(1));
    lines.forEach((word, row) => {
      for (const [name, value] of [["x", x], ["y", top + (row + 0.57) * line], ["font-size", LABEL_PX * unit]]) attr(word, name, value.toFixed(1));
      text(word, words[row] ?? "");
    });
  };
  return mark;
}

function fit(name, tally, room, low) {
  if (`${name} ${tally}`.length <= room) return [`${name} ${tally}`];
  if (room >= 6 && !low) return [name.length <= room ? name : `${name.slice(0, room - 1)}…`, tally];
  return tally.length <= room ? [tally] : [];
}

/* Neighbours of one product on one shelf, from left to right, have one label. */
function runs(slots) {
  const found = [];
  for (const slot of slots) {
    const last = found.at(-1), box = boxOf(slot.xy);
    const item = slot.shelf.items.find((one) => one.sku === slot.product);
    if (last && last.shelf === slot.shelf.id && last.name === slot.product && box.left > last.start && Math.abs(box.bottom - last.low) < (box.bottom - box.top) / 2) {
      Object.assign(last, { right: box.right, start: box.left, low: box.bottom, bottom: (last.bottom + box.bottom) / 2 });
    } else if (slot.product) {
      const tally = item ? `${item.count ?? "?"}/${item.expected}` : "";
      found.push({ key: slot.key, shelf: slot.shelf.id, name: slot.product, count: tally, full: item?.count === item?.expected, ...box, start: box.left, low: box.bottom });
    }
  }
  return found;
}

function boxOf(xy) {
  const [[ax], [bx], [cx, cy], [dx, dy]] = xy;
  return { left: Math.max(ax, dx), right: Math.min(bx, cx), top: Math.min(xy[0][1], xy[1][1]), bottom: Math.min(cy, dy) };
}

function middle(xy) {
  return xy.reduce((sum, [x]) => sum + x, 0) / 4;
}

function describe(slot) {
  const planned = slot.product ? `${product(slot.product)} belongs here` : "any product";
  const there = slot.label === null ? "what stands here is unknown" : slot.label === "empty" ? "it is empty" : `it holds ${product(slot.label)}`;
  const lasts = (slot.unread_for_s ?? 0) >= 2 ? ` for ${duration(slot.unread_for_s)}` : "";
  const unread = slot.unread ? `; can't be read${lasts}: ${slot.words ?? slot.unread}` : slot.label === null ? "" : `, ${percent(slot.confidence)} sure`;
  return `${slot.shelf.id}, slot ${slot.id}: ${planned}; ${there}${unread}`;
}

function summary(slots) {
  const words = { ok: "as planned", empty: "empty", misplaced: "with another product", unread: "can't be read now", unknown: "unknown", starting: "not looked at yet" };
  const said = Object.entries(words).map(([state, what]) => [slots.filter((slot) => slot.state === state).length, what]).filter(([many]) => many);
  return `${slots.length} slots: ${said.map(([many, what]) => `${many} ${what}`).join(", ")}`;
}
