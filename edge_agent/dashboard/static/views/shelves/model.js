/* What is drawn: the shelves of the configuration, what is chosen of them, and every step back. "change" is dispatched
   when any of it has changed. Keys of a shelf that this page doesn't know stay as they are. */

import { gridQuads, moved, tidied } from "./geometry.js";

let numbers = 0;
const STEPS = 200;

export class Draft extends EventTarget {
  constructor(planogram) {
    super();
    this.load(planogram);
  }

  /* Begin with what the agent has. */
  load(planogram) {
    this.known = planogram;
    this.shelves = planogram.shelves.map(taken);
    this.saved = this.written();
    this.chosen = null; // {shelf, slot, cell, corner}: numbers of this page, cell and corner are positions
    this.back = [];
    this.forth = [];
    this.tell();
  }

  get dirty() {
    return this.written() !== this.saved;
  }

  /* As the agent wants it. */
  tables() {
    return this.shelves.map(given);
  }

  written() {
    return JSON.stringify(this.tables());
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }

  /* Change something, as one step. */
  change(edit) {
    const before = this.#kept();
    edit();
    this.#step(before);
  }

  /* The same for a change that goes on for a while: what `begin` returns ends it. */
  begin() {
    const before = this.#kept();
    return () => this.#step(before);
  }

  #kept() {
    return JSON.stringify([this.shelves, this.chosen]);
  }

  #step(before) {
    if (JSON.stringify(JSON.parse(before)[0]) !== JSON.stringify(this.shelves)) {
      this.back = [...this.back, before].slice(-STEPS);
      this.forth = [];
    }
    this.tell();
  }

  undo() {
    this.#go(this.back, this.forth);
  }

  redo() {
    this.#go(this.forth, this.back);
  }

  #go(from, to) {
    if (!from.length) return;
    to.push(this.#kept());
    [this.shelves, this.chosen] = JSON.parse(from.pop());
    this.tell();
  }

  choose(chosen) {
    this.chosen = chosen && { slot: null, cell: null, corner: null, ...chosen };
    this.tell();
  }

  shelf(number = this.chosen?.shelf) {
    return this.shelves.find((shelf) => shelf.number === number) ?? null;
  }

  /* What has the four corners that are moved: a slot, or the grid of the shelf. */
  target(chosen = this.chosen) {
    const shelf = chosen && this.shelf(chosen.shelf);
    if (!shelf) return null;
    return chosen.slot === null ? shelf.grid : shelf.slots.find((slot) => slot.number === chosen.slot) ?? null;
  }

  /* A shelf with a grid in these corners. */
  addShelf(camera, corners, { rows = 1, columns = 4 } = {}) {
    const id = unused("shelf", this.shelves.map((shelf) => shelf.id));
    const shelf = { number: fresh(), was: null, id, camera, grid: { corners: tidied(corners), rows, columns }, slots: [] };
    this.change(() => {
      this.shelves.push(shelf);
      this.chosen = { shelf: shelf.number, slot: null, cell: null, corner: null };
    });
  }

  /* A slot in the chosen shelf, or in a new one. */
  addSlot(camera, corners) {
    this.change(() => {
      let shelf = this.shelf();
      if (!shelf || shelf.camera !== camera) {
        const id = unused("shelf", this.shelves.map((other) => other.id));
        shelf = { number: fresh(), was: null, id, camera, grid: null, slots: [] };
        this.shelves.push(shelf);
      }
      const slot = { number: fresh(), was: null, id: unused("slot", idsOf(shelf)), corners: tidied(corners) };
      shelf.slots.push(slot);
      this.chosen = { shelf: shelf.number, slot: slot.number, cell: null, corner: null };
    });
  }

  remove() {
    const shelf = this.shelf();
    if (!shelf) return;
    this.change(() => {
      if (this.chosen.slot !== null) {
        shelf.slots = shelf.slots.filter((slot) => slot.number !== this.chosen.slot);
        this.chosen = { shelf: shelf.number, slot: null, cell: null, corner: null };
      } else {
        this.shelves = this.shelves.filter((other) => other !== shelf);
        this.chosen = null;
      }
    });
  }

  /* The chosen shelf or slot once more: below or beside the first, as far as there is room. */
  duplicate() {
    const shelf = this.shelf();
    if (!shelf) return;
    this.change(() => {
      if (this.chosen.slot !== null) {
        const slot = this.target();
        const twin = { ...copy(slot), number: fresh(), was: null, id: unused(base(slot.id), idsOf(shelf)) };
        twin.corners = beside(slot.corners);
        shelf.slots.push(twin);
        this.chosen = { ...this.chosen, slot: twin.number, corner: null };
      } else {
        const twin = { ...copy(shelf), number: fresh(), was: null };
        twin.id = unused(base(shelf.id), this.shelves.map((other) => other.id));
        const all = [...(shelf.grid ? [shelf.grid.corners] : []), ...shelf.slots.map((slot) => slot.corners)];
        const [dx, dy] = step(all.flat());
        if (twin.grid) twin.grid.corners = tidied(moved(twin.grid.corners, dx, dy));
        for (const slot of twin.slots) Object.assign(slot, { number: fresh(), was: null, corners: tidied(moved(slot.corners, dx, dy)) });
        this.shelves.push(twin);
        this.chosen = { shelf: twin.number, slot: null, cell: null, corner: null };
      }
    });
  }

  /* All quadrilaterals of a camera but the one that is moved, to snap to. */
  others(camera) {
    const target = this.target();
    return this.shelves.filter((shelf) => shelf.camera === camera).flatMap((shelf) => [
      ...(shelf.grid && shelf.grid !== target ? gridQuads(shelf.grid.corners, rowsOf(shelf.grid), shelf.grid.columns) : []),
      ...shelf.slots.filter((slot) => slot !== target).map((slot) => slot.corners),
    ]);
  }
}

