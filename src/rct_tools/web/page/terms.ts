// What the inverter calls its faults, events and states, in the language of the page.

import type { Label } from "./api";
import { h } from "./elements";
import { GERMAN } from "./german";
import { language } from "./texts";

/** Return a text of the tables of objects, or several that are joined by commas, as it is read here. */
export function termText(english: string): string {
  return (language === "de" && german(english)) || english;
}

/** Return it as an element, which says so where it is in English. */
export function term(english: string): HTMLElement {
  const isEnglish = language !== "de" || german(english) === undefined;
  return h("span", isEnglish ? { lang: "en" } : {}, termText(english));
}

/** Return what a number means; the number itself where nobody knows. */
export function labelled({ number, text }: Label): HTMLElement {
  return term(text || String(number));
}

/** Return faults as a list, with their numbers. */
export function faultList(faults: Label[]): HTMLElement {
  return h("ul", {}, ...faults.map((fault) => h("li", {}, term(fault.text), ` (${fault.number})`)));
}

function german(english: string): string | undefined {
  const whole = GERMAN[english];
  if (whole !== undefined) return whole;
  const parts = english.split(", ").map((part) => GERMAN[part]);
  return parts.includes(undefined) ? undefined : parts.join(", ");
}
