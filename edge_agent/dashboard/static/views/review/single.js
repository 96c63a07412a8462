/* One crop, large, with what the model takes it for as large buttons. */

import { button, el, field } from "../../dom.js";
import { percent, product, when } from "../../words.js";

const WHY = {
  unsure: "The model isn't sure what this is.",
  tie: "The model finds two products as likely.",
  unknown: "The count of this slot is unknown, because the model isn't sure.",
};

export function single(crop, view) {
  const names = [crop.name];
  const other = el("input", { list: "review-labels", autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "done", "aria-keyshortcuts": "/" });
  const guesses = crop.guesses.map((guess, place) => key(product(guess.label), String(place + 1), percent(guess.score),
    () => view.label(names, guess.label), crop.label === guess.label));
  const listed = crop.guesses.map((guess) => guess.label);
  return el("div", { class: "review-one" },
    el("figure", { class: "review-picture" },
      el("img", { src: `/api/review/crops/${encodeURIComponent(crop.name)}`, alt: `Slot ${crop.slot ?? "?"} of shelf ${crop.shelf ?? "?"}` }),
      el("figcaption", {}, el("p", { class: "strong" }, crop.label ? `Labelled as ${product(crop.label)}.` : WHY[crop.why] ?? "Nobody knows why this was kept."),
        el("p", { class: "muted small" }, [crop.shelf && `Shelf ${crop.shelf}, slot ${crop.slot}`, crop.planned && `planned: ${crop.planned}`,
          crop.taken_at && when(crop.taken_at)].filter(Boolean).join(" · ")))),
    el("div", { class: "review-choice" },
      el("h2", {}, "What does it show?"),
      el("div", { class: "review-guesses", role: "group", "aria-label": "What the model takes it for" }, guesses),
      el("div", { class: "review-special" },
        !listed.includes("empty") && key("Empty", "e", "", () => view.label(names, "empty")),
        !listed.includes("occluded") && key("Something in the way", "o", "", () => view.label(names, "occluded"))),
      el("form", { class: "review-other", onsubmit: (event) => { event.preventDefault(); view.label(names, other.value); } },
        field("Another product", other, { hint: "One of the model's, or a new name." }), el("button", { class: "button", type: "submit" }, "Label")),
      el("div", { class: "row review-away" },
        button("Not of use", () => view.discard(names), { kind: "quiet", icon: "trash", "aria-keyshortcuts": "Delete" }),
        button("Skip", () => view.skip(), { icon: "right", "aria-keyshortcuts": "ArrowRight" })),
      el("p", { class: "muted small review-keys" }, "Keys: 1–3 the guesses, e empty, o in the way, / another product, → skip, u undo, Delete not of use.")));
}

function key(words, letter, more, onclick, pressed = false) {
  return el("button", { type: "button", class: "button review-key", onclick, "aria-keyshortcuts": letter.toUpperCase(), dataset: { label: words }, "aria-pressed": pressed ? "true" : null },
    el("kbd", { "aria-hidden": "true" }, letter), el("span", { class: "review-word" }, words), more && el("span", { class: "muted num" }, more));
}
