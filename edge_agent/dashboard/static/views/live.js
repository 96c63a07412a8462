/* Live: which shelf needs a hand, what each camera sees, and the same as a table. */

import { connection, get } from "../api.js";
import { el, heading, keyed, styles } from "../dom.js";
import { say } from "../notes.js";
import { camera } from "./live/camera.js";
import { shelfCard, sorted, verdict } from "./live/shelves.js";
import { table } from "./live/table.js";

const AGAIN_MS = 5000;
const QUIET_MS = 15000; /* the device says something every 5 s at least: longer, and what is shown may not hold any more */

export async function show(main) {
  await styles("views/live.css");
  const view = build(main);
  const first = await get("live");
  view.update(first);
  const stream = follow(view.update);
  connection.addEventListener("lost", view.lost);
  return () => {
    connection.removeEventListener("lost", view.lost);
    stream.close();
    view.close();
  };
}

function build(main) {
  const head = heading("Live");
  const answer = verdict();
  const troubles = el("div", { class: "stack tight live-troubles" });
  const shelves = el("section", { class: "live-shelves", "aria-label": "Shelves, worst first" });
  const cameras = el("section", { class: "live-cameras", "aria-label": "Cameras" });
  const all = table();
  main.append(head, answer.node, troubles, el("div", { class: "live-columns" }, shelves, cameras), all.node);
  const shown = new Map();
  let before = null, alerts = null, ts = null;
  const lost = () => {
    main.classList.add("live-lost");
    if (ts) answer.lost(ts);
  };
  const update = (live) => {
    ts = live.ts;
    main.classList.remove("live-lost");
    if (alerts !== null && alerts !== live.alerts_open) dispatchEvent(new Event("alerts-changed"));
    alerts = live.alerts_open;
    answer.update(live);
    keyed(cameras, live.cameras, (one) => one.id, (one) => {
      const made = camera(troubles);
      shown.set(one.id, made);
      return made.node;
    });
    for (const one of live.cameras) shown.get(one.id).update(one, live);
    for (const [id, made] of shown) {
      if (!live.cameras.some((one) => one.id === id)) { made.close(); shown.delete(id); }
    }
    keyed(shelves, sorted(live.shelves), (shelf) => shelf.id, (shelf) => shelfCard(shelf), (node, shelf) => node.update(shelf));
    all.update(live);
    before = announce(live, before);
  };
  return { update, lost, close: () => shown.forEach((made) => made.close()) };
}

/* Tell a screen reader what became worse or better, product by product, and nothing else. */
function announce(live, before) {
  const now = new Map();
  for (const shelf of live.shelves) for (const item of shelf.items) now.set(`${shelf.id}: ${item.sku}`, item.status);
  const words = { out: "is out", low: "is low", ok: "is fine again", unknown: "can't be counted" };
  const news = before ? [...now].filter(([what, status]) => before.has(what) && before.get(what) !== status) : [];
  if (news.length) say(news.slice(0, 4).map(([what, status]) => `${what} ${words[status]}`).join(". "));
  return now;
}

/* The device's stream, only while somebody looks: a page in the background costs the device nothing. One that broke, or says
   nothing, is opened anew after asking the device: where that doesn't answer, the page's frame says so. */
function follow(update) {
  let source = null, timer = 0, quiet = 0;
  const lost = () => {
    shut();
    get("live").then((live) => { update(live); again(); }, again);
  };
  const again = () => { if (timer !== -1) timer = setTimeout(open, AGAIN_MS); };
  const heard = () => {
    clearTimeout(quiet);
    quiet = setTimeout(lost, QUIET_MS);
  };
  const open = () => {
    clearTimeout(timer);
    if (source || document.hidden) return;
    source = new EventSource("/api/live/stream");
    source.addEventListener("live", (event) => {
      heard();
      update(JSON.parse(event.data));
    });
    source.addEventListener("error", lost);
    heard();
  };
  const shut = () => {
    clearTimeout(quiet);
    source?.close();
    source = null;
  };
  const seen = () => (document.hidden ? shut() : open());
  document.addEventListener("visibilitychange", seen);
  open();
  return {
    close() {
      document.removeEventListener("visibilitychange", seen);
      clearTimeout(timer);
      timer = -1;
      shut();
    },
  };
}
