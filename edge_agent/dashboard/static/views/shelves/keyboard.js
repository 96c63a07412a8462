/* Keys: arrows move what has the focus by one pixel of the picture (with Shift by ten), Enter chooses, Escape lets go,
   Delete removes, Ctrl+Z and Ctrl+Y go back and forth, Ctrl+D doubles, Ctrl+S saves. */

import { moved, tidied } from "./geometry.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const STEP_ENDS_MS = 700;

/* Returns a function that lets go. acts: {save, cancel, remove}. */
export function typing(stage, draft, acts) {
  let ending = null; // arrows that follow each other are one step back
  let timer = 0;

  function settle() {
    clearTimeout(timer);
    if (ending) ending();
    ending = null;
  }

  function inDrawing(event) {
    const { corner, shelf, slot } = event.target.dataset;
    if (corner === undefined && shelf === undefined) return false;
    if (event.key in ARROWS && !event.ctrlKey && !event.altKey) {
      if (corner === undefined) chosen(shelf, slot);
      if (!draft.target()) return true;
      ending ??= draft.begin();
      nudge(corner === undefined ? null : Number(corner), ARROWS[event.key], event.shiftKey ? 10 : 1);
      clearTimeout(timer);
      timer = setTimeout(settle, STEP_ENDS_MS);
    } else if (event.key === "Enter" || event.key === " ") {
      if (corner === undefined) {
        chosen(shelf, slot);
        stage.svg.querySelector('[data-key="c0"]')?.focus();
      }
    } else if (event.key === "Delete" || event.key === "Backspace") {
      if (corner === undefined) chosen(shelf, slot);
      acts.remove();
    } else return false;
    return true;
  }

  function chosen(shelf, slot) {
    const wanted = { shelf: Number(shelf), slot: slot === undefined ? null : Number(slot) };
    if (draft.chosen?.shelf !== wanted.shelf || draft.chosen.slot !== wanted.slot) {
      settle();
      draft.choose(wanted);
      stage.render();
    }
  }

  function nudge(corner, [x, y], times) {
    const target = draft.target(), [width, height] = stage.wh;
    const by = [(x * times) / width, (y * times) / height];
    target.corners = tidied(corner === null
      ? moved(target.corners, ...by)
      : target.corners.map((point, place) => (place === corner ? [point[0] + by[0], point[1] + by[1]] : point)));
    stage.render();
  }

  function everywhere(event) {
    const writing = event.target.closest("input, textarea, select");
    const key = event.key.toLowerCase(), command = event.ctrlKey || event.metaKey;
    if (command && key === "s") acts.save();
    else if (writing) return false;
    else if (command && key === "z" && !event.shiftKey) { settle(); draft.undo(); }
    else if (command && (key === "y" || key === "z")) { settle(); draft.redo(); }
    else if (command && key === "d" && draft.chosen) draft.duplicate();
    else if (event.key === "Escape") { settle(); acts.cancel(); }
    else return false;
    return true;
  }

  function down(event) {
    if (document.querySelector("dialog[open]")) return;
    if ((stage.svg.contains(event.target) && inDrawing(event)) || everywhere(event)) event.preventDefault();
  }

  document.addEventListener("keydown", down);
  return () => {
    settle();
    document.removeEventListener("keydown", down);
  };
}
