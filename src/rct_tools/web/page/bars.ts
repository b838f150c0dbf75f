// Energies of days or months as bars: what the sun gave beside what the house used, and of which each is made.

import type { Slot } from "./api";
import { h, s, say } from "./elements";
import { energy, moment, number, percent } from "./format";
import { text } from "./texts";

const [HEIGHT, LEFT, BOTTOM, TOP] = [300, 40, 26, 28];

/** Return a picture of energies, with a line above it that tells of the bar that is pointed at or focused. */
export function makeBars(slots: Slot[], zone: string, form: Intl.DateTimeFormatOptions, long: Intl.DateTimeFormatOptions): HTMLElement {
  const WIDTH = matchMedia("(min-width: 48rem)").matches ? 1080 : 350;
  const most = Math.max(1000, ...slots.flatMap((slot) => [slot.made ?? 0, slot.used ?? 0]));
  const step = niceStep(most / 1000 / 4) * 1000;
  const top = Math.ceil(most / step) * step;
  const y = (energyOf: number) => HEIGHT - BOTTOM - (energyOf / top) * (HEIGHT - BOTTOM - TOP);
  const room = (WIDTH - LEFT) / slots.length;
  const wide = Math.min(26, room * 0.38);
  const readout = h("p", { class: "readout", role: "status" });
  const lines = [];
  for (let at = 0; at <= top; at += step) {
    lines.push(
      s("line", { class: "lattice", x1: LEFT, x2: WIDTH, y1: y(at), y2: y(at) }),
      s("text", { class: "tick", x: LEFT - 6, y: y(at) + 4, "text-anchor": "end" }, number(at / 1000, step % 1000 ? 1 : 0)),
    );
  }
  const every = Math.ceil(slots.length / 12);
  const groups = slots.map((slot, n) => {
    const middle = LEFT + room * (n + 0.5);
    const name = moment(slot.begin * 1000, zone, form);
    const told = tell(slot, moment(slot.begin * 1000, zone, long));
    const show = () => say(readout, told);
    return s(
      "g",
      { class: slot.until === null ? "slot empty" : "slot", tabindex: 0, role: "img", "aria-label": told, focus: show, pointerenter: show },
      s("rect", { class: "touch", x: middle - room / 2, y: TOP, width: room, height: HEIGHT - TOP }),
      ...pile(middle - wide - 1, wide, y, [["own", own(slot.made, slot.fed_in)], ["fed", Math.abs(slot.fed_in ?? 0)]], slot.made),
      ...pile(middle + 1, wide, y, [["house", own(slot.used, slot.imported)], ["grid", Math.abs(slot.imported ?? 0)]], slot.used),
      n % every === 0 && s("text", { class: "tick", x: middle, y: HEIGHT - 8, "text-anchor": "middle" }, name),
    );
  });
  const keys = [["own", "madeBar"], ["fed", "fedBar"], ["house", "ownBar"], ["grid", "gridBar"]] as const;
  return h(
    "div",
    { class: "bars" },
    h("ul", { class: "keys" }, ...keys.map(([key, label]) => h("li", { class: key }, text(label)))),
    readout,
    h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": text("barsLabel") },
      s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "bar-chart" }, s("text", { class: "tick", x: 0, y: 12 }, "kWh"), ...lines, ...groups)),
  );
}

function own(whole: number | null, part: number | null): number {
  return Math.max(0, (whole ?? 0) - Math.abs(part ?? 0));
}

function pile(x: number, wide: number, y: (energyOf: number) => number, parts: [string, number][], whole: number | null): SVGRectElement[] {
  if (whole === null) return [];
  let below = 0;
  return parts.map(([name, size]) => {
    const rect = s("rect", { class: `bar ${name}`, x, y: y(below + size), width: wide, height: y(below) - y(below + size) });
    below += size;
    return rect;
  });
}

function tell(slot: Slot, name: string): string {
  if (slot.until === null) return `${name}: ${text("noReadings")}`;
  const parts = [
    `${text("made")} ${energy(slot.made)}`,
    `${text("used")} ${energy(slot.used)}`,
    `${text("imported")} ${energy(slot.imported)}`,
    `${text("fedIn")} ${energy(slot.fed_in)}`,
    `${text("selfConsumption")} ${percent(slot.self_consumption)}`,
    `${text("autarky")} ${percent(slot.autarky)}`,
  ];
  return `${name}: ${parts.join(", ")}`;
}

/** Return a step of 1, 2 or 5 and zeros that is not less. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 0.1)));
  return ([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power;
}
