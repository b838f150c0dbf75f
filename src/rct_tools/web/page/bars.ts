// Energies of days or months as bars, each of which leads to its day or month.

import type { Slot } from "./api";
import { h, s, say } from "./elements";
import { DATE_TIME, NOTHING, energy, moment, number, percent } from "./format";
import { type Texts, text } from "./texts";

/** What the bars are of. */
export interface Kind {
  name: keyof Texts;
  height: number;
  keys: [string, keyof Texts][]; // the class of a part, what it is
  /** Return the bars of a slot, side by side: what each is made of, from below. Null for what is not known. */
  piles: (slot: Slot) => ([string, number][] | null)[];
  tell: (slot: Slot) => string[];
}

const part = (key: keyof Texts, value: string) => `${text(key)} ${value}`;

/** What the sun gave beside what the house used, and of which each is made. */
export const ENERGIES: Kind = {
  name: "barsLabel",
  height: 300,
  keys: [["own", "madeBar"], ["fed", "fedBar"], ["house", "ownBar"], ["grid", "gridBar"]],
  piles: ({ made, used, imported, fed_in }) => [split(made, fed_in, "own", "fed"), split(used, imported, "house", "grid")],
  tell: (slot) => [
    part("made", energy(slot.made)),
    part("used", energy(slot.used)),
    part("imported", energy(slot.imported)),
    part("fedIn", energy(slot.fed_in)),
    part("selfConsumption", percent(slot.self_consumption)),
    part("autarky", percent(slot.autarky)),
  ],
};

/** What went into the battery, beside what came out. */
export const BATTERY: Kind = {
  name: "batteryBars",
  height: 200,
  keys: [["into", "charged"], ["out", "discharged"]],
  piles: ({ charged, discharged }) => [charged === null ? null : [["into", charged]], discharged === null ? null : [["out", discharged]]],
  tell: (slot) => [part("charged", energy(slot.charged)), part("discharged", energy(slot.discharged))],
};

const [LEFT, BOTTOM, TOP] = [40, 26, 28];
const LETTER = 8; // px of a name at the axis, with some room

/** How times are written: below a bar, and in words. */
export interface Forms {
  short: Intl.DateTimeFormatOptions;
  long: Intl.DateTimeFormatOptions;
}

/** Return a picture of energies, with a line above it that tells of the bar that is pointed at or focused, and leads to its path. */
export function makeBars(kind: Kind, slots: Slot[], zone: string, forms: Forms, path: (slot: Slot) => string | undefined): HTMLElement {
  const WIDTH = matchMedia("(min-width: 48rem)").matches ? 1080 : 350;
  const HEIGHT = kind.height;
  const piles = slots.map(kind.piles);
  const most = Math.max(1000, ...piles.flat().map((parts) => (parts ?? []).reduce((sum, [, size]) => sum + size, 0)));
  const step = niceStep(most / 1000 / 4) * 1000;
  const top = Math.ceil(most / step) * step;
  const y = (energyOf: number) => HEIGHT - BOTTOM - (energyOf / top) * (HEIGHT - BOTTOM - TOP);
  const room = (WIDTH - LEFT) / slots.length;
  const wide = Math.min(26, room * 0.38);
  const readout = h("p", { class: "readout", role: "status" }, text(matchMedia("(pointer: coarse)").matches ? "barsTap" : "barsHelp"));
  const lines = [];
  for (let at = 0; at <= top; at += step) {
    lines.push(
      s("line", { class: "lattice", x1: LEFT, x2: WIDTH, y1: y(at), y2: y(at) }),
      s("text", { class: "tick", x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, number(at / 1000, step % 1000 ? 1 : 0)),
    );
  }
  const names = slots.map((slot) => moment(slot.begin * 1000, zone, forms.short));
  const longest = Math.max(...names.map((name) => name.length));
  const every = Math.max(Math.ceil(slots.length / 12), Math.ceil((longest * LETTER) / room)); // names must not touch
  const middleOf = (n: number) => LEFT + room * (n + 0.5);
  const ticks = slots.map((_, n) =>
    n % every ? null : s("text", { class: "tick", x: middleOf(n), y: HEIGHT - 8, "text-anchor": "middle" }, names[n]!),
  );
  let tapped: Slot | undefined;
  const groups = slots.map((slot, n) => {
    const middle = middleOf(n);
    const told = `${moment(slot.begin * 1000, zone, forms.long)}: ${words(kind, slot, zone)}`;
    const show = () => say(readout, told);
    const click = (event: PointerEvent) => {
      if (event.pointerType === "touch" && tapped !== slot) event.preventDefault(); // fingers do not hover: tell first
      tapped = slot;
    };
    const href = path(slot);
    const link = { class: piles[n]!.every((parts) => !parts) ? "slot empty" : "slot", href, "aria-label": told, focus: show, pointerenter: show, click };
    return s(
      href ? "a" : "g",
      href ? link : {},
      s("rect", { class: "touch", x: middle - room / 2, y: TOP, width: room, height: HEIGHT - TOP }),
      ...piles[n]!.flatMap((parts, side) => pile(side ? middle + 1 : middle - wide - 1, wide, y, parts ?? [])),
    );
  });
  return h(
    "div",
    { class: "bars" },
    h("ul", { class: "keys" }, ...kind.keys.map(([key, label]) => h("li", { class: key }, text(label)))),
    readout,
    h("div", { class: "scroll", role: "group", "aria-label": text(kind.name) },
      s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "bar-chart" }, s("text", { class: "tick", x: 0, y: 12 }, "kWh"), ...lines, ...groups, ...ticks)),
  );
}

/** Return the two parts of a whole, by their classes; null where it is not known how it splits. */
function split(whole: number | null, part: number | null, rest: string, name: string): [string, number][] | null {
  if (whole === null || part === null) return null;
  return [[rest, Math.max(0, whole - Math.abs(part))], [name, Math.abs(part)]];
}

/** Return what is told of a slot: up to when, where that was not its end. */
function words(kind: Kind, slot: Slot, zone: string): string {
  const told = kind.tell(slot);
  if (told.every((each) => each.endsWith(NOTHING))) return text("noReadings");
  const until = slot.until && !slot.whole ? [text("onlyUntil", { time: moment(slot.until * 1000, zone, DATE_TIME) })] : [];
  return [...told, ...until].join(", ");
}

function pile(x: number, wide: number, y: (energyOf: number) => number, parts: [string, number][]): SVGRectElement[] {
  let below = 0;
  return parts.map(([name, size]) => {
    const rect = s("rect", { class: `bar ${name}`, x, y: y(below + size), width: wide, height: y(below) - y(below + size) });
    below += size;
    return rect;
  });
}

/** Return a step of 1, 2 or 5 and zeros that is not less. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 0.1)));
  return ([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power;
}
