/* The page's frame: one view at a time, named by the address after #; navigation, login, connection, theme. */

import { connection, get, signOut, whoami } from "./api.js";
import { el, fill, icon, iconButton, note } from "./dom.js";
import { login } from "./login.js";
import { failed, say } from "./notes.js";

const VIEWS = { live: "Live", alerts: "Alerts", history: "History", review: "Review", shelves: "Shelves", health: "Health" };
const ALERTS_EVERY_MS = 10000, AGAIN_MS = 2000;
const main = document.getElementById("view");
const state = { leave: () => {}, lost: false, shown: 0, alertsTimer: 0, session: null };

async function show({ focus = true } = {}) {
  const turn = (state.shown += 1); // a slow view must not overwrite a later one
  const name = nameOfView();
  await leave();
  for (const link of document.querySelectorAll(".views a")) {
    if (link.hash.slice(1) === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${VIEWS[name]} · shelfwatch`;
  const place = el("div", { class: `view-${name}` }, el("p", { class: "loading" }, "Loading…"));
  fill(main, place);
  scrollTo(0, 0);
  try {
    const view = await import(`./views/${name}.js`);
    if (turn !== state.shown) return;
    place.replaceChildren();
    const gone = (await view.show(place)) ?? (() => {});
    if (turn === state.shown) state.leave = gone;
    else gone();
  } catch (error) {
    if (turn === state.shown) broken(place, error);
  }
  if (turn === state.shown && focus) (main.querySelector("h1") ?? main).focus({ preventScroll: true });
}

/* #shelves/drinks shows the view "shelves": what follows the stroke is the view's own. */
function nameOfView() {
  const name = location.hash.slice(1).split("/")[0];
  return name in VIEWS ? name : "live";
}

async function leave() {
  const gone = state.leave;
  state.leave = () => {};
  await gone();
}

function broken(place, error) {
  if (error.status === 401) return;
  console.warn(error);
  fill(place, el("h1", { tabindex: "-1" }, "This view can't be shown"),
    note("out", el("p", {}, error.message), el("p", { class: "muted" }, "It is shown as soon as the device answers.")));
}

function navigation() {
  fill(document.querySelector(".views"), el("div", {}, Object.entries(VIEWS).map(([name, words]) =>
    el("a", { href: `#${name}` }, icon(name), el("span", {}, words),
      name === "alerts" && el("span", { class: "bubble", id: "open-alerts", hidden: true })))));
}

/* How many alerts wait for a person: asked for only while somebody looks at the page. */
async function countAlerts() {
  clearTimeout(state.alertsTimer);
  if (document.hidden) return;
  try {
    showAlerts((await get("alerts?state=open", { quiet: true })).unacknowledged);
  } catch { /* the banner says it */ }
  state.alertsTimer = setTimeout(countAlerts, ALERTS_EVERY_MS);
}

function showAlerts(count) {
  const bubble = document.getElementById("open-alerts");
  const before = bubble.dataset.count;
  if (before === String(count)) return;
  bubble.dataset.count = count;
  bubble.hidden = count === 0;
  fill(bubble, count > 99 ? "99+" : String(count), el("span", { class: "vh" }, " to see to"));
  if (before !== undefined && count > Number(before)) say(`${count} ${count === 1 ? "alert" : "alerts"} to see to`);
}

function onLost() {
  if (state.lost) return;
  state.lost = true;
  fill(document.getElementById("lost"), el("p", {}, icon("low"),
    el("span", {}, "The device can't be reached. What you see is old. It is tried again by itself.")));
  setTimeout(again, AGAIN_MS);
}

async function again() {
  try {
    await whoami();
  } catch { /* found or lost is told by api.js */ }
  if (state.lost) setTimeout(again, AGAIN_MS);
}

function onFound() {
  if (!state.lost) return;
  state.lost = false;
  document.getElementById("lost").replaceChildren();
  say("The device is there again.");
  show({ focus: false });
  countAlerts();
}

async function onLogin() {
  state.shown += 1;
  await leave();
  document.title = "Log in · shelfwatch";
  login(main, async () => { await session(); show(); countAlerts(); });
}

async function onLogout() {
  try {
    await signOut();
  } catch (error) {
    failed(error);
  }
  onLogin();
}

/* Who we are talking to, and whether there is anything to log out of. */
async function session() {
  try {
    state.session = await whoami();
  } catch {
    state.session = null;
  }
  document.getElementById("device").textContent = state.session?.device ?? "";
  tools();
}

function tools() {
  const dark = document.documentElement.dataset.theme === "dark";
  const theme = iconButton(dark ? "sun" : "moon", dark ? "Light colours" : "Dark colours", () => {
    try { localStorage.setItem("theme", dark ? "light" : "dark"); } catch { /* then only until the page is left */ }
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    tools();
    document.querySelector("#tools button").focus();
  });
  const out = state.session?.password && state.session.signed_in && iconButton("logout", "Log out", onLogout);
  fill(document.getElementById("tools"), theme, out);
}

navigation();
connection.addEventListener("lost", onLost);
connection.addEventListener("found", onFound);
connection.addEventListener("login", onLogin);
addEventListener("alerts-changed", countAlerts);
addEventListener("hashchange", () => { if (nameOfView() !== main.firstElementChild?.className.slice(5)) show(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) countAlerts(); });
await session();
if (state.session && !state.session.signed_in) {
  onLogin();
} else {
  show({ focus: false });
  countAlerts();
}
