// The view of now: the picture, its values in words, the energies of today, and what is wrong.

import { Failed, type InverterState, get } from "./api";
import { Chart } from "./chart";
import { linesOf, readCurves } from "./curves";
import { h, say } from "./elements";
import { Flow, type Powers } from "./flow";
import { isoDate } from "./format";
import { type Inverter, type Link, fresh } from "./live";
import { shift } from "./past";
import { faultList } from "./terms";
import { text } from "./texts";
import { energyTiles } from "./tiles";
import { failure } from "./told";
import type { Context, View } from "./view";

const EVERY = 20_000; // ms from one look at the energies to the next
const COURSE_EVERY = 60_000; // ms from one look at the day so far to the next
const SOONEST = 5000; // ms: both are looked at again after that, when the clock has gone on
const FAR = 600_000; // ms by so much: this machine has slept, or that clock is a fast one
const TOLD = 30_000; // ms from one change that is said aloud to the next

/** Return what flows now, as far as it is fresh. */
export function powersOf(inverter: Inverter, link: Link): Powers {
  const of = (name: string) => fresh(inverter, name, link);
  const isAbsent = (component: string) => inverter.absent.includes(component);
  const sunA = isAbsent("string A") ? 0 : of("dc_conv.dc_conv_struct[0].p_dc");
  const sunB = isAbsent("string B") ? 0 : of("dc_conv.dc_conv_struct[1].p_dc");
  return {
    sun: sunA === null || sunB === null ? null : sunA + sunB,
    sunA: isAbsent("string A") ? null : sunA,
    sunB: isAbsent("string B") ? null : sunB,
    external: of("io_board.s0_external_power"),
    house: of("g_sync.p_ac_load_sum_lp"),
    battery: of("g_sync.p_acc_lp"),
    grid: of("g_sync.p_ac_grid_sum_lp"),
    charge: of("battery.soc"),
    hasBattery: !isAbsent("battery"),
  };
}

export function makeNow(context: Context): View {
  const flow = new Flow();
  const aloud = h("p", { class: "aloud", role: "status", "aria-live": "polite" });
  const today = h("div", { class: "tiles" });
  const faults = h("div", {});
  const course = h("div", { class: "body" }, h("p", { class: "wait" }, text("loading")));
  let chart: Chart | undefined;
  let isClosed = false;
  let saidAt = -TOLD;
  let lookedAt = performance.now();
  let lookedFor = context.now();

  function update(): void {
    const words = flow.show(powersOf(context.inverter(), context.link()));
    if (performance.now() - saidAt > TOLD && aloud.textContent !== words) {
      saidAt = performance.now();
      say(aloud, words);
    }
    if (context.now() - lookedFor > FAR && performance.now() - lookedAt > SOONEST) {
      lookedAt = performance.now();
      lookedFor = context.now();
      void look();
      void lookBack();
    }
  }

  const look = context.trying(async () => {
    const state = await get<InverterState>("/api/inverter", { inverter: context.name });
    const energies = state.up ? state.health?.today : undefined;
    today.replaceChildren(...energyTiles(energies));
    const found = state.up ? (state.health?.faults ?? []) : [];
    faults.replaceChildren(
      ...(found.length
        ? [h("section", { class: "card trouble", role: "alert" }, h("h2", {}, text("faults")), faultList(found))]
        : []),
    );
  });

  async function lookBack(): Promise<void> {
    const { zone } = context.inverter();
    const date = isoDate(context.now(), zone);
    try {
      const curves = await readCurves(context.name, `${date}T00:00`, `${shift(date, "day", 1)}T00:00`, "5m");
      const { times, lines } = linesOf(curves, context.inverter().absent);
      if (isClosed || (chart && course.contains(document.activeElement))) return; // somebody is reading it
      chart?.close();
      chart = lines.length ? new Chart(times, lines, zone, false) : undefined;
      course.replaceChildren(chart?.element ?? h("p", { class: "wait" }, text("noReadings")));
    } catch (error) {
      course.replaceChildren(h("p", { class: "wait said" }, ...failure(error)));
      if (error instanceof Failed && error.status === 401) context.refuse();
    }
  }

  const timers = [setInterval(() => void look(), EVERY), setInterval(() => void lookBack(), COURSE_EVERY)];
  void look();
  void lookBack();
  update();
  return {
    element: h(
      "div",
      { class: "now" },
      faults,
      h("section", { class: "card picture" }, h("h2", { class: "hidden" }, text("flowTitle")), flow.element, aloud),
      h(
        "section",
        { class: "card energies" },
        h("h2", {}, text("today")),
        today,
      ),
      h("section", { class: "card course" }, h("h2", {}, text("course")), course),
      h("p", { class: "onward" }, h("a", { href: context.path("/kiosk"), class: "more" }, text("kiosk"))),
    ),
    update,
    close: () => {
      isClosed = true;
      timers.forEach(clearInterval);
      chart?.close();
    },
  };
}
