/* Review: crops of which the model was not sure. A person says what they show, one at a time or many at once. */

import { get, post } from "../api.js";
import { button, el, empty, fill, heading, icon, note, segmented, styles } from "../dom.js";
import { failed, say, toast } from "../notes.js";
import { plural, product } from "../words.js";
import { grid } from "./review/grid.js";
import { single } from "./review/single.js";

const AT_ONCE = 60;

export async function show(main) {
  await styles("views/review.css");
  const view = new View(main);
  await view.load();
  const onkey = (event) => view.key(event);
  document.addEventListener("keydown", onkey);
  return () => document.removeEventListener("keydown", onkey);
}

class View {
  constructor(main) {
    Object.assign(this, { state: "waiting", mode: "one", crops: [], total: 0, done: 0, busy: false });
    this.progress = el("div", { class: "review-progress" });
    this.full = el("div", {});
    this.body = el("div", { class: "review-body" });
    this.labels = el("datalist", { id: "review-labels" });
    this.back = button("Undo", () => this.undo(), { icon: "undo", "aria-keyshortcuts": "U Control+Z" });
    this.zip = el("a", { class: "button", href: "/api/review/labelled.zip", download: "", hidden: true }, icon("download"), el("span", {}, "Labelled crops"));
    main.append(heading("Review", "What these show teaches the next model. Pictures stay on this device.", this.back, this.zip),
      el("div", { class: "row review-modes" },
        segmented([["waiting", "To label"], ["labelled", "Labelled"]], this.state, (state) => this.turn({ state, mode: this.mode }), "Which crops"),
        segmented([["one", "One by one"], ["many", "Many"]], this.mode, (mode) => this.turn({ mode, state: this.state }), "How to label")),
      this.full, this.progress, this.body, this.labels);
  }

  turn(change) {
    Object.assign(this, change);
    return this.load();
  }

  async load() {
    try {
      this.figures = await get("review");
      if (!this.figures.enabled) {
        fill(this.body, empty("review", "No crops are kept on this device", "Set enabled = true under [review] in agent.toml, and restart the agent."));
        this.back.disabled = true;
        return;
      }
      const order = this.state === "waiting" ? "doubt" : "newest";
      const found = await get(`review/crops?state=${this.state}&order=${order}&limit=${AT_ONCE}`);
      [this.crops, this.total] = [found.crops, found.total];
      this.draw();
    } catch (error) {
      failed(error);
    }
  }

  draw() {
    const { figures } = this;
    fill(this.labels, figures.labels.map((label) => el("option", { value: label })));
    this.zip.hidden = !figures.download || figures.labelled === 0;
    fill(this.full, figures.full && note("low", el("p", {}, `Labelled crops take all of the room (${mb(figures.max_bytes)}), so no new ones are kept. `
      + `Take them away for a training (${figures.folder}), or raise max_mb under [review].`)));
    this.count();
    const focused = this.body.contains(document.activeElement);
    if (!this.crops.length) fill(this.body, this.nothing());
    else if (this.mode === "one") fill(this.body, single(this.crops[0], this));
    else fill(this.body, grid(this.crops, this));
    if (focused && this.mode === "one") this.body.querySelector(".review-guesses .button")?.focus({ preventScroll: true });
  }

  count() {
    const { figures } = this;
    const all = this.done + figures.waiting, share = all ? this.done / all : 1;
    const bar = el("i", {});
    bar.style.width = `${Math.round(share * 100)}%`;
    fill(this.progress, el("p", { class: "small num", "aria-live": "polite" }, this.state === "waiting"
      ? `${figures.waiting} to label, ${this.done} done now, ${figures.labelled} labelled in all`
      : `${figures.labelled} labelled: ${Object.entries(figures.by_label).map(([label, many]) => `${product(label)} ${many}`).join(", ") || "none yet"}`),
    this.state === "waiting" && el("div", { class: "bar", role: "presentation" }, bar));
  }

  nothing() {
    if (this.state === "labelled") return empty("review", "Nothing is labelled yet", "What you label is listed here, and in the folder for shelf-train.");
    if (this.figures.labelled) return empty("ok", "All done", "Nothing waits for a label. When the model is in doubt again, the crop comes here.");
    return empty("review", "The model has no doubts so far", "When it isn't sure what stands in a slot, a picture of that slot comes here: at most one in ten minutes of each.");
  }

  async label(names, label) {
    const words = label.trim();
    if (!words) return;
    await this.change(() => post("review/label", { crops: names, label: words }), names, `${plural(names.length, "crop")}: ${product(words)}`);
  }

  async discard(names) {
    await this.change(() => post("review/discard", { crops: names }), names, `${plural(names.length, "crop")} put away`);
  }

  async change(send, names, words) {
    if (this.busy) return;
    this.busy = true;
    try {
      await send();
      if (this.state === "waiting") this.done += names.length;
      say(words);
      await this.load();
    } catch (error) {
      failed(error);
    } finally {
      this.busy = false;
    }
  }

  async undo() {
    if (this.busy) return;
    this.busy = true;
    try {
      const undone = await post("review/undo");
      this.done = Math.max(0, this.done - (this.state === "waiting" ? undone.crops.length : 0));
      toast(undone.what ? `Taken back: ${plural(undone.crops.length, "crop")} ${undone.what}.` : "There is nothing to take back.", "info");
      await this.load();
      const place = this.crops.findIndex((crop) => undone.crops.includes(crop.name));
      if (place > 0) { this.crops.unshift(...this.crops.splice(place, 1)); this.draw(); }
    } catch (error) {
      failed(error);
    } finally {
      this.busy = false;
    }
  }

  skip() {
    if (this.crops.length > 1) {
      this.crops.push(this.crops.shift());
      this.draw();
      say(`${this.crops.length} in this round`);
    }
  }

  key(event) {
    const typing = event.target.closest?.("input, select, textarea, dialog");
    const undo = (event.key === "z" && (event.ctrlKey || event.metaKey)) || (event.key === "u" && !event.ctrlKey && !event.metaKey);
    if (typing || event.altKey || !this.figures?.enabled) return;
    const crop = this.mode === "one" ? this.crops[0] : null;
    const guess = crop?.guesses[Number(event.key) - 1];
    if (undo) this.undo();
    else if (event.ctrlKey || event.metaKey || !crop) return;
    else if (guess) this.label([crop.name], guess.label);
    else if (event.key === "e") this.label([crop.name], "empty");
    else if (event.key === "o") this.label([crop.name], "occluded");
    else if (event.key === "ArrowRight") this.skip();
    else if (event.key === "Delete") this.discard([crop.name]);
    else if (event.key === "/") this.body.querySelector("input")?.focus();
    else return;
    event.preventDefault();
  }
}

function mb(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}
