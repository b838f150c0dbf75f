// Values that stand for themselves, and lists.

import type { Energies, Slots } from "./api";
import { facts, h } from "./elements";
import { energy, money, percent } from "./format";
import { text } from "./texts";

const TILES = {
  made: "made",
  used: "used",
  imported: "imported",
  fed_in: "fedIn",
  self_consumption: "selfConsumption",
  autarky: "autarky",
  charged: "charged",
  discharged: "discharged",
  cost: "cost",
  earnings: "earnings",
  savings: "savings",
  balance: "balance",
} as const;
export const MONEY = ["cost", "earnings", "savings", "balance"] as const;

function tile(key: keyof typeof TILES, value: string): HTMLElement {
  return facts([[text(TILES[key]), value]], `tile ${key}`);
}

/** Return energies, and what share of them was one's own; a dash for what is not known. */
export function energyTiles(energies: Energies | undefined): HTMLElement[] {
  return [
    tile("made", energy(energies?.made)),
    tile("used", energy(energies?.used)),
    tile("imported", energy(energies?.imported)),
    tile("fed_in", energy(energies?.fed_in)),
    tile("self_consumption", percent(energies?.self_consumption)),
    tile("autarky", percent(energies?.autarky)),
  ];
}

/** Return all that is known of some days or months: energies; the battery, if there is one; and money, if there are prices. */
export function totalTiles(slots: Slots): HTMLElement[] {
  const { battery, currency } = slots;
  return [
    ...energyTiles(slots.total),
    ...(hasBattery(slots) ? [tile("charged", energy(battery.charged)), tile("discharged", energy(battery.discharged))] : []),
    ...(currency ? MONEY.map((each) => tile(each, money(slots.money?.[each], currency))) : []),
  ];
}

/** Return whether anything is known of a battery. */
export function hasBattery(slots: Slots): boolean {
  return slots.slots.some((slot) => slot.charged !== null);
}

/** Return a list of texts. */
export function list(items: string[]): HTMLElement {
  return h("ul", {}, ...items.map((item) => h("li", {}, item)));
}
