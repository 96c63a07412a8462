// The page: draws what the fleet is known to be, four times a second at most, and only what has changed.
import { Broker } from "./broker.js";
import { Fleet, KINDS, worse } from "./fleet.js";
import { KIND_WORDS, clock, duration, facings, gist, product, trouble } from "./words.js";

const AT_FIRST = 60; // shelves that are drawn; more on request
const DRAW_EVERY_MS = 250;
const AGES_EVERY_MS = 5000;
const MARKS = { out: "✕", unknown: "?", low: "▼", wrong: "⇄", ok: "✓" };
const KEPT = "shelfwatch-overview";

const at = (id) => document.getElementById(id);
const chosen = { kind: "", site: "", find: "", most: AT_FIRST };
const open = new Set(); // shelves that are unfolded
let fleet = null;
let broker = null;
let settings = null;
let lostMs = null;
let drawn = 0;
let timer = 0;

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
const text = (node, words) => { if (node.textContent !== words) node.textContent = words; };
const attr = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };

// Children by key: those that stay are kept, with their focus, and only moved where their place is another.
function keyed(parent, items, make, update) {
  const before = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let next = parent.firstElementChild;
  for (const item of items) {
    let node = before.get(item.key);
    if (node) before.delete(item.key);
    else {
      node = make(item);
      node.dataset.key = item.key;
    }
    update(node, item);
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  for (const node of before.values()) node.remove();
}

// The shelves ---------------------------------------------------------------------------------------------------------
function row(shelf) {
  const summary = el("summary", {},
    el("span", { class: "badge" }, el("span", { class: "mark", "aria-hidden": "true" }), el("span", { class: "kind" })),
    el("span", { class: "name" }, el("strong"), el("span", { class: "soft" })),
    el("span", { class: "gist" }),
    el("span", { class: "age soft small" }));
  const details = el("details", {}, summary);
  details.addEventListener("toggle", () => {
    if (details.open) open.add(shelf.key);
    else open.delete(shelf.key);
    soon();
  });
  details.open = open.has(shelf.key);
  return el("li", {}, details);
}

function dress(node, shelf, nowMs) {
  const details = node.firstElementChild;
  const [badge, name, words, age] = details.firstElementChild.children;
  attr(node, "data-kind", shelf.kind);
  text(badge.firstElementChild, MARKS[shelf.kind]);
  text(badge.lastElementChild, KIND_WORDS[shelf.kind]);
  text(name.firstElementChild, shelf.id);
  text(name.lastElementChild, ` ${shelf.device.site} / ${shelf.device.name}`);
  text(words, gist(shelf, nowMs));
  text(age, shelf.gone ? "" : `as of ${ago(shelf.atMs, nowMs)}`);
  if (!details.open) return details.children[1]?.remove();
  if (!details.children[1]) details.append(el("div", { class: "inside" }));
  inside(details.children[1], shelf, nowMs);
}

const ago = (ms, nowMs) => (nowMs - ms < 10000 ? "now" : `${duration(nowMs - ms)} ago`);

function inside(node, shelf, nowMs) {
  const items = shelf.items.map((item) => [product(item.sku), facings(item), shelf.gone ? "" : KIND_WORDS[item.status] ?? "Unknown", item.sku]);
  const seen = JSON.stringify([items, shelf.gone, shelf.state.camera, shelf.state.model?.id, clock(shelf.atMs, nowMs)]);
  if (node.dataset.seen === seen) return;
  node.dataset.seen = seen;
  const head = shelf.gone ? ["Product", `Before ${clock(shelf.atMs, nowMs)}`] : ["Product", "Facings", "Status"];
  const body = items.map(([name, count, status]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, count), ...(shelf.gone ? [] : [el("td", {}, status)])));
  const facts = [`camera ${shelf.state.camera ?? "?"}`, `model ${shelf.state.model?.id ?? "?"}`, `last heard ${clock(shelf.atMs, nowMs)}`];
  node.replaceChildren(
    ...(shelf.gone ? [el("p", { class: "soft" }, "What stands there now is unknown. This is what was there before.")] : []),
    el("table", {}, el("thead", {}, el("tr", {}, ...head.map((word) => el("th", { scope: "col" }, word)))), el("tbody", {}, ...body)),
    el("p", { class: "soft small" }, facts.join(" · ")));
}

// All of it -----------------------------------------------------------------------------------------------------------
function draw() {
  timer = 0;
  drawn = performance.now();
  const nowMs = Date.now();
  const all = [...fleet.shelves(nowMs)];
  const sites = [...new Set([...fleet.devices.values()].map((device) => device.site))].sort();
  keyed(at("site"), [{ key: "", name: "all sites" }, ...sites.map((name) => ({ key: name, name }))],
    (item) => el("option", { value: item.key }), (node, item) => text(node, item.name));
  const find = chosen.find.trim().toLowerCase();
  const wanted = (device, words) => (!chosen.site || device.site === chosen.site) && (!find || words().toLowerCase().includes(find));
  const matching = all.filter((shelf) => wanted(shelf.device, () => `${shelf.key} ${shelf.items.map((item) => `${item.sku} ${product(item.sku)}`).join(" ")}`));
  chips(matching);
  const shown = matching.filter((shelf) => !chosen.kind || shelf.kind === chosen.kind).sort(worse);
  keyed(at("shelves"), shown.slice(0, chosen.most), row, (node, shelf) => dress(node, shelf, nowMs));
  const left = shown.length - chosen.most;
  at("more").hidden = left <= 0;
  text(at("more"), `Show ${Math.min(left, 200)} more of ${left}`);
  text(at("none"), shown.length ? "" : fleet.devices.size === 0 ? "No device has said anything yet." : all.length ? "No shelf fits what you look for." : "The devices have not counted anything yet.");
  troubles(wanted);
  alerts(wanted, nowMs);
  banner(nowMs);
}

