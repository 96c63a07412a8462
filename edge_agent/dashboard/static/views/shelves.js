/* Shelves: drawn on the camera's picture, or written down beside it; saved into the device's configuration. */

import { del, get, post, put } from "../api.js";
import { button, el, fill, heading, iconButton, note, segmented, styles } from "../dom.js";
import { ask, failed, say, toast } from "../notes.js";
import { rectangle } from "./shelves/geometry.js";
import { typing } from "./shelves/keyboard.js";
import { Draft } from "./shelves/model.js";
import { Panel } from "./shelves/panel.js";
import { pointing } from "./shelves/pointer.js";
import { picture, Stage } from "./shelves/stage.js";

const PICTURE_MS = 1000, CHECK_MS = 500, ZOOM_MOST = 6;
const TOOLS = [["select", "Choose"], ["rect", "Rectangle"], ["quad", "4 corners"], ["slot", "Slot"]];
const HINTS = {
  select: "Touch a shelf to choose it; drag it, or a corner of it.",
  rect: "Drag from one corner of the shelf to the opposite one. Rows and columns come next.",
  quad: "Touch the four corners of the shelf, in any order.",
  slot: "Drag from one corner of the slot to the opposite one.",
};
let kept = null; // a drawing that was left unsaved, for as long as the page is open

export async function show(main) {
  const [planogram] = await Promise.all([get("shelves"), styles("views/shelves.css")]);
  const view = new View(main, planogram);
  return () => view.close();
}

class View {
  constructor(main, planogram) {
    this.draft = new Draft(planogram);
    this.ui = { camera: planogram.cameras[0].id, mode: "select", snap: true, zoom: 1, points: [], rectangle: null, trouble: new Map() };
    this.aims = new Set();
    this.seen = 0;
    this.stage = new Stage(this.draft, this.ui);
    this.panel = new Panel(this.draft, this.ui, { add: () => this.add(), draw: (mode) => this.use(mode) });
    this.build(main);
    this.takeUp();
    this.letGo = [
      pointing(this.stage, this.draft, this.ui, (kind, corners) => this.drawn(kind, corners)),
      typing(this.stage, this.draft, { save: () => this.save(), cancel: () => this.cancel(), remove: () => this.draft.remove() }),
    ];
    this.draft.addEventListener("change", () => this.changed());
    this.unload = (event) => { if (this.draft.dirty) event.preventDefault(); };
    this.leaving = (event) => this.ask(event);
    addEventListener("beforeunload", this.unload);
    document.addEventListener("click", this.leaving, true);
    this.changed();
    this.picture();
  }

  close() {
    if (this.draft.dirty) kept = { known: this.draft.known, shelves: this.draft.shelves };
    for (const letGo of this.letGo) letGo();
    for (const camera of this.aims) del(`cameras/${camera}/aim`).catch(() => {});
    this.panel.close();
    this.stage.close();
    for (const timer of [this.checking, this.looking, this.rendering]) clearTimeout(timer);
    removeEventListener("beforeunload", this.unload);
    document.removeEventListener("click", this.leaving, true);
    this.gone = true;
  }

  build(main) {
    const { draft, ui } = this, { cameras, obstacle } = draft.known;
    this.save_ = button("Save", () => this.save(), { kind: "primary", icon: "save" });
    this.undo = iconButton("undo", "Undo (Ctrl+Z)", () => draft.undo());
    this.redo = iconButton("redo", "Redo (Ctrl+Y)", () => draft.redo());
    this.tools = segmented(TOOLS, "select", (mode) => this.use(mode), "Tool");
    this.snap = button("Snap", () => { ui.snap = !ui.snap; this.changed(); }, { "aria-pressed": "true", title: "Corners catch on corners and edges of others" });
    this.whole = button("Show the whole picture", () => this.aim(), { icon: "eye" });
    this.state = el("p", { role: "status" });
    this.unsaved = el("div", { class: "shelves-unsaved" }, this.state, button("Save now", () => this.save(), { kind: "primary" }));
    this.hint = el("p", { class: "hint" });
    const zoom = (times) => { ui.zoom = Math.min(ZOOM_MOST, Math.max(1, ui.zoom * times)); this.stage.render(); };
    fill(main,
      heading("Shelves", "Draw what the camera is to count, and say what stands where.", this.undo, this.redo, this.save_),
      obstacle && note("low", el("p", {}, `Nothing can be saved here: ${obstacle}.`)),
      el("div", { class: "shelves-work" },
        el("section", { class: "shelves-left stack tight", "aria-label": "Picture" },
          cameras.length > 1 && segmented(cameras.map(({ id }) => [id, id]), ui.camera, (id) => this.look(id), "Camera"),
          el("div", { class: "row shelves-bar" }, this.tools, this.snap,
            el("div", { class: "row" }, iconButton("zoomOut", "Smaller", () => zoom(1 / 1.5)), iconButton("zoomIn", "Larger", () => zoom(1.5)))),
          this.hint, this.stage.node,
          draft.known.aiming && el("div", { class: "row" }, this.whole)),
        this.panel.node), this.unsaved);
  }

