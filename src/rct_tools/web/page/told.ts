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

const named = (names: Record<string, keyof Texts>) => (name: string) => (names[name] ? text(names[name]) : name);
const taken = named({ soc: "charge", power: "power" });
const result = named({ accepted: "accepted", done: "done", refused: "refused", failed: "notDone", ended: "ended" });

/** The places in sentences where names of ours stand. What stands elsewhere is left alone: an inverter may be called power. */
const NAMES: Record<string, (name: string) => string> = {
  mode: modeName,
  modes: modeName,
  object: objectName,
  objects: objectName,
  changed: objectName,
  limit: objectName,
  what: taken,
  result,
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
  return parts.flatMap((part, index) => (index % 2 ? show(values[part] ?? "", clock, NAMES[part]) : part));
}

function show(part: Part, clock: Clock, name = (it: string) => it): (Node | string)[] {
  if (Array.isArray(part)) return part.flatMap((each, index) => [index ? ", " : "", ...show(each, clock, name)]);
  if (typeof part === "number") return [plain(part, "")];
  if (typeof part === "string") return [name(part)];
  if ("time" in part) return [when(part.time, clock.zone(), clock.now())];
  if ("text" in part) return [english(part.text)];
  if ("code" in part) return fill(SENTENCES[part.code] ?? part.code, part.values, clock);
  return [held(part, part.value)];
}
