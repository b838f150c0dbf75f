// Steering the battery: the mode that is on, what may be ordered, and what came of it.

import { type ControlState, Failed, type Outcome, type Settable, get } from "./api";
import { type Place, Said, type Wish, consider, makeAsk, order, resultName } from "./ask";
import { h } from "./elements";
import { NOTHING, number } from "./format";
import { isHere } from "./live";
import { MODES, NORMAL, backList, held, modeName, noteOf, objectName, span, when } from "./proposal";
import { termText } from "./terms";
import { type Texts, text } from "./texts";
import { told } from "./told";
import type { Context, View } from "./view";

const EVERY = 10_000; // ms
const SOON = 1000; // ms, while something waits to be done
const TOLD = ["control.mode", "control.until", "control.last"]; // whose changes are told as they happen
const LENGTHS = [900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 28_800, 43_200]; // seconds

export function makeControl(context: Context): View {
  const away = h("p", { class: "away-note", hidden: true }, text("awayControl"));
  const now = h("div", {}, h("p", { class: "wait" }, text("loading")));
  const end = h("button", { type: "button", class: "do end", hidden: true, click: () => void endMode() }, text("endNow"));
  const modes = h("div", { class: "modes" });
  const objects = h("div", {});
  const orders = h("ul", { class: "orders" });
  const body = h("div", { class: "control", "aria-busy": true });
  const steering = h("fieldset", {});
  const values = new Map<string, HTMLElement>(); // of the objects that may be set
  const waiting = new Map<string, { told: (outcome: Outcome | null) => void; since: number }>();
  const heard = new Map<string, Outcome["result"]>();
  let offered = ""; // what the forms were made for
  let news = "";
  let looked = -Infinity;
  let isLooking = false;

  const place: Place = {
    inverter: context.name,
    zone: () => context.inverter().zone,
    now: context.now,
    refuse: context.refuse,
    ordered: (token, told) => {
      waiting.set(token, { told, since: performance.now() });
      void look();
    },
  };

  const endSaid = new Said(place);

  const ask = context.trying(async () => {
    try {
      draw(await get<ControlState>("/api/control", { inverter: context.name }));
    } catch (error) {
      if (!(error instanceof Failed && error.status === 403)) throw error;
      body.replaceChildren(h("p", { class: "card wait" }, told(error.message, error.said, place)));
      body.removeAttribute("aria-busy");
    }
  });

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    looked = performance.now();
    await ask();
    isLooking = false;
  }

  function draw(state: ControlState): void {
    drawMode(state);
    offer(state);
    for (const range of state.objects) {
      const cell = values.get(range.object);
      if (cell) cell.replaceChildren(range.now ? held(range, range.now.value) : NOTHING);
    }
    for (const outcome of state.orders) {
      const order = waiting.get(outcome.considered);
      if (!order || heard.get(outcome.considered) === outcome.result) continue;
      heard.set(outcome.considered, outcome.result);
      order.told(outcome);
      if (outcome.result !== "accepted" && outcome.result !== "done") waiting.delete(outcome.considered);
    }
    for (const [token, order] of waiting) {
      if (order.since > looked || state.orders.some((outcome) => outcome.considered === token)) continue;
      waiting.delete(token); // it never came, or the collector is another
      if (heard.get(token) !== "done") order.told(null);
    }
    drawOrders(state);
    body.removeAttribute("aria-busy");
  }

  function drawMode(state: ControlState): void {
    const isOn = state.mode !== null && state.mode !== NORMAL;
    end.hidden = !isOn;
    if (state.mode === null) {
      now.replaceChildren(h("p", {}, text("modeUnknown")));
    } else if (!isOn) {
      now.replaceChildren(h("p", {}, text("noMode")));
    } else {
      const name = modeName(state.mode);
      const until = state.until === null ? text("modeOn", { mode: name }) : text("modeOnUntil", { mode: name, time: when(state.until, place.zone(), place.now()) });
      now.replaceChildren(h("p", { class: "mode-on" }, until), h("p", {}, text("thenBack")), backList(state.back));
    }
  }

  /** Ending needs no second step: what it puts back stands beside the button. */
  async function endMode(): Promise<void> {
    end.disabled = true;
    const foreseen = await consider(place, endSaid, { mode: NORMAL });
    if (foreseen) await order(place, endSaid, foreseen);
    end.disabled = false;
  }

  function offer(state: ControlState): void {
    const what = JSON.stringify([state.modes, state.longest, state.objects.map((range) => ({ ...range, now: null }))]);
    if (what === offered) return;
    offered = what;
    values.clear();
    modes.replaceChildren(...state.modes.map((mode) => drawOffer(mode, state.longest)));
    objects.replaceChildren(...state.objects.map(drawObject));
    modes.hidden = state.modes.length === 0;
    objects.parentElement?.toggleAttribute("hidden", state.objects.length === 0);
  }

  function drawOffer(mode: ControlState["modes"][number], longest: number): HTMLElement {
    const about = MODES[mode.name];
    const fields = Object.entries(mode.takes).map(([name, range]) => {
      const isPower = name === "power"; // of which 0 W is none
      const label: keyof Texts = isPower ? "power" : (about?.soc ?? "charge");
      const limits = isPower && range.low !== null ? { ...range, low: 1 } : range;
      return { name, ...makeNumber(`${mode.name}-${name}`, text(label), limits, mode.needs.includes(name)) };
    });
    const lengths = [...LENGTHS.filter((each) => each < longest), longest];
    const first = lengths.includes(3600) ? 3600 : longest;
    const length = h(
      "select",
      { id: `${mode.name}-for` },
      ...lengths.map((each) => h("option", { value: `${each}s`, selected: each === first }, span(each))),
    );
    const wish = (): Wish => {
      const given = fields.map(({ name, value }) => [name, value()] as const).filter(([, value]) => value !== null);
      return { mode: mode.name, for: length.value, ...(Object.fromEntries(given) as Wish) };
    };
    const inputs = [...fields.map((field) => field.element), labelled(length, text("howLong"))];
    return h(
      "section",
      { class: "card" },
      h("h2", {}, modeName(mode.name)),
      h("p", {}, about ? text(about.meaning) : ""),
      makeAsk(place, mode.name, modeName(mode.name), [h("div", { class: "fields" }, ...inputs)], wish),
    );
  }

  function drawObject(range: Settable): HTMLElement {
    const name = objectName(range.object);
    const value = h("span", { class: "held" }, NOTHING);
    values.set(range.object, value);
    const input = range.type === "FLOAT" ? makeNumber(range.object, text("newValue"), range, true) : makeChoice(range);
    const note = noteOf(range.object);
    return h(
      "details",
      { class: "object" },
      h("summary", {}, h("span", {}, name, h("small", {}, h("code", {}, range.object))), value),
      note && h("p", { class: "remark" }, note),
      makeAsk(place, range.object, name, [h("div", { class: "fields" }, input.element)], () => ({
        object: range.object,
        value: input.value() ?? "",
      })),
    );
  }

  function drawOrders(state: ControlState): void {
    const at = (time: number) => when(time, place.zone(), place.now());
    const [newest] = state.orders;
    const isOurs = newest !== undefined && state.last === `${newest.order}: ${newest.result}: ${newest.text}`;
    const lines = state.orders.map((each) => {
      const [wanted, who, said] = [told(each.order, each.wanted, place), told(each.who, each.by, place), told(each.text, each.said, place)];
      return h("li", { class: each.result }, `${at(each.time)} · ${resultName(each)} · `, wanted, ", ", who, ": ", said);
    });
    if (state.last && !isOurs) lines.unshift(h("li", {}, `${text("byOthers")} · `, told(state.last, state.last_said, place)));
    if (orders.textContent !== lines.map((line) => line.textContent).join("")) orders.replaceChildren(...lines);
    orders.parentElement?.toggleAttribute("hidden", lines.length === 0);
  }

  function update(): void {
    const inverter = context.inverter();
    const here = isHere(inverter, context.link());
    steering.disabled = !here;
    away.hidden = here;
    const told = TOLD.map((name) => String(inverter.objects[name]?.value)).join("\n");
    const pause = [...waiting.keys()].some((token) => (heard.get(token) ?? "accepted") === "accepted") ? SOON : EVERY;
    if (told === news && performance.now() - looked < pause) return;
    news = told;
    void look();
  }

  steering.append(
    h("section", { class: "card mode" }, h("h2", {}, text("mode")), now, end, endSaid.element),
    modes,
    h("section", { class: "card" }, h("h2", {}, text("settings")), h("p", {}, text("settingsHelp")), objects),
    h("section", { class: "card", hidden: true }, h("h2", {}, text("lastOrders")), orders),
  );
  body.append(h("p", { class: "card warning" }, h("strong", {}, text("careful")), ` ${text("warning")}`), away, steering);
  update();
  return { element: body, update };
}

