// What an order would do, as it is shown before anything is sent.

import type { Change, Foreseen } from "./api";
import { h } from "./elements";
import { DATE_TIME, TIME, isoDate, moment, number, plain } from "./format";
import { term } from "./terms";
import { type Texts, text } from "./texts";

interface About {
  name: keyof Texts;
  note?: keyof Texts; // what people should know before they set it
}

/** What may be steered, and what else is told of in doing so, in words. */
const OBJECTS: Record<string, About> = {
  "power_mng.soc_strategy": { name: "soc_strategy" },
  "power_mng.soc_target_set": { name: "soc_target_set" },
  "power_mng.battery_power_extern": { name: "battery_power_extern", note: "signNote" },
  "power_mng.soc_min": { name: "soc_min", note: "minNote" },
  "power_mng.soc_min_island": { name: "soc_min_island" },
  "power_mng.soc_max": { name: "soc_max" },
  "power_mng.soc_charge_power": { name: "soc_charge_power" },
  "power_mng.soc_charge": { name: "soc_charge", note: "chargeNote" },
  "p_rec_lim[1]": { name: "feed_limit", note: "feedNote" },
  "power_mng.use_grid_power_enable": { name: "use_grid_power", note: "gridNote" },
  "buf_v_control.power_reduction": { name: "power_reduction", note: "reductionNote" },
  "battery.soc": { name: "charge" },
  "battery.bat_status": { name: "batteryState" },
  "battery.status2": { name: "batteryState" },
  "p_rec_lim[0]": { name: "powerLimit" },
  "control.soc": { name: "nextCharge" },
  "control.power": { name: "nextPower" },
  "control.duration": { name: "nextDuration" },
};

export const MODES: Record<string, { name: keyof Texts; meaning: keyof Texts; soc: keyof Texts }> = {
  hold: { name: "hold", meaning: "holdMeaning", soc: "charge" },
  charge: { name: "chargeNow", meaning: "chargeMeaning", soc: "upTo" },
  discharge: { name: "discharge", meaning: "dischargeMeaning", soc: "downTo" },
  reserve: { name: "reserve", meaning: "reserveMeaning", soc: "notBelow" },
};

export const NORMAL = "normal"; // the mode when none is on

export function modeName(mode: string): string {
  if (mode === NORMAL) return text("normal");
  const known = MODES[mode];
  return known ? text(known.name) : mode;
}

export function objectName(object: string): string {
  const known = OBJECTS[object];
  return known ? text(known.name) : object;
}

export function noteOf(object: string): string {
  const note = OBJECTS[object]?.note;
  return note ? text(note) : "";
}

/** Return a value of an object, or what it means. */
export function held(of: { unit: string; labels: Record<string, string> }, value: unknown): HTMLElement {
  const label = of.labels[String(value)];
  return label ? term(label) : h("span", { class: "number" }, plain(value, of.unit));
}

/** Return how long something lasts. */
export function span(seconds: number): string {
  if (seconds < 60) return `${number(seconds, 0)} s`;
  if (seconds < 3600) return `${number(seconds / 60, Number.isInteger(seconds / 60) ? 0 : 1)} min`;
  return `${number(seconds / 3600, Number.isInteger(seconds / 3600) ? 0 : 2)} h`;
}

/** Return when something is, given in milliseconds; with the day only when it is another. */
export function when(time: number, zone: string, now: number): string {
  return moment(time, zone, isoDate(time, zone) === isoDate(now, zone) ? TIME : DATE_TIME);
}

/** Return changes as a table, from what is to what will be. */
export function table(changes: Change[], caption: string): HTMLTableElement {
  return h(
    "table",
    { class: "changes" },
    h("caption", {}, caption),
    h(
      "thead",
      {},
      h("tr", {}, h("th", { scope: "col" }, text("what")), h("th", { scope: "col" }, text("isNow")), h("th", { scope: "col" }, text("isThen"))),
    ),
    h(
      "tbody",
      {},
      ...changes.map((change) =>
        h(
          "tr",
          { class: change.frame === null ? "same" : "" },
          h("th", { scope: "row" }, objectName(change.object), h("small", {}, h("code", {}, change.object))),
          h("td", {}, held(change, change.old)),
          h("td", {}, change.frame === null ? text("stays") : held(change, change.new)),
        ),
      ),
    ),
  );
}

/** Return what is put back when a mode ends. */
export function backList(back: Change[]): HTMLElement {
  return h("ul", {}, ...back.map((change) => h("li", {}, `${objectName(change.object)}: `, held(change, change.new))));
}

/** Return what would happen, in words and tables. */
export function describe(foreseen: Foreseen, zone: string, now: number): Node[] {
  const needed = foreseen.writes.filter((write) => write.frame !== null);
  const notes = new Set(needed.map((write) => noteOf(write.object)).filter(Boolean));
  for (const write of needed) {
    for (const [name, value] of Object.entries(write.changes ?? {})) {
      notes.add(text("changesToo", { object: objectName(name), value: plain(value, write.unit) }));
    }
  }
  const frames = needed.map((write) => write.frame ?? "");
  return [
    foreseen.first.length > 0 && table(foreseen.first, text("first")),
    foreseen.writes.length > 0 && table(foreseen.writes, text("written")),
    notes.size > 0 && h("ul", { class: "notes" }, ...[...notes].map((note) => h("li", {}, note))),
    h("p", {}, ending(foreseen, zone, now)),
    foreseen.back.length > 0 && backList(foreseen.back),
    frames.length > 0 && h("details", {}, h("summary", {}, text("frames")), ...frames.map((frame) => h("code", { class: "frame" }, frame))),
  ].filter((node): node is HTMLElement => Boolean(node));
}

function ending(foreseen: Foreseen, zone: string, now: number): string {
  if (foreseen.seconds === null) return text("setStays");
  return text("modeEnds", { span: span(foreseen.seconds), time: when(now + foreseen.seconds * 1000, zone, now) });
}
