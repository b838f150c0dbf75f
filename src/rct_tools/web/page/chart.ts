// Curves over time, by uPlot: powers on the left, charge on the right; for eyes, pointers and keys.

import uPlot from "uplot";
import { h, say } from "./elements";
import { NOTHING, TIME, moment, number, percent, power } from "./format";
import { text } from "./texts";

export interface Line {
  key: string; // its colour is --key
  label: string;
  values: (number | null)[];
  isShare: boolean; // else a power
}

const HEIGHT = 340;
const LOW = 260; // px, on a phone

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export class Chart {
  readonly element: HTMLElement;
  private readonly stage: HTMLElement;
  private readonly readout: HTMLElement;
  private readonly values: HTMLElement[];
  private readonly hidden = new Set<string>();
  private plot: uPlot | undefined;
  private at: number | null = null;
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private readonly redraw = () => this.draw();
  private readonly sizes = new ResizeObserver(() => this.resize());

  constructor(
    private readonly times: number[], // UTC, seconds
    private readonly lines: Line[],
    private readonly zone: string,
    private readonly isLong: boolean, // more than a day
  ) {
    this.stage = h("div", {
      class: "stage",
      tabindex: 0,
      role: "application",
      "aria-label": text("chartLabel"),
      "aria-describedby": "chart-help",
      keydown: (event: KeyboardEvent) => this.key(event),
      blur: () => this.point(null),
    });
    this.readout = h("span", { class: "when" });
    this.values = lines.map(() => h("output", {}));
    this.element = h(
      "div",
      { class: "chart" },
      h("div", { class: "legend" }, this.readout, ...lines.map((line, index) => this.entry(line, index))),
      this.stage,
      h("p", { class: "help", id: "chart-help" }, text("chartHelp")),
    );
    this.dark.addEventListener("change", this.redraw);
    this.sizes.observe(this.stage);
    this.point(null);
  }

  close(): void {
    this.dark.removeEventListener("change", this.redraw);
    this.sizes.disconnect();
    this.plot?.destroy();
  }

  private entry(line: Line, index: number): HTMLElement {
    const box = h("input", {
      type: "checkbox",
      checked: true,
      change: () => {
        box.checked ? this.hidden.delete(line.key) : this.hidden.add(line.key);
        this.plot?.setSeries(index + 1, { show: box.checked });
      },
    });
    return h("label", { class: line.key }, box, h("span", { class: "name" }, line.label), this.values[index]);
  }

  private get width(): number {
    return Math.max(200, this.stage.clientWidth);
  }

  private get height(): number {
    return this.width < 600 ? LOW : HEIGHT;
  }

  private resize(): void {
    if (!this.plot) this.draw();
    else if (this.plot.width !== this.width) this.plot.setSize({ width: this.width, height: this.height });
  }

  private draw(): void {
    this.plot?.destroy();
    const [ink, lattice] = [colour("soft"), colour("lattice")];
    const axis = { stroke: ink, grid: { stroke: lattice, width: 1 }, ticks: { stroke: lattice, width: 1 }, font: "12px system-ui, sans-serif" };
    const shares = this.lines.some((line) => line.isShare);
    const narrow = this.width < 600;
    this.plot = new uPlot(
      {
        width: this.width,
        height: this.height,
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.zone),
        legend: { show: false },
        padding: [10, shares ? 0 : 10, 0, 0],
        cursor: { y: false, drag: { x: true, y: false }, points: { size: 7 } },
        scales: { x: { time: true }, W: { range: wide }, share: { range: [0, 1] } },
        axes: [
          { ...axis, size: 34, space: narrow ? 56 : 70, values: (_, splits) => splits.map((split) => this.tick(split)) },
          { ...axis, scale: "W", size: narrow ? 42 : 54, values: (_, splits) => splits.map((split) => number(split / 1000, splits.some((each) => each % 1000) ? 1 : 0)), label: narrow ? "" : "kW", labelSize: narrow ? 0 : 18, labelFont: "12px system-ui, sans-serif" },
          ...(shares
            ? [{ ...axis, scale: "share", side: 1 as const, size: narrow ? 54 : 58, grid: { show: false }, splits: [0, 0.25, 0.5, 0.75, 1], values: (_: uPlot, splits: number[]) => splits.map((split) => percent(split)) }]
            : []),
        ],
        series: [
          {},
          ...this.lines.map((line) => ({
            show: !this.hidden.has(line.key),
            scale: line.isShare ? "share" : "W",
            stroke: colour(line.key),
            width: line.isShare ? 1.5 : 2,
            ...(line.isShare ? { dash: [6, 4] } : {}),
            ...(line.key === "sun" ? { fill: colour("sun-fill") } : {}),
            points: { show: false },
          })),
        ],
        hooks: { setCursor: [(plot) => this.point(plot.cursor.idx ?? null)] },
      },
      [this.times, ...this.lines.map((line) => line.values)] as uPlot.AlignedData,
      this.stage,
    );
  }

  private tick(seconds: number): string {
    const time = moment(seconds * 1000, this.zone, TIME);
    if (this.isLong && time === "00:00") return moment(seconds * 1000, this.zone, { weekday: "short", day: "numeric" });
    return time;
  }

  /** Show the values at a place; without one, none. */
  private point(index: number | null): void {
    this.at = index;
    const time = index === null ? undefined : this.times[index];
    const form = this.isLong ? { weekday: "short" as const, ...TIME } : TIME;
    say(this.readout, time === undefined ? "" : moment(time * 1000, this.zone, form));
    this.lines.forEach((line, n) => {
      const value = index === null ? null : (line.values[index] ?? null);
      const sign = value !== null && value < -0.5 && !line.isShare ? "−" : "";
      say(this.values[n]!, index === null ? "" : value === null ? NOTHING : line.isShare ? percent(value) : sign + power(value));
    });
  }

  private key(event: KeyboardEvent): void {
    const plot = this.plot;
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12 };
    const last = this.times.length - 1;
    if (!plot || last < 1) return;
    const step = steps[event.key];
    if (step !== undefined) {
      const to = Math.min(last, Math.max(0, this.at === null ? (step > 0 ? 0 : last) : this.at + step));
      plot.setCursor({ left: plot.valToPos(this.times[to]!, "x"), top: 0 });
      this.point(to);
    } else if (event.key === "+" || event.key === "-") {
      const { min = this.times[0]!, max = this.times[last]! } = plot.scales["x"] as { min?: number; max?: number };
      const middle = this.at === null ? (min + max) / 2 : this.times[this.at]!;
      const factor = event.key === "+" ? 0.5 : 2;
      plot.setScale("x", {
        min: Math.max(this.times[0]!, middle - (middle - min) * factor),
        max: Math.min(this.times[last]!, middle + (max - middle) * factor),
      });
    } else if (event.key === "Escape") {
      plot.setScale("x", { min: this.times[0]!, max: this.times[last]! });
    } else return;
    event.preventDefault();
  }
}

/** Return where an axis of powers begins and ends: it holds nothing, and some room. */
function wide(_plot: uPlot, low: number | null, high: number | null): [number, number] {
  const [bottom, top] = [Math.min(0, low ?? 0), Math.max(1000, high ?? 0)];
  return [bottom < 0 ? Math.floor((bottom * 1.05) / 500) * 500 : 0, Math.ceil((top * 1.05) / 500) * 500];
}