function chips(shelves) {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  for (const shelf of shelves) counts[shelf.kind] += 1;
  keyed(at("kinds"), KINDS.map((kind) => ({ key: kind })),
    ({ key }) => el("button", { type: "button", class: "chip", "data-kind": key, onclick: () => { chosen.kind = chosen.kind === key ? "" : key; chosen.most = AT_FIRST; draw(); } },
      el("span", { class: "mark", "aria-hidden": "true" }, MARKS[key]), el("strong"), el("span", {}, KIND_WORDS[key])),
    (node, { key }) => { attr(node, "aria-pressed", String(chosen.kind === key)); text(node.children[1], String(counts[key])); });
  const words = `${counts.out} out, ${counts.unknown} unknown, ${counts.low} low`;
  if (at("said").dataset.words !== words) { at("said").dataset.words = words; text(at("said"), `Shelves: ${words}`); }
}

function lines(section, list, items, words) {
  at(section).hidden = items.length === 0;
  const shown = items.slice(0, 20);
  if (items.length > 20) shown.push({ key: "more", rest: items.length - 20 });
  keyed(at(list), shown, () => el("li", {}), (node, item) => {
    attr(node, "data-kind", item.rest ? "" : item.kind);
    text(node, item.rest ? `and ${item.rest} more` : words(item));
  });
}

function troubles(wanted) {
  const found = [...fleet.troubles()].filter(({ device }) => wanted(device, () => device.key)).map((one) => ({ ...one, kind: one.camera ? "low" : "unknown" }));
  lines("troubles", "trouble-list", found, (one) => `${one.device.site} / ${one.device.name}: ${trouble(one, one.device.shelves.size)}`);
}

function alerts(wanted, nowMs) {
  const found = fleet.alerts().filter(({ device, alert }) => wanted(device, () => `${device.key} ${alert.message}`)).map((one) => ({ ...one, kind: one.alert.kind === "out_of_stock" ? "out" : "low" }));
  lines("alerts", "alert-list", found, ({ device, alert }) => {
    const by = alert.acknowledged_by ? `; ${alert.acknowledged_by} is on it` : "";
    return `${device.site} / ${device.name}: ${alert.message}, for ${duration(nowMs - Date.parse(alert.opened_at))}${by}`;
  });
}

function banner(nowMs) {
  const words = lostMs === null ? "" : `No connection to the broker since ${clock(lostMs, nowMs)}. It is tried again; what you see is as of then.`;
  text(at("lost"), words);
  attr(at("lost"), "class", words ? "lost" : "");
}

function soon() {
  if (!timer && fleet) timer = setTimeout(draw, Math.max(0, DRAW_EVERY_MS - (performance.now() - drawn)));
}

// Connecting ----------------------------------------------------------------------------------------------------------
function connect(access) {
  broker?.leave();
  fleet = new Fleet(settings.prefix, settings.not_known_after_s);
  lostMs = null;
  at("login").hidden = true;
  at("board").hidden = false;
  at("other").hidden = false;
  text(at("broker"), access.broker);
  const mine = new Broker({ ...access, prefix: settings.prefix }, {
    message: (topic, words, retained) => {
      const found = fleet.take(topic, words, retained, Date.now());
      if (found) mine.ask(found);
      soon();
    },
    up: () => { lostMs = null; for (const key of fleet.devices.keys()) mine.ask(key); soon(); },
    down: () => { if (broker === mine) { lostMs ??= Date.now(); soon(); } },
    refused: (words) => { if (broker === mine) login(access, words); },
  });
  broker = mine;
  soon();
}

function login(access, refusal = "") {
  broker?.leave();
  broker = fleet = null;
  sessionStorage.removeItem(KEPT);
  const form = at("login");
  for (const name of ["broker", "username"]) form.elements[name].value = access[name] ?? "";
  form.elements.password.value = "";
  form.hidden = false;
  at("board").hidden = at("other").hidden = true;
  text(at("broker"), "");
  text(at("lost"), "");
  at("lost").className = "";
  at("refused").hidden = !refusal;
  text(at("refused"), refusal);
  (access.broker ? form.elements.password : form.elements.broker).focus();
}

function themed(theme) {
  document.documentElement.dataset.theme = theme;
  attr(at("theme"), "aria-label", theme === "dark" ? "Light colours" : "Dark colours");
  text(at("theme"), theme === "dark" ? "Light" : "Dark");
}

async function start() {
  themed(localStorage.getItem("shelfwatch-theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  at("theme").addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    localStorage.setItem("shelfwatch-theme", theme);
    themed(theme);
  });
  settings = { broker: "", username: "", prefix: "shelfwatch", not_known_after_s: 300, ...(await (await fetch("config.json")).json()) };
  at("login").addEventListener("submit", (event) => {
    event.preventDefault();
    const access = Object.fromEntries(new FormData(at("login")));
    if (!/^wss?:\/\//.test(access.broker)) return login(access, "The address begins with ws:// or wss://.");
    sessionStorage.setItem(KEPT, JSON.stringify(access));
    connect(access);
  });
  at("other").addEventListener("click", () => login(settings));
  at("find").addEventListener("input", (event) => { chosen.find = event.target.value; chosen.most = AT_FIRST; soon(); });
  at("site").addEventListener("change", (event) => { chosen.site = event.target.value; chosen.most = AT_FIRST; draw(); });
  at("more").addEventListener("click", () => { chosen.most += 200; draw(); });
  setInterval(soon, AGES_EVERY_MS);
  const kept = sessionStorage.getItem(KEPT);
  if (kept) connect(JSON.parse(kept));
  else if (settings.broker && !settings.username) connect(settings);
  else login(settings);
}

start();