export function rowsOf(grid) {
  return grid.rows ?? 1;
}

/* A product, or "", for each slot of a grid. */
export function productsOf(grid) {
  const count = rowsOf(grid) * grid.columns;
  const named = Array.isArray(grid.products) ? grid.products : Array(count).fill(grid.products ?? "");
  return Array.from({ length: count }, (_, place) => named[place] ?? "");
}

/* The shortest way to write them. */
export function setProducts(grid, products) {
  if (products.every((product) => product === products[0])) {
    if (products[0]) grid.products = products[0];
    else delete grid.products;
  } else grid.products = products;
}

/* Another number of rows or columns: what stood in a place goes on standing there, a new place is like its neighbour. */
export function resize(grid, rows, columns) {
  const old = productsOf(grid), oldRows = rowsOf(grid), oldColumns = grid.columns;
  const products = Array.from({ length: rows * columns }, (_, place) => {
    const row = Math.min(Math.floor(place / columns), oldRows - 1), column = Math.min(place % columns, oldColumns - 1);
    return old[row * oldColumns + column] ?? "";
  });
  Object.assign(grid, { rows, columns });
  setProducts(grid, products);
}

/* Facings of each product by the drawing, in the order of the slots. */
export function planned(shelf) {
  const counts = new Map();
  const all = [...shelf.slots.map((slot) => slot.product), ...(shelf.grid ? productsOf(shelf.grid) : [])];
  for (const product of all) if (product) counts.set(product, (counts.get(product) ?? 0) + 1);
  return counts;
}

export function countOf(shelf) {
  return shelf.slots.length + (shelf.grid ? rowsOf(shelf.grid) * shelf.grid.columns : 0);
}

function taken(table) {
  const slots = (table.slots ?? []).map((slot) => ({ ...slot, was: slot.id, number: fresh() }));
  return { ...table, was: table.id, number: fresh(), grid: table.grid ?? null, slots };
}

function given({ number, grid, slots, ...rest }) {
  const table = { ...rest };
  if (grid) table.grid = grid;
  if (slots.length) table.slots = slots.map(({ number: _, ...slot }) => slot);
  return table;
}

function fresh() {
  return (numbers += 1);
}

function copy(value) {
  return JSON.parse(JSON.stringify(value));
}

function idsOf(shelf) {
  return shelf.slots.map((slot) => slot.id);
}

function base(id) {
  return id.replace(/-\d+$/, "");
}

function unused(stem, ids) {
  let number = 1;
  while (ids.includes(`${stem}-${number}`)) number += 1;
  return `${stem}-${number}`;
}

function step(points) {
  const heights = points.map(([, y]) => y);
  const height = Math.max(...heights) - Math.min(...heights);
  if (Math.max(...heights) + height <= 1) return [0, height];
  return Math.min(...heights) - height >= 0 ? [0, -height] : [0.02, 0.02];
}

function beside(corners) {
  const across = corners.map(([x]) => x), width = Math.max(...across) - Math.min(...across);
  if (Math.max(...across) + width <= 1) return tidied(moved(corners, width, 0));
  return tidied(Math.min(...across) - width >= 0 ? moved(corners, -width, 0) : moved(corners, 0.02, 0.02));
}
