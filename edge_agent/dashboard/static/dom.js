/* Building what is seen. Data only ever becomes text or an attribute, never markup. */

import { ICONS } from "./icons.js";

const SVG = "http://www.w3.org/2000/svg";

/* el("button", {class: "button", disabled: true, onclick: fn, "aria-label": "…", dataset: {id: 1}}, "text", node, …):
   null, undefined and false leave an attribute or a child out. */
export function el(tag, props = {}, ...children) {
  return dress(document.createElement(tag), props, children);
}

/* The same for SVG. */
export function svg(tag, props = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), props, children);
}

function dress(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "dataset") Object.assign(node.dataset, value);
    else if (typeof value === "function") node.addEventListener(name.replace(/^on/, ""), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...flat(children));
  return node;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/* Put children in the place of those that are there. */
export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

/* Set a text only where it changes, so that a screen reader and a selection are left alone. */
export function text(node, value) {
  const words = String(value ?? "");
  if (node.textContent !== words) node.textContent = words;
}

/* Set or remove an attribute only where it changes. */
export function attr(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value === true ? "" : value)) node.setAttribute(name, value === true ? "" : value);
}

/* Keep one child for each item, in order, without making those anew that stay: focus and scrolling survive.
   make(item) → node, update(node, item). */
export function keyed(parent, items, keyOf, make, update = () => {}) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let node = old.get(key);
    old.delete(key);
    if (!node) {
      node = make(item);
      node.dataset.key = key;
    }
    update(node, item);
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
}

/* Link a view's own style sheet, once. Resolves when it is there, so that nothing is painted without it. */
export function styles(href) {
  const there = document.head.querySelector(`link[href="${href}"]`);
  if (there) return Promise.resolve();
  const link = el("link", { rel: "stylesheet", href });
  const ready = new Promise((done) => { link.onload = link.onerror = () => done(); });
  document.head.append(link);
  return ready;
}

/* An icon by name (icons.js). It says nothing by itself: words stand beside it, or a label on the button. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: ICONS[name] ?? ICONS.info }));
}

/* What a status looks like everywhere: colour, icon and word. kind: ok low out unknown wrong info. */
export function badge(kind, words) {
  return el("span", { class: "badge", dataset: { kind } }, icon(kind), el("span", {}, words ?? WORDS[kind] ?? kind));
}
const WORDS = { ok: "OK", low: "Low", out: "Out", unknown: "Unknown", wrong: "Misplaced" };

/* A button. kind: "" | "primary" | "danger" | "quiet". */
export function button(words, onclick, { kind = "", icon: name, ...props } = {}) {
  return el("button", { type: "button", class: `button ${kind}`.trim(), onclick, ...props }, name && icon(name), el("span", {}, words));
}

/* A button of which only the icon is seen; the label is for screen readers and as a tip. */
export function iconButton(name, label, onclick, props = {}) {
  return el("button", { type: "button", class: "button quiet icon-only", "aria-label": label, title: label, onclick, ...props }, icon(name));
}

/* The head of a view: its heading (which is given the focus when the view opens), a line below it, and its actions. */
export function heading(title, lead, ...actions) {
  return el("div", { class: "head" },
    el("div", {}, el("h1", { tabindex: "-1" }, title), lead && el("p", { class: "lead" }, lead)),
    actions.length > 0 && el("div", { class: "actions" }, ...actions));
}

let ids = 0;
/* A labelled input: field("Name", el("input", {…}), {hint: "…"}). */
export function field(label, input, { hint, class: more = "" } = {}) {
  input.id ||= `field-${(ids += 1)}`;
  if (hint) input.setAttribute("aria-describedby", `${input.id}-hint`);
  return el("div", { class: `field ${more}`.trim() },
    el("label", { for: input.id }, label), input, hint && el("p", { class: "hint", id: `${input.id}-hint` }, hint));
}

/* A call-out. kind: info ok low out unknown. */
export function note(kind, ...children) {
  return el("div", { class: "note", dataset: { kind } }, icon(kind), el("div", {}, ...children));
}

/* What stands where there is nothing: a sentence that says so, and what to do. */
export function empty(name, title, words, ...actions) {
  return el("div", { class: "empty" }, icon(name), el("h2", {}, title), words && el("p", {}, words), ...actions);
}

/* Buttons of which one is on: segmented([["1h", "Hour"], …], "1h", (value) => …, "Span of time"). */
export function segmented(choices, chosen, onchange, label) {
  const group = el("div", { class: "segmented", role: "group", "aria-label": label });
  for (const [value, words] of choices) {
    const one = el("button", { type: "button", "aria-pressed": String(value === chosen), dataset: { value } }, words);
    one.addEventListener("click", () => {
      for (const other of group.children) other.setAttribute("aria-pressed", String(other === one));
      onchange(value);
    });
    group.append(one);
  }
  return group;
}
