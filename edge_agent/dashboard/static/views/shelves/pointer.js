/* Mouse, pen and finger: draw, choose, move, drag corners. */

import { inOrder, moved, PICTURE, rectangle, snapped, tidied } from "./geometry.js";

const SNAP_PX = 9, SNAP_SHARE = 0.015, DRAG_PX = 4, SMALL = 0.012;

/* Returns a function that lets go. done(kind, corners) is told what was drawn: "rect", "quad" or "slot". */
export function pointing(stage, draft, ui, done) {
  let drag = null;

  const reach = () => Math.min(SNAP_PX, SNAP_SHARE * stage.size[0]); // less on a phone, where all is small

  function snap(point) {
    if (!ui.snap) return point;
    return snapped(point, [...draft.others(ui.camera), PICTURE], stage.size, reach()) ?? point;
  }

  function down(event) {
    if (event.button > 0 || drag) return;
    const point = stage.point(event), on = event.target.closest("[data-corner], [data-shelf]");
    if (ui.mode === "quad") {
      event.preventDefault();
      ui.points = [...ui.points, snap(point)];
      if (ui.points.length === 4) finish("quad", inOrder(ui.points));
      else stage.render();
      return;
    }
    if (ui.mode === "rect" || ui.mode === "slot") {
      drag = { kind: "draw", from: snap(point), id: event.pointerId };
    } else if (on?.dataset.corner !== undefined) {
      const corner = Number(on.dataset.corner);
      draft.choose({ ...draft.chosen, corner });
      drag = { kind: "corner", corner, from: point, was: draft.target().corners, end: draft.begin(), id: event.pointerId };
    } else if (on) {
      choose(on);
      const target = draft.target();
      if (target) drag = { kind: "move", from: point, was: target.corners, end: draft.begin(), id: event.pointerId };
    } else {
      drag = { kind: "pan", from: point, id: event.pointerId, last: [event.clientX, event.clientY] };
    }
    if (drag) {
      event.preventDefault();
      drag.at = [event.clientX, event.clientY];
      stage.svg.setPointerCapture(event.pointerId); // what was pointed at is drawn anew meanwhile
    }
  }

  function choose({ dataset }) {
    const shelf = Number(dataset.shelf);
    if (dataset.slot !== undefined) draft.choose({ shelf, slot: Number(dataset.slot) });
    else draft.choose({ shelf, cell: dataset.cell === undefined ? null : Number(dataset.cell) });
    stage.svg.querySelector(dataset.slot === undefined ? `[data-key="s${shelf}"]` : `[data-key="l${dataset.slot}"]`)?.focus({ preventScroll: true });
  }

  function move(event) {
    if (!drag || event.pointerId !== drag.id) return;
    if (!drag.far && Math.hypot(event.clientX - drag.at[0], event.clientY - drag.at[1]) < DRAG_PX) return;
    drag.far = true;
    if (drag.kind === "pan") {
      pan(event);
      return;
    }
    const point = stage.point(event), by = [point[0] - drag.from[0], point[1] - drag.from[1]];
    let shown = point;
    if (drag.kind === "draw") {
      ui.rectangle = rectangle(drag.from, snap(point));
    } else if (drag.kind === "corner") {
      const [x, y] = drag.was[drag.corner];
      shown = snap([x + by[0], y + by[1]].map((value) => Math.min(1, Math.max(0, value))));
      draft.target().corners = tidied(drag.was.map((corner, place) => (place === drag.corner ? shown : corner)));
    } else {
      draft.target().corners = tidied(pulled(moved(drag.was, ...by)));
    }
    stage.magnify(event.pointerType !== "mouse" && drag.kind !== "move" ? shown : null);
    stage.render();
  }

  /* A drag beside the shelves moves the picture, and where that is at its end, the page. */
  function pan(event) {
    const { scroll } = stage, [x, y] = [drag.last[0] - event.clientX, drag.last[1] - event.clientY];
    const before = scroll.scrollTop;
    scroll.scrollBy(x, y);
    const rest = y - (scroll.scrollTop - before);
    if (event.pointerType !== "mouse" && Math.abs(rest) >= 1) scrollBy(0, rest);
    drag.last = [event.clientX, event.clientY];
  }

  /* Moved as a whole so that the corner that comes nearest to another lies on it. */
  function pulled(corners) {
    if (!ui.snap) return corners;
    const others = [...draft.others(ui.camera), PICTURE];
    let best = null;
    for (const corner of corners) {
      const onto = snapped(corner, others, stage.size, reach());
      const by = onto && [onto[0] - corner[0], onto[1] - corner[1]];
      if (by && (!best || Math.hypot(...by) < Math.hypot(...best))) best = by;
    }
    return best ? moved(corners, ...best) : corners;
  }

  function up(event) {
    if (!drag || event.pointerId !== drag.id) return;
    const ended = drag;
    drag = null;
    stage.magnify(null);
    if (ended.kind === "pan") {
      if (!ended.far) draft.choose(null);
      return;
    }
    if (ended.kind !== "draw") {
      if (ended.far) ended.end();
      return;
    }
    const corners = ui.rectangle;
    ui.rectangle = null;
    const [[left, top], , [right, bottom]] = corners ?? [[0, 0], [0, 0], [0, 0]];
    if (right - left > SMALL && bottom - top > SMALL) finish(ui.mode, corners);
    else stage.render();
  }

  function cancelled(event) {
    if (!drag || event.pointerId !== drag.id) return;
    if (drag.was) draft.target().corners = drag.was;
    drag = null;
    ui.rectangle = null;
    stage.magnify(null);
    stage.render();
  }

  function finish(kind, corners) {
    ui.points = [];
    done(kind, corners);
  }

  const on = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: cancelled };
  for (const [name, listener] of Object.entries(on)) stage.svg.addEventListener(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(on)) stage.svg.removeEventListener(name, listener);
  };
}
