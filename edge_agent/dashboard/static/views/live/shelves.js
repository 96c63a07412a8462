/* Which shelf needs a hand: one sentence for all, and a card for each shelf, the worst first. */

import { attr, badge, el, fill, icon, keyed, text } from "../../dom.js";
import { duration, facings, plural, product, when } from "../../words.js";

const RANK = { out: 0, low: 1, wrong: 2, unknown: 3, starting: 4, info: 5, ok: 6 };
const PASSING_S = 10; /* who walks past a shelf is gone by then */

/* How a shelf fares: a wrong product counts in, what nobody sees is not fine, and neither is what nobody has planned. */
export function kindOf(shelf) {
  if (shelf.status === "out" || shelf.status === "low") return shelf.status;
  if (shelf.slots.some((slot) => slot.state === "misplaced")) return "wrong";
  if (shelf.status !== "ok") return shelf.status;
  if (shelf.slots.every((slot) => slot.unread && (slot.unread_for_s ?? 0) >= PASSING_S)) return "unknown";
  return unplanned(shelf) ? "info" : "ok";
}

function unplanned(shelf) {
  return shelf.slots.every((slot) => slot.product === null);
}

export function sorted(shelves) {
  return [...shelves].sort((a, b) => RANK[kindOf(a)] - RANK[kindOf(b)]);
}

/* The first thing that is read: names of the shelves that need a hand. */
export function verdict() {
  const mark = el("span", { class: "live-mark" }), words = el("p", { class: "live-words" }), rest = el("p", { class: "muted" });
  const node = el("div", { class: "live-verdict" }, mark, el("div", {}, words, rest));
  const draw = el("a", { class: "button", href: "#shelves", hidden: true }, "Draw shelves");
  node.append(draw);
  const mood = (kind) => {
    if (node.dataset.kind === kind) return;
    node.dataset.kind = kind;
    fill(mark, icon(kind));
  };
  const update = ({ shelves }) => {
    const of = (...kinds) => sorted(shelves).filter((shelf) => kinds.includes(kindOf(shelf)));
    const hand = of("out", "low", "wrong"), blind = of("unknown"), fine = of("ok"), starting = of("starting"), bare = of("info");
    mood(hand.length ? kindOf(hand[0]) : blind.length ? "unknown" : fine.length && !starting.length ? "ok" : "info");
    draw.hidden = shelves.length > 0;
    text(words, hand.length ? `${names(hand)} ${hand.length === 1 ? "needs" : "need"} a hand`
      : blind.length ? `${names(blind)} can't be counted now`
        : starting.length ? "The first pictures are being looked at" : fine.length ? (bare.length ? `${names(fine)} ${fine.length === 1 ? "is" : "are"} fine` : "Every shelf is fine")
          : shelves.length ? "Nobody has said yet what belongs where" : "No shelf is drawn yet");
    text(rest, [hand.length && blind.length && `${names(blind)} can't be counted now`,
      (hand.length || blind.length) && fine.length && `${names(fine)} ${fine.length === 1 ? "is" : "are"} fine`,
      bare.length && `${names(bare)}: no product is named, so what is missing can't be told`,
      !shelves.length && "The picture stays black until one is drawn."].filter(Boolean).join(" · "));
  };
  const lost = (since) => {
    mood("unknown");
    text(words, `Not known since ${when(since)}`);
    text(rest, "The device doesn't answer. What is shown below is what it said last.");
  };
  return { node, update, lost };
}

function names(shelves) {
  const ids = shelves.slice(0, 4).map((shelf) => shelf.id);
  if (shelves.length > 4) ids.push(`${shelves.length - 4} more`);
  return ids.length < 2 ? ids.join("") : `${ids.slice(0, -1).join(", ")} and ${ids.at(-1)}`;
}

/* A card that keeps its nodes while the counts change. */
export function shelfCard() {
  const name = el("h2", {}), mark = el("span", {}), why = el("p", { class: "muted small" });
  const items = el("ul", { class: "live-items" }), slots = el("ul", { class: "live-slots small" });
  const fine = el("ul", { class: "live-items" }), sum = el("summary", {});
  const more = el("details", { class: "live-fine" }, sum, fine);
  const node = el("article", { class: "card live-shelf" }, el("div", { class: "row spread" }, name, mark), why, items, slots, more);
  node.update = (shelf) => {
    const kind = kindOf(shelf);
    if (node.dataset.kind !== kind) {
      attr(node, "data-kind", kind);
      fill(mark, badge(kind, { starting: "Starting", info: "No products named" }[kind]));
    }
    text(name, shelf.id);
    text(why, reasonOf(shelf));
    why.hidden = !why.textContent;
    const wanting = shelf.items.filter((item) => item.status !== "ok" && (item.expected || item.count !== 0));
    wanting.sort((a, b) => RANK[a.status] - RANK[b.status]);
    const good = shelf.items.filter((item) => !wanting.includes(item) && item.expected);
    keyed(items, wanting, (item) => item.sku, itemRow, (row, item) => row.update(item));
    keyed(fine, good, (item) => item.sku, itemRow, (row, item) => row.update(item));
    text(sum, wanting.length ? `${plural(good.length, "product")} more: fine` : `${plural(good.length, "product")}: fine`);
    more.hidden = !good.length;
    keyed(slots, shelf.slots.filter((slot) => slot.state === "misplaced"), (slot) => slot.id,
      () => el("li", {}), (row, slot) => text(row, `Slot ${slot.id}: ${product(slot.label)} stands where ${product(slot.product)} belongs`));
    slots.hidden = !slots.children.length;
  };
  return node;
}

/* Why the count is not of this moment. */
function reasonOf(shelf) {
  const unread = shelf.slots.filter((slot) => slot.unread);
  if (shelf.status === "starting") return "The first pictures are being looked at.";
  if (!unread.length) return shelf.reason ?? "";
  const longest = Math.max(...unread.map((slot) => slot.unread_for_s ?? 0));
  const many = unread.length === shelf.slots.length ? "No slot can be read" : `${plural(unread.length, "slot")} can't be read`;
  const gone = shelf.slots.filter((slot) => slot.state === "unknown").length;
  const held = gone ? ` ${gone === unread.length ? "What stands there" : `What stands in ${plural(gone, "slot")}`} isn't known any more.`
    : " The count from before holds.";
  return `${many}: ${unread[0].words ?? unread[0].unread}${longest >= 2 ? `, for ${duration(longest)}` : ""}.${held}`;
}

function itemRow() {
  const name = el("span", { class: "live-name" }), count = el("span", { class: "num nowrap" }), pips = el("span", { class: "live-pips", "aria-hidden": "true" });
  const mark = el("span", {});
  const row = el("li", {}, el("div", { class: "live-line" }, name, mark), el("div", { class: "live-line muted small" }, count, pips));
  row.update = (item) => {
    text(name, product(item.sku));
    text(count, facings(item));
    if (row.dataset.kind !== item.status) {
      row.dataset.kind = item.status;
      fill(mark, badge(item.status));
    }
    const want = pipsOf(item);
    if (pips.dataset.pips !== want) {
      pips.dataset.pips = want;
      fill(pips, [...want].map((one) => el("i", { class: `live-pip-${one}` })));
    }
  };
  return row;
}

/* One mark per planned facing: y there, n not there, u unknown. More than a dozen are left to the words. */
function pipsOf(item) {
  if (!item.expected || item.expected > 12) return "";
  const there = Math.min(item.expected, item.count ?? item.at_least);
  return "y".repeat(there) + (item.count === null ? "u" : "n").repeat(item.expected - there);
}
