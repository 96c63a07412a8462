/* Many crops at once: choose those that show the same, and say what. */

import { button, el, field, text } from "../../dom.js";
import { product } from "../../words.js";

export function grid(crops, view) {
  const chosen = new Set();
  const label = el("input", { list: "review-labels", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const send = el("button", { class: "button primary", type: "submit" }, "Label");
  const away = button("Not of use", () => view.discard([...chosen]), { icon: "trash", kind: "quiet" });
  const said = el("p", { class: "small num", "aria-live": "polite" });
  const update = () => {
    text(said, chosen.size ? `${chosen.size} chosen` : "Choose crops that show the same");
    send.disabled = away.disabled = chosen.size === 0;
    const guesses = new Set(crops.filter((crop) => chosen.has(crop.name)).map((crop) => crop.guesses[0]?.label));
    if (!label.matches(":focus") && guesses.size === 1) label.value = [...guesses][0] ?? "";
  };
  const tiles = crops.map((crop) => tile(crop, (on) => { if (on) chosen.add(crop.name); else chosen.delete(crop.name); update(); }));
  const all = button("Choose all", () => {
    const on = chosen.size < crops.length;
    for (const [place, one] of tiles.entries()) {
      one.querySelector("input").checked = on;
      if (on) chosen.add(crops[place].name); else chosen.delete(crops[place].name);
    }
    update();
  }, { kind: "quiet", icon: "check" });
  update();
  return el("div", { class: "review-many" }, el("ul", { class: "review-tiles" }, tiles),
    el("form", { class: "card review-bar", "aria-label": "Label what is chosen", onsubmit: (event) => { event.preventDefault(); view.label([...chosen], label.value); } },
      said, field("They show", label), el("div", { class: "row" }, send, away, all)));
}

function tile(crop, onchange) {
  const guess = crop.label ?? crop.guesses[0]?.label;
  return el("li", {}, el("label", { class: "review-tile" },
    el("input", { type: "checkbox", onchange: (event) => onchange(event.target.checked) }),
    el("img", { src: `/api/review/crops/${encodeURIComponent(crop.name)}`, alt: "", loading: "lazy" }),
    el("span", { class: "small" }, guess ? `${product(guess)}${crop.label ? "" : "?"}` : "?", el("span", { class: "vh" }, `, shelf ${crop.shelf}, slot ${crop.slot}`))));
}
