/* A camera's newest picture with its slots drawn over it, what it takes to make it, and what is wrong with it. */

import { attr, el, fill, note, text } from "../../dom.js";
import { duration, number, sentence, when } from "../../words.js";
import { overlay } from "./overlay.js";

export function camera(troubles) {
  const name = el("h2", {}), facts = el("p", { class: "muted small tabular" });
  const picture = el("div", { class: "live-picture" }), said = el("p", { class: "live-slot small", hidden: true });
  const nothing = el("p", { class: "live-nothing" }, "No picture yet");
  const slots = overlay(said);
  picture.append(nothing, slots.node);
  const node = el("figure", { class: "card flush live-camera" }, picture, el("figcaption", {}, el("div", { class: "row spread" }, name, facts), said));
  const photo = photograph(picture);
  const trouble = el("div", {});
  const update = (one, live) => {
    text(name, one.id);
    text(facts, factsOf(one, live));
    tell(trouble, troubles, one);
    attr(node, "data-gone", one.status === "offline");
    if (!one.frame) return;
    nothing.hidden = true;
    picture.style.aspectRatio = `${one.frame.wh[0]} / ${one.frame.wh[1]}`;
    slots.update(one, live.shelves.filter((shelf) => shelf.camera === one.id));
    photo.show(one);
  };
  return { node, update, close: () => { photo.close(); slots.close(); trouble.remove(); } };
}

function factsOf(one, live) {
  const said = [];
  if (one.frame) said.push(one.frame.age_s < 60 ? `picture ${number(Math.max(0.1, one.frame.age_s))} s old` : `picture of ${when(one.frame.ts)}`);
  if (one.frames_per_s !== null && one.frames_per_s !== undefined) said.push(`${number(one.frames_per_s)} pictures/s`);
  if (live.inference_ms) said.push(`model ${number(live.inference_ms.p50)} ms`);
  return said.join(" · ");
}

/* Camera trouble is said above everything else, with what to do. */
function tell(trouble, troubles, one) {
  const bad = one.status === "offline" || one.status === "degraded";
  const key = bad ? `${one.status} ${one.words}` : "";
  if (trouble.dataset.key !== key) {
    trouble.dataset.key = key;
    if (!bad) trouble.remove();
    else {
      const what = one.status === "offline" ? "no picture comes" : "nothing can be counted in its picture";
      fill(trouble, note("out", el("p", { class: "strong" }, `${one.id}: ${what}`), el("p", {}, sentence(one.words)), el("p", { class: "muted small" })));
      troubles.append(trouble);
    }
  }
  const small = trouble.querySelector(".small");
  if (bad && small) text(small, `${one.frame ? `The newest picture is ${duration(one.frame.age_s)} old. ` : ""}Counts from before hold for a while, then they are unknown, never 0.`);
}

/* Swap the picture only when the next one is decoded, one at a time, and only while it can be seen. */
function photograph(place) {
  let shown = null, busy = false, wanted = null, visible = true, alive = true;
  const watch = new IntersectionObserver(([entry]) => { visible = entry.isIntersecting; });
  watch.observe(place);
  const show = async (one) => {
    wanted = one;
    if (busy || !visible || one.frame.id === shown?.dataset.frame) return;
    busy = true;
    const next = el("img", { alt: `What camera ${one.id} sees; the table below says the same`, dataset: { frame: one.frame.id } });
    next.src = `/api/cameras/${encodeURIComponent(one.id)}/picture?frame=${encodeURIComponent(one.frame.id)}`;
    try {
      await next.decode();
      if (!alive) return;
      if (shown) shown.replaceWith(next);
      else place.prepend(next);
      shown = next;
    } catch { /* it was replaced or the device is away: the next one comes */ }
    busy = false;
    if (alive && wanted.frame.id !== one.frame.id) show(wanted);
  };
  return { show, close() { alive = false; watch.disconnect(); } };
}
