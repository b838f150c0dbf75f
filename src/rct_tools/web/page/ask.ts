// Ordering in two steps: first what would happen is shown, then it is done. And what came of it.

import { Failed, type Foreseen, Late, type Outcome, post } from "./api";
import { h } from "./elements";
import { describe } from "./proposal";
import { type Texts, text } from "./texts";
import { type Clock, told } from "./told";

const ORDERED = 10; // seconds: an order is taken at once, and done later

/** What the server is asked to consider, beside the inverter. */
export type Wish = Record<string, string | number | boolean>;

export interface Place extends Clock {
  inverter: string;
  /** Something was ordered; `told` is to hear what comes of it, or null when the server knows nothing of it. */
  ordered: (token: string, told: (outcome: Outcome | null) => void) => void;
  refuse: () => void;
}

const RESULTS: Record<Outcome["result"], { said: keyof Texts; look: string }> = {
  accepted: { said: "accepted", look: "waits" },
  done: { said: "done", look: "good" },
  refused: { said: "refused", look: "bad" },
  failed: { said: "notDone", look: "bad" },
  ended: { said: "ended", look: "" },
};

export function resultName(outcome: Outcome): string {
  return text(RESULTS[outcome.result].said);
}

/** A line that says what came of an order; it is read aloud. */
export class Said {
  readonly element = h("p", { class: "said", role: "status", tabindex: -1 });

  constructor(private readonly clock: Clock) {}

  clear(): void {
    this.put("", "");
  }

  wait(): void {
    this.put("waits", text("asking"));
  }

  /** The answer to an order was lost: it may be done all the same. */
  lose(): void {
    this.put("waits", text("orderLost"));
  }

  /** Tell what became of an order; "accepted" is not "done". */
  tell(outcome: Outcome | null): void {
    if (outcome === null) {
      this.put("bad", text("orderUnknown"));
      return;
    }
    const { said, look } = RESULTS[outcome.result];
    this.put(look, text(said), outcome.result === "accepted" ? undefined : told(outcome.text, outcome.said, this.clock));
  }

  /** Tell why something is not done. */
  refuse(error: unknown): void {
    if (error instanceof Failed) this.put("bad", text("refused"), told(error.message, error.said, this.clock));
    else this.put("bad", `${text("refused")}. ${error instanceof Late ? error.message : text("lost")}`);
  }

  private put(look: string, said: string, more: HTMLElement | string = ""): void {
    this.element.className = `said ${look}`;
    this.element.replaceChildren(said, more && " ", more);
  }
}

/** Have something done that the server has considered. */
export async function order(place: Place, said: Said, foreseen: Foreseen): Promise<void> {
  try {
    const outcome = await post<Outcome>("/api/control/order", { considered: foreseen.considered }, ORDERED);
    said.tell(outcome);
  } catch (error) {
    if (error instanceof Failed) {
      refuse(place, said, error);
      return;
    }
    said.lose();
  }
  place.ordered(foreseen.considered, (news) => said.tell(news));
}

export async function consider(place: Place, said: Said, wish: Wish): Promise<Foreseen | undefined> {
  said.wait();
  try {
    const foreseen = await post<Foreseen>("/api/control/consider", { inverter: place.inverter, ...wish });
    said.clear();
    return foreseen;
  } catch (error) {
    refuse(place, said, error);
    return undefined;
  }
}

function refuse(place: Place, said: Said, error: unknown): void {
  if (error instanceof Failed && error.status === 401) place.refuse();
  else said.refuse(error);
}

/** Return a form whose fields make a wish: it is shown what that would do, and can be ordered then. */
export function makeAsk(place: Place, key: string, label: string, fields: Node[], wish: () => Wish): HTMLFormElement {
  const said = new Said(place);
  const button = h("button", { type: "submit", class: "quiet" }, text("showFirst"));
  const panel = h("section", { class: "panel", tabindex: -1, hidden: true, "aria-labelledby": `panel-${key}` });
  let turn = 0; // what was wanted meanwhile counts, not what was answered late

  function drop(): void {
    turn += 1;
    panel.hidden = true;
    panel.replaceChildren();
    button.disabled = false;
  }

  async function ask(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    drop();
    const mine = turn;
    button.disabled = true;
    const foreseen = await consider(place, said, wish());
    if (mine !== turn) return;
    button.disabled = false;
    if (foreseen) propose(foreseen);
  }

  function propose(foreseen: Foreseen): void {
    const doIt = h("button", { type: "button", class: "do" }, text("doIt"));
    const leave = h("button", { type: "button", class: "plain" }, text("cancel"));
    doIt.addEventListener("click", () => {
      doIt.disabled = true; // a second click is none
      drop();
      said.element.focus();
      void order(place, said, foreseen);
    });
    leave.addEventListener("click", () => {
      drop();
      button.focus();
    });
    const isNothing = foreseen.mode === null && foreseen.writes.every((write) => write.frame === null);
    panel.replaceChildren(
      h("h3", { id: `panel-${key}` }, text(isNothing ? "nothingToDo" : "wouldHappen")),
      ...describe(foreseen, place.zone(), place.now()),
      h("div", { class: "steps" }, !isNothing && doIt, leave),
    );
    panel.hidden = false;
    panel.focus(); // not the button: who holds Enter down would have ordered
    panel.scrollIntoView({ block: "nearest" });
  }

  const form = h(
    "form",
    { class: "ask", "aria-label": label, submit: (event: SubmitEvent) => void ask(event) },
    ...fields,
    button,
    panel,
    said.element,
  );
  form.addEventListener("input", () => {
    drop(); // what is shown is what was asked, or nothing
    said.clear();
  });
  return form;
}
