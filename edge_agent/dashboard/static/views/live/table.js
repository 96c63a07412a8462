/* The same as a table: everything that the picture says, without it. */

import { badge, el, fill, keyed, text } from "../../dom.js";
import { duration, facings, percent, plural, product } from "../../words.js";
import { sorted } from "./shelves.js";

const PLAIN = "all read";

export function table() {
  const body = el("tbody", {});
  const columns = ["Product", "Shelf", "Facings", "Status", "Sure", "Slots"];
  const node = el("section", { class: "card flush live-table" },
    el("table", { class: "table lists" },
      el("caption", {}, el("h2", {}, "All products")),
      el("thead", {}, el("tr", {}, columns.map((words) => el("th", { scope: "col" }, words)))), body));
  const update = (live) => {
    const rows = sorted(live.shelves).flatMap((shelf) => shelf.items.map((item) => ({ shelf, item })));
    keyed(body, rows, ({ shelf, item }) => `${shelf.id}/${item.sku}`, makeRow, (row, one) => row.update(one));
    node.hidden = !rows.length;
  };
  return { node, update };
}

function makeRow() {
  const name = el("th", { scope: "row" });
  const [shelf, count, mark, sure, slots] = ["Shelf", "Facings", "Status", "Sure", "Slots"].map((label) =>
    el("td", { "data-label": label, class: `live-cell-${label.toLowerCase()}` }));
  const row = el("tr", {}, name, shelf, count, mark, sure, slots);
  row.update = (one) => {
    text(name, product(one.item.sku));
    text(shelf, one.shelf.id);
    text(count, facings(one.item));
    if (mark.dataset.kind !== one.item.status) {
      mark.dataset.kind = one.item.status;
      fill(mark, badge(one.item.status));
    }
    text(sure, percent(one.item.confidence));
    text(slots, slotsOf(one));
    row.classList.toggle("live-plain", slots.textContent === PLAIN);
  };
  return row;
}

/* What is to be said of a product's slots, beside how many of them hold it. */
function slotsOf({ shelf, item }) {
  const own = shelf.slots.filter((slot) => (item.expected ? slot.product === item.sku : slot.label === item.sku));
  const said = [];
  for (const slot of own) {
    if (slot.unread) {
      const lasts = (slot.unread_for_s ?? 0) >= 2 ? ` for ${duration(slot.unread_for_s)}` : "";
      said.push(`${slot.id} can't be read${lasts}: ${slot.words ?? slot.unread}`);
    } else if (slot.state === "misplaced") said.push(`${slot.id} holds ${product(slot.label)}`);
    else if (slot.state === "empty") said.push(`${slot.id} is empty`);
  }
  if (said.length > 4) said.splice(3, said.length, `${plural(said.length - 3, "more slot")} so`);
  return said.join("; ") || PLAIN;
}
