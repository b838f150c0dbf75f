// The battery: what is known of each tower, and its cells as colours.

import { type BatteryState, type Label, type Tower, get } from "./api";
import { facts, h } from "./elements";
import { NOTHING, age, amount, energy, number, percent } from "./format";
import { makeSpread } from "./spread";
import { labelled } from "./terms";
import { text } from "./texts";
import type { Context, View } from "./view";

const EVERY = 30_000; // ms
const SHADES = 9; // of the scale, in app.css

interface Measure {
  unit: string;
  decimals: number;
  least: number; // what the colours go over at least: less is no reason to look alarming
  of: (module: Tower["modules"][number]) => (number | null)[] | null;
}

const MEASURES: Record<"voltage" | "temperature" | "resistance", Measure> = {
  voltage: { unit: "V", decimals: 3, least: 0.02, of: (module) => module.cells?.map((cell) => cell.voltage) ?? null },
  temperature: { unit: "°C", decimals: 0, least: 4, of: (module) => module.cells?.map((cell) => cell.temperature) ?? null },
  resistance: { unit: "mΩ", decimals: 2, least: 0.1, of: (module) => module.resistances },
};
type Name = keyof typeof MEASURES;

export function makeBattery(context: Context): View {
  const body = h("div", { "aria-busy": true }, h("p", { class: "wait" }, text("loading")));
  const spread = makeSpread(context);
  let shown: Name = "voltage";
  let state: BatteryState | undefined;

  function draw(): void {
    if (!state) return;
    const towers = state.towers;
    const known = state;
    body.replaceChildren(
      ...(towers.length
        ? towers.map((tower, n) => drawTower(tower, towers.length > 1 ? ` ${n + 1}` : "", known))
        : [h("p", { class: "card wait" }, text("noBattery"))]),
    );
    body.removeAttribute("aria-busy");
    spread.element.hidden = !towers.length;
  }

  function drawTower(tower: Tower, mark: string, known: BatteryState): HTMLElement {
    const measure = MEASURES[shown];
    const all = tower.modules.flatMap((module) => measure.of(module) ?? []).filter((each): each is number => each !== null);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const extra = Math.max(0, measure.least - (high - low)) / 2;
    const shade = (value: number) => Math.min(SHADES - 1, Math.floor(((value - low + extra) / (high - low + 2 * extra)) * SHADES));
    return h(
      "section",
      { class: "card tower" },
      h("h2", {}, `${text("battery")}${mark}`),
      facts([
        [text("charge"), percent(known.up ? tower.soc : null, 1)],
        [text("state"), known.up && tower.status ? statusOf(tower.status) : NOTHING],
        [text("health"), percent(tower.soh)],
        [text("voltage"), amount(known.up ? tower.voltage : null, "V", 1)],
        [text("current"), amount(known.up ? tower.current : null, "A", 1)],
        [text("temperature"), amount(known.up ? tower.temperature : null, "°C", 1)],
        [text("capacity"), amount(tower.capacity, "Ah", 1)],
        [text("cycles"), tower.cycles === null ? NOTHING : number(tower.cycles, 0)],
        [text("stored"), energy(tower.stored)],
        [text("given"), energy(tower.used)],
        [text("efficiency"), percent(tower.efficiency)],
        [text("serial"), tower.serial || NOTHING],
      ]),
      choice(mark),
      all.length > 0
        ? h(
            "p",
            { class: "extremes" },
            ...[
              `${text("lowest")} ${amount(low, measure.unit, measure.decimals)}`,
              `${text("highest")} ${amount(high, measure.unit, measure.decimals)}`,
              `${text("spread")} ${measure.unit === "V" ? amount((high - low) * 1000, "mV", 0) : amount(high - low, measure.unit, measure.decimals)}`,
              ...(known.age === null ? [] : [text("cellsRead", { age: age(known.age) })]),
            ].map((part) => h("span", {}, part)),
          )
        : h("p", { class: "wait" }, text("cellsUnknown")),
      ...tower.modules.map((module) => {
        const values = measure.of(module);
        return h(
          "div",
          { class: known.up ? "module" : "module past-values" },
          h("h3", {}, `${text("module")} ${module.number}`, h("span", {}, ` ${module.serial ?? ""}`)),
          h(
            "ol",
            { class: "cells" },
            ...Array.from({ length: 24 }, (_, n) => {
              const value = values?.[n] ?? null;
              return h(
                "li",
                { class: value === null ? "cell" : `cell shade-${shade(value)}` },
                h("span", { class: "hidden" }, `${text("cell")} ${n}: `),
                value === null ? NOTHING : number(value, measure.decimals),
                h("span", { class: "hidden" }, ` ${measure.unit}`),
              );
            }),
          ),
        );
      }),
    );
  }

  function choice(mark: string): HTMLElement {
    return h(
      "fieldset",
      { class: "choice" },
      h("legend", { class: "hidden" }, text("measure")),
      ...(Object.keys(MEASURES) as Name[]).map((name) =>
        h(
          "label",
          {},
          h("input", {
            type: "radio",
            name: `measure${mark}`,
            value: name,
            checked: name === shown,
            change: () => {
              shown = name;
              draw();
              body.querySelector<HTMLInputElement>(`input[value="${name}"]`)?.focus();
            },
          }),
          `${text(name)} (${MEASURES[name].unit})`,
        ),
      ),
    );
  }

  const look = context.trying(async () => {
    const news = await get<BatteryState>("/api/battery", { inverter: context.name });
    if (JSON.stringify({ ...news, age: 0 }) !== JSON.stringify({ ...state, age: 0 }) || !state) {
      const focused = body.contains(document.activeElement);
      state = news;
      draw();
      if (focused) body.querySelector<HTMLInputElement>(`input[value="${shown}"]`)?.focus();
    }
  });

  const timer = setInterval(() => void look(), EVERY);
  void look();
  return {
    element: h("div", {}, body, spread.element),
    close: () => {
      clearInterval(timer);
      spread.close();
    },
  };
}

/** Return what a battery is busy with; 0 says that it is neither calibrated nor balanced. */
function statusOf(status: Label): HTMLElement | string {
  return status.number === 0 ? text("normal") : labelled(status);
}
