// The state of charge by days: its mean, between the lowest and the highest.

import type { Ranges } from "./api";
import { Chart, type Line, type Subject } from "./chart";
import { DATE, percent } from "./format";
import { text } from "./texts";

export const CHARGE = "battery.soc"; // the object

const SUBJECT: Subject = {
  name: "chargeLabel",
  show: (share) => percent(share),
  tick: (share) => percent(share),
  range: () => [0, 1],
  form: { weekday: "short", ...DATE },
};

/** Return a chart in which each day leads somewhere; undefined where nothing is known. */
export function makeCharge({ begins, ranges, zone }: Ranges, open: (time: number) => void): Chart | undefined {
  const found = ranges[CHARGE];
  if (!found?.mean.some((share) => share !== null)) return undefined;
  const lines: Line[] = [
    { key: "high", label: text("highest"), values: found.high, isShare: false, isEdge: true },
    { key: "charge", label: text("mean"), values: found.mean, isShare: false },
    { key: "low", label: text("lowest"), values: found.low, isShare: false, isEdge: true },
  ];
  return new Chart(begins, lines, zone, true, { ...SUBJECT, open });
}