  /* Go on with what was left unsaved, if the file is still the one that it was drawn from. */
  takeUp() {
    if (kept && kept.known.revision === this.draft.known.revision) {
      const { shelves } = kept;
      this.draft.change(() => { this.draft.shelves = shelves; });
      toast("What you had drawn and not saved is here again.", "info");
    }
    kept = null;
  }

  changed() {
    const { draft, ui } = this, { obstacle } = draft.known;
    const dirty = draft.dirty;
    this.undo.disabled = !draft.back.length;
    this.redo.disabled = !draft.forth.length;
    this.save_.setAttribute("aria-disabled", String(Boolean(obstacle || !dirty || this.saving)));
    this.snap.setAttribute("aria-pressed", String(ui.snap));
    this.hint.textContent = ui.mode === "quad" && ui.points.length ? `${4 - ui.points.length} more.` : HINTS[ui.mode];
    for (const one of this.tools.children) one.setAttribute("aria-pressed", String(one.dataset.value === ui.mode));
    this.unsaved.dataset.on = String(dirty && !obstacle);
    const words = dirty ? "Not saved yet." : "";
    if (this.state.textContent !== words) this.state.textContent = words;
    clearTimeout(this.rendering);
    this.rendering = setTimeout(() => this.stage.render()); // later: Tab may be on its way to what is drawn now
    this.panel.render();
    const written = draft.written();
    if (written !== this.checked) this.check(written);
  }

  /* Have the agent say what would be wrong, once nobody has changed anything for a moment. */
  check(written) {
    this.checked = written;
    clearTimeout(this.checking);
    if (!this.draft.known.revision) return;
    this.checking = setTimeout(() => this.judged(), CHECK_MS);
  }

  async judged() {
    const shelves = this.draft.tables(), numbers = this.draft.shelves.map((shelf) => shelf.number);
    try {
      const { problems } = await post("shelves/check", { shelves });
      if (this.gone) return [];
      this.ui.trouble = grouped(problems, numbers);
      this.stage.render();
      this.panel.render();
      return problems;
    } catch {
      return []; // it is said when somebody saves
    }
  }

  use(mode) {
    Object.assign(this.ui, { mode, points: [], rectangle: null });
    this.changed();
    if (mode !== "select") this.stage.node.scrollIntoView({ block: "nearest" });
  }

  cancel() {
    if (this.ui.mode !== "select" || this.ui.points.length) this.use("select");
    else this.draft.choose(null);
  }

  drawn(kind, corners) {
    Object.assign(this.ui, { mode: "select", points: [], rectangle: null });
    if (kind === "slot") this.draft.addSlot(this.ui.camera, corners);
    else this.draft.addShelf(this.ui.camera, corners);
    say(kind === "slot" ? "A slot was drawn." : "A shelf was drawn. Set its rows and columns.");
    this.focus(kind === "slot" ? `product-${this.draft.chosen.slot}` : "columns");
  }

  /* A shelf in the middle, without drawing. */
  add() {
    this.draft.addShelf(this.ui.camera, rectangle([0.1, 0.4], [0.9, 0.6]));
    this.focus("id");
  }

  /* Once the panel is drawn. On a phone the keyboard would cover the picture: there the field is only shown. */
  focus(key) {
    setTimeout(() => {
      const wanted = this.panel.node.querySelector(`[data-focus="${CSS.escape(key)}"]`);
      if (matchMedia("(pointer: coarse)").matches) return;
      wanted?.focus();
      wanted?.select?.();
    }, 20);
  }

  look(camera) {
    this.ui.camera = camera;
    this.stage.show(picture()); // what another camera sees is not to be drawn on
    this.draft.choose(null);
    this.picture();
  }

