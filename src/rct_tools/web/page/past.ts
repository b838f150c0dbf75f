// The views of what was: a day and a week as curves, a month and a year as bars, each with its totals.

import { type Curves, type Ranges, type Slot, type Slots, get } from "./api";
import { BATTERY, ENERGIES, type Forms, makeBars } from "./bars";
import { CHARGE, makeCharge } from "./charge";
import { Chart } from "./chart";
import { NAMES, linesOf, readCurves } from "./curves";
import { h } from "./elements";
import { DATE, DATE_TIME, TIME, energy, isoDate, moment, money, percent, plain, stretch } from "./format";
import { type Texts, text } from "./texts";
import { MONEY, hasBattery, totalTiles } from "./tiles";
import { failure } from "./told";
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
  return stretch(at, at + 6 * 86_400_000);
}

export function makePast(period: Period, context: Context): View {
  const { zone } = context.inverter();
  const today = isoDate(context.now(), zone);
  const asked = context.query.get("date") ?? "";
  const begin = start(/^\d{4}-\d\d-\d\d$/.test(asked) && !Number.isNaN(Date.parse(asked)) ? asked : today, period);
  const end = shift(begin, period, 1);
  const span = { inverter: context.name, since: `${begin}T00:00`, until: `${end}T00:00` };
  const step = period === "day" ? "5m" : "1h"; // of which there are sums: a week of readings may be a million
  const by = period === "year" ? "month" : "day";
  const body = h("div", { class: "body", "aria-busy": true }, h("p", { class: "wait" }, text("loading")));
  const totals = h("div", { class: "tiles" });
  const remark = h("p", { class: "remark" });
  let chart: Chart | undefined;
  const leaving = new AbortController();

  const look = context.trying(async () => {
    try {
      const isShort = period === "day" || period === "week";
      const [slots, curves, charge] = await Promise.all([
        get<Slots>("/api/energies", { ...span, by }, leaving.signal),
        isShort ? readCurves(context.name, span.since, span.until, step, leaving.signal) : undefined,
        isShort ? undefined : get<Ranges>("/api/ranges", { ...span, names: CHARGE }, leaving.signal),
      ]);
      showTotals(slots);
      if (body.contains(document.activeElement)) return; // somebody is reading it
      if (curves) showCurves(curves);
      else showBars(slots, charge);
      body.removeAttribute("aria-busy");
    } catch (error) {
      if (leaving.signal.aborted) return;
      body.replaceChildren(h("p", { class: "wait", role: "alert" }, ...failure(error)));
      throw error;
    }
  });

  function showTotals(slots: Slots): void {
    totals.replaceChildren(...totalTiles(slots));
    const [only] = slots.slots;
    if (period === "day") {
      remark.textContent = only?.until && !only.whole ? text("onlyUntil", { time: moment(only.until * 1000, zone, TIME) }) : "";
      return;
    }
    const all = slots.slots.length;
    const priced = slots.slots.filter(({ money }) => money && money.balance !== null && money.savings !== null).length;
    remark.textContent = [
      text(period === "year" ? "monthsKnown" : "daysKnown", { known: slots.known, all }),
      ...(hasBattery(slots) && slots.battery.known !== slots.known ? [text("batteryDays", { known: slots.battery.known, all })] : []),
      ...(slots.currency && priced !== slots.known ? [text("moneyDays", { known: priced, all })] : []),
    ].join("; ");
  }

  function showCurves(curves: Curves): void {
    const { times, lines } = linesOf(curves, context.inverter().absent);
    if (!lines.some((line) => line.values.some((value) => value !== null))) {
      body.replaceChildren(h("p", { class: "wait" }, text("noReadings")));
      return;
    }
    chart?.close();
    chart = new Chart(times, lines, zone, period === "week");
    const link = `/api/curves.csv?${new URLSearchParams({ ...span, names: NAMES, step })}`;
    body.replaceChildren(
      chart.element,
      h("p", { class: "links" }, h("a", { href: link, download: true }, text("csv")), period === "week" && energiesLink()),
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

  function energiesLink(): HTMLElement {
    return h("a", { href: `/api/energies.csv?${new URLSearchParams({ ...span, by })}`, download: true }, text("energiesCsv"));
  }

  function showBars(slots: Slots, charge: Ranges | undefined): void {
    const forms: Forms = {
      short: period === "year" ? { month: "short" } : { day: "numeric" },
      long: period === "year" ? { month: "long", year: "numeric" } : DATE,
    };
    const dayOf = (seconds: number) => ({ date: isoDate(seconds * 1000, zone) });
    const path = (slot: Slot) => // what has not begun leads nowhere
      slot.begin * 1000 > context.now() ? undefined : context.path(period === "year" ? "/month" : "/day", dayOf(slot.begin));
    chart?.close();
    chart = charge && makeCharge(charge, (seconds) => context.go(context.path("/day", dayOf(seconds))));
    const columns = columnsOf(slots);
    body.replaceChildren(
      makeBars(ENERGIES, slots.slots, zone, forms, path),
      ...(hasBattery(slots) ? [h("h3", {}, text("battery")), makeBars(BATTERY, slots.slots, zone, forms, path)] : []),
      ...(chart ? [h("h3", {}, text("charge")), chart.element] : []),
      h("p", { class: "links" }, energiesLink()),
      asTable([text("time"), ...columns.map(([name]) => text(name))], () =>
        slots.slots.map((slot) => [moment(slot.begin * 1000, zone, forms.long), ...columns.map(([, show]) => show(slot))]),
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

type Column = readonly [keyof Texts, (slot: Slot) => string];

const ALWAYS: Column[] = [
  ["made", (slot) => energy(slot.made)],
  ["used", (slot) => energy(slot.used)],
  ["imported", (slot) => energy(slot.imported)],
  ["fedIn", (slot) => energy(slot.fed_in)],
  ["autarky", (slot) => percent(slot.autarky)],
];
const WITH_BATTERY: Column[] = [
  ["charged", (slot) => energy(slot.charged)],
  ["discharged", (slot) => energy(slot.discharged)],
];

/** Return what a table of days or months tells. */
function columnsOf(slots: Slots): Column[] {
  const { currency } = slots;
  const priced = currency ? MONEY.map((each): Column => [each, (slot) => money(slot.money?.[each], currency)]) : [];
  return [...ALWAYS, ...(hasBattery(slots) ? WITH_BATTERY : []), ...priced];
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
