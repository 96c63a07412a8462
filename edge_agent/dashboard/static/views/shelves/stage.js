/* The picture with the shelves drawn over it. Everything that can be pointed at can be reached with Tab as well. */

import { el, fill, icon, svg } from "../../dom.js";
import { gridQuads, middle } from "./geometry.js";
import { productsOf, rowsOf } from "./model.js";

const NAMES = ["top left", "top right", "bottom right", "bottom left"];
const TOUCH_PX = 23; // half of what a finger needs
const DOT_PX = 7, TEXT_PX = 11, LOUPE_PX = 132, LOUPE_TIMES = 3;

export class Stage {
  constructor(draft, ui) {
    this.draft = draft;
    this.ui = ui; // {camera, mode, zoom, points, trouble: Map of shelf number → problems}
    this.image = picture();
    this.svg = svg("svg", { class: "shelves-drawing", role: "group", "aria-label": "Shelves in the picture", preserveAspectRatio: "none" });
    this.sheet = el("div", { class: "shelves-sheet" }, this.image, this.svg);
    this.scroll = el("div", { class: "shelves-scroll" }, this.sheet);
    this.loupe = el("canvas", { class: "shelves-loupe", width: LOUPE_PX * 2, height: LOUPE_PX * 2, hidden: true, "aria-hidden": "true" });
    this.empty = el("p", { class: "shelves-dark", hidden: true }, icon("camera"), el("span", {}, "No picture yet. Shelves can be drawn by numbers all the same."));
    this.node = el("div", { class: "shelves-stage" }, this.scroll, this.loupe, this.empty);
    this.watch = new ResizeObserver(() => this.render());
    this.watch.observe(this.sheet);
  }

  close() {
    this.watch.disconnect();
  }

  /* A newer picture, which is loaded already. */
  show(image) {
    this.image.replaceWith(image);
    this.image = image;
    this.empty.hidden = true;
  }

  /* Width and height of the picture in its own pixels. */
  get wh() {
    return this.draft.known.cameras.find((camera) => camera.id === this.ui.camera)?.wh ?? [960, 540];
  }

  /* The same on the screen. */
  get size() {
    const { width, height } = this.svg.getBoundingClientRect();
    return [width || 1, height || 1];
  }

