/* The form for the password, shown in the place of a view. */

import { signIn } from "./api.js";
import { button, el, field, fill } from "./dom.js";

export function login(main, onDone) {
  const password = el("input", { type: "password", autocomplete: "current-password", required: true, name: "password" });
  const problem = el("p", { class: "problem", role: "alert" });
  const go = button("Log in", () => {}, { kind: "primary", type: "submit" });
  const form = el("form", { class: "card" },
    el("h1", { tabindex: "-1" }, "Log in"),
    el("p", { class: "muted" }, "This device's page is protected by a password."),
    field("Password", password), problem, go);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    problem.textContent = "";
    try {
      await signIn(password.value);
      await onDone();
    } catch (error) {
      problem.textContent = error.message;
      go.disabled = false;
      password.select();
    }
  });
  fill(main, el("div", { class: "login" }, form));
  password.focus();
}