  /* The newest picture, again and again; the next one when this one is there. */
  picture() {
    clearTimeout(this.looking);
    if (this.gone) return;
    const { camera } = this.ui, whole = this.aims.has(camera);
    const next = () => { this.looking = setTimeout(() => this.picture(), PICTURE_MS); };
    if (document.hidden) { next(); return; }
    const fresh = picture();
    fresh.onload = () => {
      if (this.gone || camera !== this.ui.camera) return;
      this.stage.show(fresh);
      this.sized(camera, fresh);
      next();
    };
    fresh.onerror = () => {
      this.stage.empty.hidden = this.stage.image.naturalWidth > 0;
      if (whole) this.aims.delete(camera);
      this.whole.hidden = this.aims.has(camera);
      next();
    };
    fresh.src = `/api/cameras/${encodeURIComponent(camera)}/picture?${whole ? "whole=1&" : ""}frame=${(this.seen += 1)}-${Date.now()}`;
  }

  /* The first picture of a camera tells its shape. */
  sized(camera, image) {
    const known = this.draft.known.cameras.find((each) => each.id === camera);
    if (known.wh) return;
    known.wh = [image.naturalWidth, image.naturalHeight];
    this.stage.render();
  }

  async aim() {
    const { camera } = this.ui;
    try {
      const { for_s: seconds } = await post(`cameras/${encodeURIComponent(camera)}/aim`);
      this.aims.add(camera);
      this.whole.hidden = true;
      toast(`You see all that ${camera} sees, for ${Math.round(seconds / 60)} minutes. This is in the device's log.`, "info");
      this.picture();
    } catch (error) {
      failed(error);
    }
  }

  async save() {
    const { draft } = this;
    if (document.activeElement?.matches("input")) document.activeElement.blur(); // what is being typed counts too
    if (this.saving || !draft.dirty || draft.known.obstacle) return;
    this.saving = true;
    this.save_.setAttribute("aria-busy", "true");
    this.changed();
    try {
      const { message } = await put("shelves", { shelves: draft.tables(), revision: draft.known.revision });
      toast(`Saved: ${message}.`);
      await this.anew();
    } catch (error) {
      await this.refused(error);
    } finally {
      this.saving = false;
      this.save_.removeAttribute("aria-busy");
      if (!this.gone) this.changed();
    }
  }

  /* What the file holds now, with the same shelf chosen. */
  async anew() {
    const id = this.draft.shelf()?.id, fresh = await get("shelves");
    for (const camera of fresh.cameras) camera.wh ??= this.draft.known.cameras.find((each) => each.id === camera.id)?.wh ?? null;
    this.ui.trouble = new Map();
    this.draft.load(fresh);
    const again = this.draft.shelves.find((shelf) => shelf.id === id);
    if (again) this.draft.choose({ shelf: again.number });
  }

  async refused(error) {
    if (error.value?.code === "changed") {
      if (await ask("The configuration was changed elsewhere", error.message, { yes: "Load it anew", no: "Keep my drawing" })) await this.anew();
      return;
    }
    const problems = error.status === 400 ? await this.judged() : [];
    const first = problems.find((each) => each.shelf !== null);
    if (!first) {
      failed(error);
      return;
    }
    toast(`Nothing was saved: ${problems.length === 1 ? "there is a problem" : `there are ${problems.length} problems`}. It is shown where it is.`, "out");
    const shelf = this.draft.shelves[first.shelf], slot = first.slot === null ? null : shelf.slots[first.slot]?.number ?? null;
    this.ui.camera = this.draft.known.cameras.some((camera) => camera.id === shelf.camera) ? shelf.camera : this.ui.camera;
    this.draft.choose({ shelf: shelf.number, slot });
    setTimeout(() => this.panel.node.querySelector(`[data-focus="trouble-${slot === null ? shelf.number : `slot-${slot}`}"]`)?.focus(), 50);
  }

  /* Somebody goes to another view: not without being asked. */
  async ask(event) {
    const link = event.target.closest?.('a[href^="#"]');
    if (!link || link.hash === "#view" || link.hash.startsWith("#shelves") || !this.draft.dirty) return;
    event.preventDefault();
    event.stopPropagation();
    if (!(await ask("Leave without saving?", "What you drew is not saved yet.", { yes: "Leave", no: "Stay" }))) return;
    this.draft.saved = this.draft.written();
    location.hash = link.hash;
  }
}

function grouped(problems, numbers) {
  const found = new Map();
  for (const each of problems) {
    const key = each.shelf === null ? null : numbers[each.shelf];
    found.set(key, [...(found.get(key) ?? []), each]);
  }
  return found;
}
