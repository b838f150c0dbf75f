// The door, where there is a password.

import { Failed, type Session, post } from "./api";
import { h, say } from "./elements";
import { text } from "./texts";
import { failure } from "./told";

/** Return a form; `entered` is called when the password was right. */
export function makeLogin(entered: () => void): HTMLElement {
  const trouble = h("p", { role: "alert", class: "trouble" });
  const password = h("input", { type: "password", id: "password", autocomplete: "current-password", required: true });
  const button = h("button", { type: "submit" }, text("login"));

  async function enter(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    button.disabled = true;
    try {
      await post<Session>("/api/login", { password: password.value });
      entered();
    } catch (error) {
      const { status, wait } = error instanceof Failed ? error : new Failed(0, "");
      const said = { 403: text("wrongPassword"), 429: text("waitPassword", { seconds: wait }) }[status];
      say(trouble, ...(said ? [said] : failure(error)));
      password.select();
    } finally {
      button.disabled = false;
    }
  }

  return h(
    "form",
    { class: "card login", submit: (event: SubmitEvent) => void enter(event) },
    h("h2", {}, text("login")),
    h("label", { for: "password" }, text("password")),
    password,
    button,
    trouble,
  );
}
