// The views of what was: a day and a week as curves, a month and a year as bars, each with its totals.

import { type Curves, type Slots, get } from "./api";
import { makeBars } from "./bars";
import { Chart } from "./chart";
import { NAMES, linesOf, readCurves } from "./curves";
import { h } from "./elements";
import { DATE, DATE_TIME, TIME, energy, isoDate, moment, percent, plain } from "./format";
import { text } from "./texts";
import { energyTiles } from "./tiles";
import type { Context, View } from "./view";

export type Period = "day" | "week" | "month" | "year";

const EVERY = 60_000; // ms from one look to the next, where the day is not over

/** Return a date, so many periods later; dates have no time zone, and are reckoned in UTC. */
export function shift(date: string, period: Period, by: number): string {
  const day = new Date(`${date}T00:00Z`);
  if (period === "day") day.setUTCDate(day.getUTCDate() + by);
  if (period === "week") day.setUTCDate(day.getUTCDate() + 7 * by);
  if (period === "month") day.setUTCMonth(day.getUTCMonth() + by);
  if (period === "year") day.setUTCFullYear(day.getUTCFullYear() + by);
  return day.toISOString().slice(0, 10);
}

/** Return when the period of a date begins. */
function start(date: string, period: Period): string {
  const day = new Date(`${date}T00:00Z`);
  if (period === "week") day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7)); // weeks begin on Monday
  if (period === "month" || period === "year") day.setUTCDate(1);
  if (period === "year") day.setUTCMonth(0);
  return day.toISOString().slice(0, 10);
}

function heading(begin: string, period: Period): string {
  const at = Date.parse(`${begin}T12:00Z`);
  if (period === "day") return moment(at, "UTC", { weekday: "long", year: "numeric", month: "long", day: "numeric" });
  if (period === "month") return moment(at, "UTC", { month: "long", year: "numeric" });
  if (period === "year") return moment(at, "UTC", { year: "numeric" });
  return `${moment(at, "UTC", DATE)} – ${moment(at + 6 * 86_400_000, "UTC", DATE)}`;
}

export function makePast(period: Period, context: Context): View {
  const { zone } = context.inverter();
  const today = isoDate(context.now(), zone);
  const asked = context.query.get("date") ?? "";
  const begin = start(/^\d{4}-\d\d-\d\d$/.test(asked) && !Number.isNaN(Date.parse(asked)) ? asked : today, period);
  const end = shift(begin, period, 1);
  const span = { inverter: context.name, since: `${begin}T00:00`, until: `${end}T00:00` };
  const step = period === "day" ? "5m" : "30m";
  const body = h("div", { class: "body", "aria-busy": true }, h("p", { class: "wait" }, text("loading")));
  const totals = h("div", { class: "tiles" });
  const remark = h("p", { class: "remark" });
  let chart: Chart | undefined;
  const leaving = new AbortController();

  async function look(): Promise<void> {
    try {
      const by = period === "year" ? "month" : "day";
      const slots = await get<Slots>("/api/energies", { ...span, by }, leaving.signal);
      const curves = period === "day" || period === "week" ? await readCurves(context.name, span.since, span.until, step, leaving.signal) : undefined;
      showTotals(slots);
      if (curves) showCurves(curves);
      else showBars(slots);
      body.removeAttribute("aria-busy");
    } catch (error) {
      if (leaving.signal.aborted) return;
      body.replaceChildren(h("p", { class: "wait", role: "alert" }, text("failed", { error: (error as Error).message })));
      context.fail(error);
    }
  }

  function showTotals(slots: Slots): void {
    totals.replaceChildren(...energyTiles(slots.total));
    const [only] = slots.slots;
    if (period === "day") {
      remark.textContent = only?.until && !only.whole ? text("onlyUntil", { time: moment(only.until * 1000, zone, TIME) }) : "";
    } else {
      remark.textContent = text(period === "year" ? "monthsKnown" : "daysKnown", { known: slots.known, all: slots.slots.length });
    }
  }

  function showCurves(curves: Curves): void {
    const { times, lines } = linesOf(curves);
    if (!lines.some((line) => line.values.some((value) => value !== null))) {
      body.replaceChildren(h("p", { class: "wait" }, text("noReadings")));
      return;
    }
    chart?.close();
    chart = new Chart(times, lines, zone, period === "week");
    const link = `/api/curves.csv?${new URLSearchParams({ ...span, names: NAMES, step })}`;
    body.replaceChildren(
      chart.element,
      h("p", {}, h("a", { href: link, download: true }, text("csv"))),
      asTable([text("time"), ...lines.map((line) => line.label)], () =>
        times
          .map((time, n) => [time, n] as const)
          .filter(([time]) => time % 1800 === 0)
          .map(([time, n]) => [
            moment(time * 1000, zone, period === "day" ? TIME : DATE_TIME),
            ...lines.map((line) => plain(line.values[n] ?? null, line.isShare ? "ratio" : "W")),
          ]),
      ),
    );
  }

  function showBars(slots: Slots): void {
    const form: Intl.DateTimeFormatOptions = period === "year" ? { month: "short" } : { day: "numeric" };
    const long: Intl.DateTimeFormatOptions = period === "year" ? { month: "long", year: "numeric" } : DATE;
    body.replaceChildren(
      makeBars(slots.slots, zone, form, long),
      asTable([text("time"), text("made"), text("used"), text("imported"), text("fedIn"), text("autarky")], () =>
        slots.slots.map((slot) => [
          moment(slot.begin * 1000, zone, long),
          energy(slot.made),
          energy(slot.used),
          energy(slot.imported),
          energy(slot.fed_in),
          percent(slot.autarky),
        ]),
      ),
    );
  }

  const timer = end > today ? setInterval(() => void look(), EVERY) : undefined;
  void look();
  const place = (by: number) => context.path(`/${period}`, { date: shift(begin, period, by) });
  return {
    element: h(
      "div",
      { class: "past" },
      h(
        "nav",
        { class: "tabs", "aria-label": text("past") },
        ...(["day", "week", "month", "year"] as const).map((each) =>
          h("a", { href: context.path(`/${each}`, { date: asked || today }), ...(each === period ? { "aria-current": "page" } : {}) }, text(each)),
        ),
      ),
      h(
        "section",
        { class: "card" },
        h(
          "div",
          { class: "when-bar" },
          h("a", { href: place(-1), class: "step", "aria-label": text("previous") }, "‹"),
          h("h2", {}, heading(begin, period)),
          end > today ? h("span", { class: "step off", "aria-hidden": true }, "›") : h("a", { href: place(1), class: "step", "aria-label": text("next") }, "›"),
        ),
        body,
      ),
      h("section", { class: "card" }, h("h2", {}, text("totals")), totals, remark),
    ),
    close: () => {
      clearInterval(timer);
      leaving.abort();
      chart?.close();
    },
  };
}

/** Return a table that is made when it is opened. */
function asTable(head: string[], rows: () => string[][]): HTMLElement {
  const box = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": text("asTable") });
  return h(
    "details",
    {
      toggle: () => {
        if (!box.firstChild) {
          box.append(
            h(
              "table",
              {},
              h("thead", {}, h("tr", {}, ...head.map((name) => h("th", { scope: "col" }, name)))),
              h("tbody", {}, ...rows().map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((cell) => h("td", {}, cell))))),
            ),
          );
        }
      },
    },
    h("summary", {}, text("asTable")),
    box,
  );
}
