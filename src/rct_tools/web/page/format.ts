// Numbers, times and ages as people read them.

import { locale, text } from "./texts";

export const NOTHING = "–";

const numbers = new Map<number, Intl.NumberFormat>();

/** Return a number with so many decimals; a minus is a real one, and there is no minus before nothing. */
export function number(value: number, decimals: number): string {
  let format = numbers.get(decimals);
  if (!format) {
    format = new Intl.NumberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    numbers.set(decimals, format);
  }
  const shown = format.format(value);
  return (Number(value.toFixed(decimals)) === 0 ? format.format(0) : shown).replace("-", "−");
}

/** Return a measured value with its unit; a dash where there is none. */
export function amount(value: number | null | undefined, unit: string, decimals: number): string {
  return value === null || value === undefined ? NOTHING : `${number(value, decimals)} ${unit}`;
}

/** Return a power given in W, without its sign. */
export function power(watts: number | null): string {
  if (watts === null) return NOTHING;
  const size = Math.abs(watts);
  return size < 999.5 ? amount(size, "W", 0) : amount(size / 1000, "kW", size < 99_995 ? 2 : 1);
}

/** Return an energy given in Wh, without its sign. */
export function energy(wattHours: number | null | undefined): string {
  if (wattHours === null || wattHours === undefined) return NOTHING;
  const kilo = Math.abs(wattHours) / 1000;
  return kilo < 9999.5 ? amount(kilo, "kWh", kilo < 99.95 ? 1 : 0) : amount(kilo / 1000, "MWh", 1);
}

/** Return a sum of money, to the cent. */
export function money(sum: number | null | undefined, currency: string): string {
  if (sum === null || sum === undefined) return NOTHING;
  return new Intl.NumberFormat(locale, { style: "currency", currency }).format(sum).replace("-", "−");
}

/** Return a share from 0 to 1 as percent. */
export function percent(share: number | null | undefined, decimals = 0): string {
  return share === null || share === undefined ? NOTHING : amount(share * 100, "%", decimals);
}

const UNITS: [number, string][] = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
];

/** Return how long something lasted or lasts, given in seconds, in its largest unit. */
export function duration(seconds: number): string {
  for (const [size, unit] of UNITS) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.floor(seconds)} s`;
}

/** Return how long ago something was, given in milliseconds. */
export function age(milliseconds: number): string {
  return milliseconds < 2000 ? text("justNow") : text("ago", { time: duration(milliseconds / 1000) });
}

/** Return a moment, given in milliseconds, as clocks in a zone show it. */
export function moment(milliseconds: number, zone: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }).format(milliseconds);
}

/** Return the dates from one moment to another, given in milliseconds UTC, as in 15–21 June 2026. */
export function stretch(begin: number, end: number): string {
  return new Intl.DateTimeFormat(locale, { timeZone: "UTC", year: "numeric", month: "long", day: "numeric" }).formatRange(begin, end);
}

export const TIME: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
export const DATE: Intl.DateTimeFormatOptions = { year: "numeric", month: "2-digit", day: "2-digit" };
export const DATE_TIME: Intl.DateTimeFormatOptions = { ...DATE, ...TIME };

/** Return the date in a zone as in 2026-06-21. */
export function isoDate(milliseconds: number, zone: string): string {
  const parts = new Intl.DateTimeFormat("en-CA", { timeZone: zone, ...DATE }).formatToParts(milliseconds);
  const part = (type: string) => parts.find((each) => each.type === type)?.value ?? "";
  return `${part("year")}-${part("month")}-${part("day")}`;
}

/** Return a value of an object in its unit. */
export function plain(value: unknown, unit: string): string {
  if (value === null || value === undefined) return NOTHING;
  if (typeof value === "boolean") return text(value ? "yes" : "no");
  if (typeof value === "number") {
    if (unit === "ratio") return percent(value, 1);
    const decimals = Number.isInteger(value) ? 0 : Math.abs(value) >= 1000 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
    return `${number(value, decimals)} ${unit}`.trim();
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}