  /* Where a pointer is, in 0..1 of the picture. */
  point(event) {
    const { left, top, width, height } = this.svg.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height].map((value) => Math.min(1, Math.max(0, value)));
  }

  render() {
    const [width, height] = this.wh, { draft, ui } = this;
    this.sheet.style.width = `${ui.zoom * 100}%`;
    this.sheet.style.aspectRatio = `${width} / ${height}`;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.dataset.mode = ui.mode;
    this.unit = width / this.size[0]; // one pixel of the screen
    const focused = this.svg.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const shelves = draft.shelves.filter((shelf) => shelf.camera === ui.camera);
    const last = shelves.findIndex((shelf) => shelf.number === draft.chosen?.shelf);
    if (last >= 0) shelves.push(...shelves.splice(last, 1)); // what is chosen lies on top
    fill(this.svg, ...shelves.flatMap((shelf) => this.#shelf(shelf)), ...this.#handles(), ...this.#drawn());
    if (focused) this.svg.querySelector(`[data-key="${focused}"]`)?.focus({ preventScroll: true });
  }

  /* In the picture's pixels, as an SVG polygon wants them. */
  #points(corners) {
    const [width, height] = this.wh;
    return corners.map(([x, y]) => `${x * width},${y * height}`).join(" ");
  }

  #shelf(shelf) {
    const { chosen } = this.draft, mine = chosen?.shelf === shelf.number;
    const trouble = this.ui.trouble.get(shelf.number) ?? [];
    const parts = [];
    if (shelf.grid) {
      const products = productsOf(shelf.grid), whole = trouble.some((each) => each.slot === null);
      parts.push(this.#polygon(shelf.grid.corners, {
        class: "shelves-grid", chosen: mine && chosen.slot === null, trouble: whole, key: `s${shelf.number}`,
        label: `Shelf ${shelf.id}, ${rowsOf(shelf.grid)} × ${shelf.grid.columns} slots`, dataset: { shelf: shelf.number },
      }));
      gridQuads(shelf.grid.corners, rowsOf(shelf.grid), shelf.grid.columns).forEach((quad, place) => {
        parts.push(svg("polygon", {
          class: "shelves-cell", points: this.#points(quad),
          dataset: { shelf: shelf.number, cell: place, bare: !products[place], on: mine && chosen.cell === place },
        }), mine && this.#words(quad, products[place]));
      });
      parts.push(this.#tag(shelf.grid.corners[0], shelf.id, mine));
    }
    shelf.slots.forEach((slot, place) => {
      parts.push(this.#polygon(slot.corners, {
        class: "shelves-slot", chosen: mine && chosen.slot === slot.number, key: `l${slot.number}`,
        trouble: trouble.some((each) => each.slot === place), bare: !slot.product,
        label: `Slot ${slot.id} of shelf ${shelf.id}, ${slot.product || "any product"}`, dataset: { shelf: shelf.number, slot: slot.number },
      }), mine && this.#words(slot.corners, slot.product));
      if (place === 0 && !shelf.grid) parts.push(this.#tag(slot.corners[0], shelf.id, mine));
    });
    return parts.filter(Boolean);
  }

  #polygon(corners, { class: name, chosen, trouble, bare = false, key, label, dataset }) {
    return svg("polygon", {
      class: name, points: this.#points(corners), tabindex: "0", role: "button", "aria-label": label + (trouble ? ", with a problem" : ""),
      "aria-pressed": String(chosen), dataset: { ...dataset, key, bare, chosen, ...(trouble ? { kind: "out" } : {}) },
    });
  }

  /* A product in its slot, as much of it as there is room for. */
  #words(corners, product) {
    if (!product) return null;
    const [width, height] = this.wh, [x, y] = middle(corners), size = TEXT_PX * this.unit;
    const across = (Math.max(...corners.map((corner) => corner[0])) - Math.min(...corners.map((corner) => corner[0]))) * width;
    const room = Math.floor(across / (size * 0.58));
    if (room < 5) return null;
    const words = product.length > room ? `${product.slice(0, room - 1)}…` : product;
    return svg("text", { class: "shelves-words", x: x * width, y: y * height, "font-size": size, "aria-hidden": "true" }, words);
  }

  #tag([x, y], words, mine) {
    const [width, height] = this.wh, size = (TEXT_PX + 1) * this.unit;
    const up = y * height > size * 1.6 ? -size * 0.5 : size * 1.2;
    return svg("text", { class: "shelves-tag", x: x * width + size * 0.2, y: y * height + up, "font-size": size, dataset: { on: mine }, "aria-hidden": "true" }, words);
  }

  /* The four corners of what is chosen, each with room for a finger. */
  #handles() {
    const { draft } = this, target = draft.target(), shelf = draft.shelf();
    if (!target || shelf.camera !== this.ui.camera || this.ui.mode !== "select") return [];
    const [width, height] = this.wh;
    return target.corners.map(([x, y], corner) => svg("g", {
      class: "shelves-handle", tabindex: "0", role: "button", transform: `translate(${x * width} ${y * height})`,
      "aria-label": `${NAMES[corner]} corner of ${draft.chosen.slot === null ? `shelf ${shelf.id}` : `slot ${target.id}`}, ${percent(x)} across, ${percent(y)} down. Arrows move it.`,
      dataset: { corner, key: `c${corner}` },
    }, svg("circle", { class: "shelves-touch", r: TOUCH_PX * this.unit }), svg("circle", { class: "shelves-dot", r: DOT_PX * this.unit })));
  }

  /* What is being drawn at this moment. */
  #drawn() {
    const { rectangle, points } = this.ui, [width, height] = this.wh;
    return [
      rectangle && svg("polygon", { class: "shelves-new", points: this.#points(rectangle) }),
      points.length > 1 && svg("polyline", { class: "shelves-new", points: this.#points(points) }),
      ...points.map(([x, y]) => svg("circle", { class: "shelves-dot", cx: x * width, cy: y * height, r: DOT_PX * this.unit })),
    ].filter(Boolean);
  }

  /* What lies below the finger, enlarged, in the corner that is farther away; null hides it. */
  magnify(point) {
    this.loupe.hidden = point === null;
    if (point === null) return;
    const [x, y] = point, pen = this.loupe.getContext("2d"), side = this.loupe.width;
    this.loupe.dataset.right = String(x < 0.5);
    pen.fillStyle = "#202830";
    pen.fillRect(0, 0, side, side);
    const shown = LOUPE_PX / LOUPE_TIMES, { naturalWidth: w, naturalHeight: h } = this.image, [sw, sh] = this.size;
    if (w) pen.drawImage(this.image, x * w - (shown / 2 / sw) * w, y * h - (shown / 2 / sh) * h, (shown / sw) * w, (shown / sh) * h, 0, 0, side, side);
    for (const [colour, wide] of [["#000", 5], ["#fff", 2]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = wide;
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(side / 2 + dx * 6, side / 2 + dy * 6);
        pen.lineTo(side / 2 + dx * 60, side / 2 + dy * 60);
      }
      pen.stroke();
    }
  }
}

export function picture() {
  return el("img", { class: "shelves-picture", alt: "", draggable: "false" });
}

function percent(value) {
  return `${(value * 100).toFixed(1)} %`;
}
