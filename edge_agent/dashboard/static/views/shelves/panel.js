/* Beside the picture, and without it: the list of shelves, and all of the chosen one as fields. */

import { badge, button, el, field, fill, icon, iconButton } from "../../dom.js";
import { plural } from "../../words.js";
import { tidy } from "./geometry.js";
import { countOf, planned, productsOf, resize, rowsOf, setProducts } from "./model.js";

const NAMES = ["Top left", "Top right", "Bottom right", "Bottom left"];
const LEVELS = { low_at: ["Low at or below", "Low: so many facings or fewer are left. Where nothing is written, the number in grey holds."],
  restocked_at: ["Restocked from", "Restocked: so many facings or more stand there."] };

export class Panel {
  constructor(draft, ui, acts) {
    this.draft = draft;
    this.ui = ui;
    this.acts = acts; // {add, draw}
    this.node = el("div", { class: "shelves-panel stack" });
    this.labels = el("datalist", { id: "shelves-labels" });
  }

  /* Later, when whoever types or tabs on has arrived: what has the focus is drawn anew too. */
  render() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#render());
  }

  close() {
    clearTimeout(this.timer);
  }

  #render() {
    const { draft } = this, active = document.activeElement;
    if (this.node.contains(active) && active.matches("input") && active.value !== active.defaultValue) {
      active.addEventListener("blur", () => this.render(), { once: true }); // somebody is typing
      return;
    }
    const key = this.node.contains(active) ? active.dataset.focus ?? active.id : null;
    const marked = key && active.matches("input") && active.type !== "number" ? [active.selectionStart, active.selectionEnd] : null;
    const open = [...this.node.querySelectorAll("details[open]")].map((each) => each.dataset.name);
    fill(this.labels, ...draft.known.labels.map((label) => el("option", { value: label })));
    const shelf = draft.shelf();
    fill(this.node, this.labels, this.#general(), this.#list(), shelf && this.#shelf(shelf));
    for (const each of this.node.querySelectorAll("details")) each.open = open.includes(each.dataset.name);
    const again = key ? this.node.querySelector(`[data-focus="${CSS.escape(key)}"]`) : null;
    again?.focus({ preventScroll: true });
    if (again?.matches("input")) {
      if (marked) again.setSelectionRange(...marked);
      else again.select();
    }
  }

  #general() {
    const general = this.ui.trouble.get(null) ?? [];
    return general.length > 0 && el("div", { class: "note", dataset: { kind: "out" } }, icon("out"),
      el("ul", {}, ...general.map((each) => el("li", {}, each.words))));
  }

  #list() {
    const { draft, ui } = this, several = draft.known.cameras.length > 1;
    const rows = draft.shelves.map((shelf) => {
      const trouble = ui.trouble.get(shelf.number) ?? [];
      const chosen = draft.chosen?.shelf === shelf.number;
      return el("li", {}, el("button", {
        type: "button", class: "shelves-item", "aria-pressed": String(chosen), dataset: { focus: `item-${shelf.number}` },
        onclick: () => { ui.camera = draft.known.cameras.some((each) => each.id === shelf.camera) ? shelf.camera : ui.camera; draft.choose({ shelf: shelf.number }); },
      }, el("span", { class: "strong" }, shelf.id || "without a name"),
      el("span", { class: "muted small" }, `${plural(countOf(shelf), "slot")}${several ? `, ${shelf.camera}` : ""}`),
      trouble.length > 0 && badge("out", plural(trouble.length, "problem"))));
    });
    return el("section", { class: "card stack tight", "aria-labelledby": "shelves-list" },
      el("div", { class: "row spread" }, el("h2", { id: "shelves-list" }, "Shelves"),
        button("Add shelf", () => this.acts.add(), { icon: "plus", "data-focus": "add" })),
      rows.length ? el("ul", { class: "shelves-items" }, ...rows)
        : el("p", { class: "muted" }, "There is no shelf yet. Draw one in the picture: drag from corner to corner."));
  }

  #shelf(shelf) {
    const { draft } = this;
    const trouble = (this.ui.trouble.get(shelf.number) ?? []).filter((each) => each.slot === null);
    const slot = draft.chosen.slot === null ? null : draft.target();
    return el("section", { class: "card stack", "aria-labelledby": "shelves-one" },
      el("div", { class: "row spread" }, el("h2", { id: "shelves-one" }, shelf.id || "without a name"),
        el("div", { class: "row" },
          iconButton("copy", `Copy ${slot ? `slot ${slot.id}` : `shelf ${shelf.id}`}`, () => draft.duplicate(), { "data-focus": "copy" }),
          iconButton("trash", `Remove ${slot ? `slot ${slot.id}` : `shelf ${shelf.id}`}`, () => draft.remove(), { "data-focus": "remove" }))),
      this.#trouble(trouble, `trouble-${shelf.number}`),
      el("div", { class: "shelves-fields" }, this.#id(shelf), this.#camera(shelf),
        draft.known.keys.includes("aisle") && this.#text("Aisle", shelf.aisle ?? "", "aisle", (value) => {
          if (value) shelf.aisle = value;
          else delete shelf.aisle;
        })),
      shelf.grid && this.#grid(shelf),
      this.#slots(shelf),
      this.#levels(shelf));
  }

  #trouble(problems, key) {
    return problems.length > 0 && el("div", { class: "note", dataset: { kind: "out", focus: key }, tabindex: "-1" }, icon("out"),
      el("ul", {}, ...problems.map((each) => el("li", {}, each.words))));
  }

  /* An input that changes the drawing when it is left. */
  #input(value, key, put, props = {}) {
    const input = el("input", { value, "data-focus": key, autocomplete: "off", autocapitalize: "none", spellcheck: "false", ...props });
    input.defaultValue = value;
    input.addEventListener("change", () => {
      input.defaultValue = input.value;
      this.draft.change(() => put(input.value.trim()));
    });
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") input.dispatchEvent(new Event("change")); });
    return input;
  }

  #text(label, value, key, put, props) {
    return field(label, this.#input(value, key, put, props));
  }

  #number(label, value, key, put, { min, max }) {
    const within = (text) => {
      const wanted = Math.round(Number(text));
      if (text !== "" && Number.isFinite(wanted)) put(Math.min(max, Math.max(min, wanted)));
    };
    return this.#text(label, value, key, within, { type: "number", inputmode: "numeric", min, max });
  }

  #id(shelf) {
    return this.#text("Name", shelf.id, "id", (value) => { shelf.id = value; }, { pattern: "[a-z0-9_\\-]+", maxlength: 64 });
  }

  #camera(shelf) {
    const { draft } = this, names = draft.known.cameras.map((camera) => camera.id);
    if (names.length < 2 && names[0] === shelf.camera) return null;
    const select = el("select", { "data-focus": "camera" }, ...[...new Set([...names, shelf.camera])].map((name) =>
      el("option", { value: name, selected: name === shelf.camera }, name)));
    select.addEventListener("change", () => {
      draft.change(() => { shelf.camera = select.value; });
      this.ui.camera = select.value;
      draft.tell();
    });
    return field("Camera", select);
  }

  #grid(shelf) {
    const { grid } = shelf, rows = rowsOf(grid), products = productsOf(grid), { draft } = this;
    const put = (change) => draft.change(() => {
      const now = productsOf(grid);
      change(now);
      setProducts(grid, now);
    });
    const lines = Array.from({ length: rows }, (_, row) => this.#row(shelf, row, products, put));
    return el("section", { class: "stack tight", "aria-label": "Grid" },
      el("div", { class: "shelves-fields" },
        this.#number("Rows", rows, "rows", (value) => resize(grid, value, grid.columns), { min: 1, max: 50 }),
        this.#number("Columns", grid.columns, "columns", (value) => resize(grid, rows, value), { min: 1, max: 200 })),
      ...lines, this.#corners(grid, "grid"));
  }

  #row(shelf, row, products, put) {
    const { grid } = shelf, rows = rowsOf(grid), first = row * grid.columns;
    const fillRow = () => {
      const { cell } = this.draft.chosen, from = cell !== null && Math.floor(cell / grid.columns) === row ? cell : first;
      put((now) => now.fill(now[from], first, first + grid.columns));
    };
    const cells = Array.from({ length: grid.columns }, (_, column) => {
      const place = first + column, product = products[place];
      const input = this.#product(product, `cell-${place}`, (value) => put((now) => { now[place] = value; }), `Row ${row + 1}, slot ${column + 1}`);
      input.addEventListener("focus", () => {
        if (this.draft.chosen?.cell === place && this.draft.chosen.slot === null) return;
        this.draft.choose({ shelf: shelf.number, cell: place });
      });
      return el("div", { class: "shelves-product", dataset: { on: this.draft.chosen.cell === place } }, el("span", { class: "muted small num", "aria-hidden": "true" }, `${column + 1}`), input);
    });
    return el("fieldset", { class: "shelves-row" }, el("legend", {}, rows > 1 ? `Row ${row + 1}: products` : "Products, from the left"),
      el("div", { class: "shelves-products" }, ...cells),
      button("Fill the row", fillRow, { kind: "quiet", "data-focus": `fill-${row}`, title: "The product of the chosen slot, else of the first, for the whole row" }));
  }

  #product(product, key, put, label) {
    const unknown = Boolean(product) && !this.draft.known.labels.includes(product);
    return this.#input(product ?? "", key, put, {
      list: "shelves-labels", placeholder: "any product", "aria-label": `${label}: product`, "aria-invalid": unknown && "true",
      title: unknown ? `The model doesn't know "${product}"` : null,
    });
  }

  #slots(shelf) {
    const { draft } = this;
    const add = button("Draw a slot", () => this.acts.draw("slot"), { icon: "plus", "data-focus": "draw-slot" });
    if (!shelf.slots.length) return el("div", { class: "actions" }, add);
    const trouble = this.ui.trouble.get(shelf.number) ?? [];
    const one = (slot, place) => {
      const wrong = trouble.filter((each) => each.slot === place), chosen = draft.chosen.slot === slot.number;
      return el("li", { class: "shelves-one", dataset: { on: chosen } },
        this.#trouble(wrong, `trouble-slot-${slot.number}`),
        el("div", { class: "shelves-fields" },
          this.#text("Slot", slot.id, `slot-${slot.number}`, (value) => { slot.id = value; }, { pattern: "[a-z0-9_\\-]+", "aria-invalid": wrong.length > 0 && "true", onfocus: () => !chosen && draft.choose({ shelf: shelf.number, slot: slot.number }) }),
          field("Product", this.#product(slot.product, `product-${slot.number}`, (value) => {
            if (value) slot.product = value;
            else delete slot.product;
          }, `Slot ${slot.id}`))),
        this.#corners(slot, `slot ${slot.id}`));
    };
    return el("section", { class: "stack tight", "aria-labelledby": "shelves-slots" },
      el("h3", { id: "shelves-slots" }, "Slots drawn one by one"), el("ul", { class: "stack" }, ...shelf.slots.map(one)), el("div", { class: "actions" }, add));
  }

  /* Corners as numbers, in percent of the picture: for whoever can't, or would rather not, draw. */
  #corners(target, name) {
    const rows = target.corners.map((point, corner) => el("div", { class: "shelves-corner", role: "group", "aria-label": `${NAMES[corner]} corner` },
      el("span", { class: "small" }, NAMES[corner]),
      ...["across", "down"].map((words, axis) => this.#input(String(Number((point[axis] * 100).toFixed(3))), `${name}-${corner}-${axis}`, (value) => {
        const share = Number(value.replace(",", ".")) / 100;
        if (value === "" || !Number.isFinite(share)) return;
        target.corners = target.corners.map((other, place) => (place !== corner ? other : other.map((old, at) => (at === axis ? tidy(share) : old))));
      }, { type: "number", step: "any", min: 0, max: 100, inputmode: "decimal", "aria-label": `${NAMES[corner]}, percent ${words}` }))));
    return el("details", { dataset: { name } }, el("summary", {}, "Corners as numbers"),
      el("p", { class: "hint" }, "Percent of the picture: across from its left, down from its top."), ...rows);
  }

  #levels(shelf) {
    const products = planned(shelf), { draft } = this;
    const keys = Object.keys(LEVELS).filter((key) => draft.known.keys.includes(key));
    if (!products.size) return null;
    const usual = (count) => Math.floor(draft.known.low_fraction * count);
    const level = (key, product, count) => {
      const value = shelf[key]?.[product];
      return this.#input(value === undefined ? "" : String(value), `${key}-${product}`, (text) => {
        const levels = { ...shelf[key] };
        if (text === "" || !Number.isFinite(Number(text))) delete levels[product];
        else levels[product] = Math.max(0, Math.round(Number(text)));
        if (Object.keys(levels).length) shelf[key] = levels;
        else delete shelf[key];
      }, { type: "number", min: 0, max: count, inputmode: "numeric", placeholder: key === "low_at" ? String(usual(count)) : "–", "aria-label": `${product}: ${LEVELS[key][0].toLowerCase()}` });
    };
    return el("details", { dataset: { name: "levels" } }, el("summary", {}, "When stock is low"),
      ...keys.map((key) => el("p", { class: "hint" }, LEVELS[key][1])),
      el("table", { class: "table lists shelves-levels" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Product"), ...keys.map((key) => el("th", { scope: "col" }, LEVELS[key][0])))),
        el("tbody", {}, ...[...products].map(([product, count]) => el("tr", {}, el("th", { scope: "row" }, product, el("span", { class: "muted small" }, ` ${plural(count, "facing")}`)),
          ...keys.map((key) => el("td", { dataset: { label: LEVELS[key][0] } }, level(key, product, count))))))));
  }
}
