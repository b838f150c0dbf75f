// How far the cells of the battery were apart over time: each module, and all of a tower.

import { type Apart, type Spread, get } from "./api";
import { Chart, type Line, type Subject } from "./chart";
import { h } from "./elements";
import { amount } from "./format";
import { type Texts, text } from "./texts";
import { failure } from "./told";
import type { Context } from "./view";

const EVERY = 300_000; // ms, as often as cells are read
const SPANS = ["week", "month", "quarter", "year"] as const;
type Span = (typeof SPANS)[number];
const ASKED: Record<Span, { since: string; step: string }> = {
  week: { since: "7d", step: "1h" },
  month: { since: "30d", step: "2h" },
  quarter: { since: "91d", step: "6h" },
  year: { since: "365d", step: "1d" },
};

const SUBJECTS: Record<keyof Apart, Subject> = {
  voltage: {
    name: "spreadVoltage",
    show: (volts) => amount(volts * 1000, "mV", 0),
    tick: (volts, all) => amount(volts * 1000, "mV", all.some((each) => Math.round(each * 1e4) % 10) ? 1 : 0),
    range: (_, high) => [0, Math.max(0.02, high * 1.05)], // less is no reason to look alarming
  },
  temperature: {
    name: "spreadTemperature",
    show: (degrees) => amount(degrees, "°C", 0),
    tick: (degrees, all) => amount(degrees, "°C", all.some((each) => each % 1) ? 1 : 0),
    range: (_, high) => [0, Math.max(4, high * 1.05)],
  },
};

/** Return a card with the charts; it looks again by itself until it is closed. */
export function makeSpread(context: Context): { element: HTMLElement; close: () => void } {
  const body = h("div", { class: "body" }, h("p", { class: "wait" }, text("loading")));
  const charts: Chart[] = [];
  const leaving = new AbortController();
  let asked = 0;
  let span: Span = "month";
  let measure: keyof Apart = "voltage";
  let known: Spread | undefined;

  function draw(): void {
    if (!known) return;
    const { towers, begin, step, zone } = known;
    charts.splice(0).forEach((chart) => chart.close());
    const count = towers[0]?.[measure].length ?? 0;
    const times = Array.from({ length: count }, (_, n) => begin + n * step);
    charts.push(...towers.map((tower) => new Chart(times, linesOf(tower, measure), zone, true, SUBJECTS[measure])));
    body.replaceChildren(...charts.map((chart, n) => named(chart, charts.length > 1 ? `${text("battery")} ${n + 1}` : "")));
    if (!charts.length) body.append(h("p", { class: "wait said" }, text("noReadings")));
  }

  async function look(): Promise<void> {
    const turn = ++asked;
    try {
      const found = await get<Spread>("/api/spread", { inverter: context.name, ...ASKED[span] }, leaving.signal);
      if (turn !== asked) return; // another span has been chosen
      known = found;
      draw();
    } catch (error) {
      if (leaving.signal.aborted) return;
      body.replaceChildren(h("p", { class: "wait said" }, ...failure(error)));
    }
  }

  const timer = setInterval(() => {
    if (!body.contains(document.activeElement)) void look(); // else somebody is reading it
  }, EVERY);
  void look();
  return {
    element: h(
      "section",
      { class: "card spread" },
      h("h2", {}, text("spreadOverTime")),
      h(
        "div",
        { class: "choices" },
        choice("span", text("timeSpan"), SPANS, span, (chosen) => {
          span = chosen;
          void look();
        }),
        choice("apart", text("spreadOf"), ["voltage", "temperature"], measure, (chosen) => {
          measure = chosen;
          draw();
        }),
      ),
      body,
      h("p", { class: "remark" }, text("spreadHelp")),
    ),
    close: () => {
      clearInterval(timer);
      leaving.abort();
      charts.forEach((chart) => chart.close());
    },
  };
}

function named(chart: Chart, name: string): HTMLElement {
  return h("div", {}, name && h("h3", {}, name), chart.element);
}

function linesOf(tower: Spread["towers"][number], measure: keyof Apart): Line[] {
  return [
    { key: "whole", label: text("allCells"), values: tower[measure], isShare: false },
    ...tower.modules.map((module) => ({
      key: `module-${module.number}`,
      label: `${text("module")} ${module.number}`,
      values: module[measure],
      isShare: false,
    })),
  ];
}

function choice<Name extends keyof Texts>(
  group: string, legend: string, names: readonly Name[], first: Name, chosen: (name: Name) => void,
): HTMLElement {
  return h(
    "fieldset",
    { class: "choice" },
    h("legend", { class: "hidden" }, legend),
    ...names.map((name) =>
      h(
        "label",
        {},
        h("input", { type: "radio", name: group, value: name, checked: name === first, change: () => chosen(name) }),
        text(name),
      ),
    ),
  );
}
