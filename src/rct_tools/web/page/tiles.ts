// Values that stand for themselves, and lists.

import type { Energies } from "./api";
import { facts, h } from "./elements";
import { energy, percent } from "./format";
import { text } from "./texts";

const TILES = {
  made: "made",
  used: "used",
  imported: "imported",
  fed_in: "fedIn",
  self_consumption: "selfConsumption",
  autarky: "autarky",
} as const;

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

/** Return a list, of texts in a language. */
export function list(items: string[], lang?: string): HTMLElement {
  return h("ul", { lang }, ...items.map((item) => h("li", {}, item)));
}
