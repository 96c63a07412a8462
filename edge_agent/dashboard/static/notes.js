/* Telling the person something: toasts, words for screen readers, questions. */

import { button, el, icon, iconButton } from "./dom.js";

const TOAST_MS = 6000;
const KINDS = { ok: "Done", out: "Error", low: "Mind", info: "Note" };

/* A short message at the edge; an error stays until it is closed. kind: ok info low out. */
export function toast(words, kind = "ok") {
  const box = document.getElementById("toasts");
  const one = el("div", { class: "toast", dataset: { kind } },
    icon(kind), el("span", { class: "vh" }, `${KINDS[kind] ?? ""}: `), el("p", {}, words),
    iconButton("close", "Close this message", () => one.remove()));
  while (box.children.length > 2) box.firstElementChild.remove();
  box.append(one);
  if (kind !== "out") {
    let timer = setTimeout(() => one.remove(), TOAST_MS);
    one.addEventListener("pointerenter", () => clearTimeout(timer));
    one.addEventListener("pointerleave", () => { timer = setTimeout(() => one.remove(), TOAST_MS); });
  }
}

/* Say an error of api.js. */
export function failed(error) {
  if (error.status === 401 || error.lost) return; // the frame shows those itself
  const problems = error.value?.problems ?? [];
  toast([error.message, ...problems].join(" "), "out");
}

/* Words for a screen reader only. */
export function say(words) {
  document.getElementById("said").textContent = words;
}

/* Ask before something that can't be undone. Resolves to true or false. */
export function ask(title, words, { yes = "Yes", no = "Cancel", kind = "danger" } = {}) {
  return new Promise((done) => {
    const box = el("dialog", { class: "dialog", "aria-labelledby": "ask-title" },
      el("h2", { id: "ask-title" }, title), words && el("p", {}, words),
      el("div", { class: "actions" }, button(no, () => box.close("no")), button(yes, () => box.close("yes"), { kind })));
    box.addEventListener("close", () => { box.remove(); done(box.returnValue === "yes"); });
    document.body.append(box);
    box.showModal();
  });
}
