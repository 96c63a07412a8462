/* One alert: what, where, for how long, why; and the button of whoever sees to it. */

import { attr, badge, button, el, field, fill, icon, text } from "../../dom.js";
import { failed } from "../../notes.js";
import { duration, plural, product, since, when } from "../../words.js";

const KINDS = {
  out_of_stock: ["out", "Out of stock"], low_stock: ["low", "Low"], misplaced: ["wrong", "Misplaced"], view_lost: ["unknown", "Can't be read"],
};
const NAME = "acknowledged-by";

export function alertCard(alert, acknowledge) {
  const [kind, words] = KINDS[alert.kind] ?? ["info", alert.kind];
  const title = el("h3", { tabindex: "-1", id: `alert-${alert.id}` }), lasting = el("span", { class: "nowrap tabular strong" });
  const where = el("p", { class: "muted small" }), more = el("div", { class: "stack tight" }), foot = el("div", {});
  const node = el("article", { class: "card alerts-card", dataset: { kind }, "aria-labelledby": title.id },
    el("div", { class: "row spread" }, badge(kind, words), lasting), title, where, foot, more);
  node.update = (now) => {
    text(title, titleOf(now));
    text(where, whereOf(now));
    text(lasting, now.closed_at ? `lasted ${duration(between(now.opened_at, now.closed_at))}` : `for ${duration(since(now.opened_at))}`);
    attr(node, "data-over", Boolean(now.closed_at));
    const key = JSON.stringify(now);
    if (node.dataset.all === key) return;
    node.dataset.all = key;
    fill(more, history(now), evidence(now), members(now), reasons(now));
    if (now.state !== "open" && now.state !== "noted") foot.replaceChildren();
    else if (!foot.querySelector("form")) fill(foot, hands(now, foot, acknowledge));
  };
  return node;
}

/* A shelf's alert says "shelf drinks: …"; where it is stands below. */
function titleOf(alert) {
  const words = alert.members.length === 1 ? alert.message.replace(/^shelf \S+: /, "") : alert.message;
  return words[0].toUpperCase() + words.slice(1);
}

function whereOf(alert) {
  const shelves = [...new Set(alert.members.map((member) => member.shelf))];
  const said = [alert.aisle && `aisle ${alert.aisle}`, shelves.length > 3 ? plural(shelves.length, "shelf", "shelves") : `shelf ${shelves.join(", ")}`, `since ${when(alert.opened_at)}`];
  if (alert.closed_at) said.push(`over ${when(alert.closed_at)}`);
  return said.filter(Boolean).join(" · ");
}

function evidence(alert) {
  const shots = ["before", "after"].filter((name) => alert.evidence?.[name]).map((name) => {
    const { at, label, slot } = alert.evidence[name];
    const saw = label === null ? "unknown" : product(label);
    return el("figure", {},
      el("img", { src: `/api/alerts/${encodeURIComponent(alert.id)}/evidence/${name}`, alt: `Slot ${slot} ${name}: ${saw}`, width: 96, height: 96 }),
      el("figcaption", { class: "small" }, el("span", { class: "muted" }, name === "before" ? "Before " : "Now "), `${saw}, ${when(at)}`));
  });
  return shots.length > 0 && el("div", { class: "alerts-evidence" }, shots);
}

function reasons(alert) {
  const lines = alert.members.flatMap((member) => member.changes ?? []).map((change) =>
    el("li", {}, el("span", { class: "strong" }, change.slot),
      change.from === change.to ? ` still ${said(change.to)}` : ` ${said(change.from)} → ${said(change.to)}`,
      change.looks ? el("span", { class: "muted" }, ` (${change.votes} of ${plural(change.looks, "look")} agree)`) : null));
  if (!lines.length) return null;
  const list = el("ul", { class: "alerts-why small" }, lines);
  return lines.length <= 2 ? list : el("details", {}, el("summary", { class: "small" }, `Why: ${plural(lines.length, "slot")}`), list);
}

function said(label) {
  return label === null ? "unknown" : product(label);
}

function members(alert) {
  if (alert.members.length < 2) return null;
  return el("details", { open: alert.members.length <= 4 }, el("summary", { class: "small" }, `${alert.members.length} together`),
    el("ul", { class: "alerts-members small" }, alert.members.map((member) =>
      el("li", {}, icon(member.closed_at ? "check" : "right"), el("span", {}, member.message, member.closed_at && el("span", { class: "muted" }, " (over)"))))));
}

function history(alert) {
  const lines = [];
  if (alert.acknowledged_at) lines.push(el("p", { class: "alerts-by" }, icon("person"), el("span", {}, el("span", { class: "strong" }, alert.acknowledged_by), ` is on it since ${when(alert.acknowledged_at)}${alert.note ? `: “${alert.note}”` : ""}`)));
  if (alert.closed_at && alert.acknowledged_at) lines[0].querySelector("span").lastChild.textContent = ` saw to it at ${when(alert.acknowledged_at)}${alert.note ? `: “${alert.note}”` : ""}`;
  const told = [alert.reminded && `told ${plural(alert.reminded, "more time")}`, alert.reopened && `came back ${plural(alert.reopened, "time")}`].filter(Boolean);
  if (told.length) lines.push(el("p", { class: "muted small" }, told.join(", ")));
  if (alert.state === "noted") lines.push(el("p", { class: "muted small" }, "Out of opening hours, or so new that it may pass: it is told later if it lasts."));
  return lines;
}

/* One tap for whoever has said their name once; a note is for those who have something to say. */
function hands(alert, foot, acknowledge) {
  const by = remembered();
  const form = () => { fill(foot, sheet(alert, foot, acknowledge)); foot.querySelector("input").focus(); };
  const go = button("I'm on it", async () => {
    if (!by) return form();
    go.disabled = true;
    await acknowledge(alert, by, "").catch((error) => { go.disabled = false; failed(error); });
  }, { kind: "primary", icon: "check", "aria-describedby": `alert-${alert.id}` });
  return el("div", { class: "alerts-hands" }, go, by && button("Note…", form, { "aria-describedby": `alert-${alert.id}` }));
}

function sheet(alert, foot, acknowledge) {
  const by = el("input", { name: "by", required: true, maxlength: 60, autocomplete: "given-name", value: remembered() });
  const words = el("input", { name: "note", maxlength: 200, autocomplete: "off" });
  const go = button("I'm on it", () => {}, { kind: "primary", icon: "check", type: "submit" });
  const form = el("form", { class: "stack tight" },
    field("Your name", by, { hint: "Kept in this browser for next time." }), field("Note (if you like)", words),
    el("div", { class: "alerts-hands" }, go, button("Cancel", () => { fill(foot, hands(alert, foot, acknowledge)); foot.querySelector("button").focus(); })));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    remember(by.value.trim());
    try {
      form.remove();
      await acknowledge(alert, by.value.trim(), words.value.trim());
    } catch (error) {
      go.disabled = false;
      fill(foot, form);
      failed(error);
    }
  });
  return form;
}

function remembered() {
  try { return localStorage.getItem(NAME) ?? ""; } catch { return ""; }
}

function remember(name) {
  try { localStorage.setItem(NAME, name); } catch { /* then it is asked for each time */ }
}

function between(from, to) {
  return (new Date(to) - new Date(from)) / 1000;
}
