// Which objects make the curves of a day, and what they are called.

import { type Curves, get } from "./api";
import type { Line } from "./chart";
import { text } from "./texts";

const OBJECTS = {
  sunA: "dc_conv.dc_conv_struct[0].p_dc",
  sunB: "dc_conv.dc_conv_struct[1].p_dc",
  external: "io_board.s0_external_power",
  house: "g_sync.p_ac_load_sum_lp",
  battery: "g_sync.p_acc_lp",
  grid: "g_sync.p_ac_grid_sum_lp",
  charge: "battery.soc",
};

/** The names of all of them, as the server is asked. */
export const NAMES = Object.values(OBJECTS).join(",");

/** Return the curves as they are drawn, and their times in seconds; what nobody has read is left out. Absent components give nothing. */
export function linesOf(curves: Curves, absent: string[]): { times: number[]; lines: Line[] } {
  const of = (name: string) => curves.curves[name]?.values;
  const [a, b] = [of(OBJECTS.sunA), of(OBJECTS.sunB)];
  const [noA, noB] = ["string A", "string B"].map((name) => (absent.includes(name) ? 0 : null));
  const sun = (a ?? b)?.map((_, n) => sum(a?.[n] ?? noA, b?.[n] ?? noB));
  const found: [string, string, (number | null)[] | undefined, boolean][] = [
    ["sun", text("sun"), sun, false],
    ["house", text("house"), of(OBJECTS.house), false],
    ["battery", text("battery"), of(OBJECTS.battery), false],
    ["grid", text("grid"), of(OBJECTS.grid), false],
    ["charge", text("charge"), of(OBJECTS.charge), true],
  ];
  const external = of(OBJECTS.external);
  if (external?.some((value) => value)) found.push(["external", text("external"), external, false]);
  const lines = found.flatMap(([key, label, values, isShare]) => (values ? [{ key, label, values, isShare }] : []));
  const length = lines[0]?.values.length ?? 0;
  return { times: Array.from({ length }, (_, n) => curves.begin + n * curves.step), lines };
}

function sum(a: number | null | undefined, b: number | null | undefined): number | null {
  return a === null || b === null || a === undefined || b === undefined ? null : a + b;
}

/** Return the curves of a time, given as on the clock of the inverter. Throws Failed. */
export function readCurves(inverter: string, since: string, until: string, step: string, signal?: AbortSignal): Promise<Curves> {
  return get<Curves>("/api/curves", { inverter, since, until, step, names: NAMES }, signal);
}