interface Field {
  element: HTMLElement;
  value: () => number | boolean | null;
}

function labelled(input: HTMLInputElement | HTMLSelectElement, label: string, hint = ""): HTMLElement {
  const more = hint && h("small", { id: `${input.id}-hint` }, hint);
  if (more) input.setAttribute("aria-describedby", `${input.id}-hint`);
  return h("div", { class: "field" }, h("label", { for: input.id }, label), input, more);
}

/** Return an input for a number in the unit of an object; ratios are written as percent. */
function makeNumber(id: string, label: string, range: Settable, isNeeded: boolean): Field {
  const factor = range.unit === "ratio" ? 100 : 1;
  const unit = range.unit === "ratio" ? "%" : range.unit;
  const step = range.unit === "ratio" ? 100 / 10 ** range.decimals : 1;
  const limits = range.low === null || range.high === null ? null : [range.low * factor, range.high * factor];
  const input = h("input", {
    type: "number",
    id,
    inputmode: (limits?.[0] ?? -1) < 0 ? undefined : "decimal",
    min: limits?.[0],
    max: limits?.[1],
    step,
    required: isNeeded,
    autocomplete: "off",
  });
  const hint = limits ? text("fromTo", { low: number(limits[0]!, 0), high: number(limits[1]!, 0), unit }) : "";
  return {
    element: labelled(input, `${label} (${unit})`, [isNeeded ? "" : text("optional"), hint].filter(Boolean).join(", ")),
    value: () => (input.value === "" ? null : Number((input.valueAsNumber / factor).toFixed(range.decimals))),
  };
}

/** Return an input for one of several values. */
function makeChoice(range: Settable): Field {
  const isTruth = range.type === "BOOL";
  const options = isTruth
    ? [h("option", { value: "true" }, text("yes")), h("option", { value: "false" }, text("no"))]
    : Object.entries(range.labels).map(([value, label]) => h("option", { value }, termText(label)));
  const input = h("select", { id: range.object }, ...options);
  return {
    element: labelled(input, text("newValue")),
    value: () => (isTruth ? input.value === "true" : Number(input.value)),
  };
}
