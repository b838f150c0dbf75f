// What the server says, in the language of the page.

import { Failed, Late, type Made, type Part } from "./api";
import { h } from "./elements";
import { plain } from "./format";
import { held, modeName, objectName, when } from "./proposal";
import { SENTENCES } from "./sentences";
import { type Texts, language, text } from "./texts";

/** What the clock on the wall shows. */
export interface Clock {
  zone: () => string;
  now: () => number; // UTC, milliseconds
}

const BROWSER: Clock = { zone: () => Intl.DateTimeFormat().resolvedOptions().timeZone, now: Date.now };

/** What sentences name, beside what may be steered. */
const NAMES: Record<string, keyof Texts> = {
  "battery.soc": "charge",
  "battery.bat_status": "batteryState",
  "battery.status2": "batteryState",
  "p_rec_lim[0]": "powerLimit",
  "control.soc": "nextCharge",
  "control.power": "nextPower",
  "control.duration": "nextDuration",
  soc: "charge",
  power: "power",
  normal: "normal",
  accepted: "accepted",
  done: "done",
  refused: "refused",
  failed: "notDone",
  ended: "ended",
};

/** Return what the server says; where there is no German for it, in English, and marked so. */
export function told(said: string, made: Made | null | undefined, clock = BROWSER): HTMLElement {
  const german = language === "de" && made && SENTENCES[made.code];
  return german ? h("span", {}, ...fill(german, made.values, clock)) : english(said);
}

/** Return that something failed, and why. */
export function failure(error: unknown): (Node | string)[] {
  if (error instanceof Failed) return [text("failed"), " ", told(error.message, error.said)];
  return [text("failed"), " ", error instanceof Late ? error.message : english((error as Error).message)];
}

function english(said: string): HTMLElement {
  return h("span", { lang: "en" }, said);
}

function fill(template: string, values: Made["values"], clock: Clock): (Node | string)[] {
  const parts = template.split(/\{(\w+)\}/); // every second one is a place
  return parts.flatMap((part, index) => (index % 2 ? show(values[part] ?? "", clock) : part));
}

function show(part: Part, clock: Clock): (Node | string)[] {
  if (Array.isArray(part)) return part.flatMap((each, index) => [index ? ", " : "", ...show(each, clock)]);
  if (typeof part === "number") return [plain(part, "")];
  if (typeof part === "string") return [NAMES[part] ? text(NAMES[part]) : objectName(modeName(part))];
  if ("time" in part) return [when(part.time, clock.zone(), clock.now())];
  if ("text" in part) return [english(part.text)];
  if ("code" in part) return fill(SENTENCES[part.code] ?? part.code, part.values, clock);
  return [held(part, part.value)];
}
