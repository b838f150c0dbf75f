// Curves over time, by uPlot: what they are of on the left, charge on the right; for eyes, pointers and keys.

import uPlot from "uplot";
import { h, say } from "./elements";
import { followFingers } from "./fingers";
import { DATE_TIME, NOTHING, TIME, amount, moment, percent, power } from "./format";
import { type Texts, text } from "./texts";

export interface Line {
  key: string; // its colour is --key
  label: string;
  values: (number | null)[];
  isShare: boolean; // else it is what the chart is of
  isEdge?: boolean; // one of two, the upper first, between which there is colour
}

/** What a chart is of, beside shares. */
export interface Subject {
  name: keyof Texts;
  show: (value: number) => string;
  tick: (value: number, all: number[]) => string;
  /** Return where the axis begins and ends. */
  range: (low: number, high: number) => [number, number];
  form?: Intl.DateTimeFormatOptions; // how a time is written; without, as long as the chart needs it
  open?: (seconds: number) => void; // where a time leads
}

export const POWERS: Subject = {
  name: "chartLabel",
  show: (value) => (value < -0.5 ? "−" : "") + power(value),
  tick: (value, all) => amount(value / 1000, "kW", all.some((each) => each % 100) ? 2 : all.some((each) => each % 1000) ? 1 : 0),
  range: (low, high) => {
    const [bottom, top] = [Math.min(0, low), Math.max(1000, high)]; // it holds nothing, and some room
    return [bottom < 0 ? Math.floor((bottom * 1.05) / 500) * 500 : 0, Math.ceil((top * 1.05) / 500) * 500];
  },
};

const NARROW = 600; // px
const LOW = 180; // px: the axes of lower ones have little room for names
const [LETTER, LARGEST] = [12, 18]; // px of the names at the axes
const TEXT = 17; // px of the text around, where they have that size; on a large wall tablet it is larger, and they grow along
const READING = 60_000; // ms after somebody has pointed at it: then nobody reads it any more
const DAYS = 20 * 86_400; // seconds: beyond, times of day say little
let count = 0; // of charts so far, each of which has help of its own

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
  private pressed = { x: 0, at: null as number | null };
  private reading: ReturnType<typeof setTimeout> | undefined;
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");
  private readonly redraw = () => this.draw();
  private readonly sizes = new ResizeObserver(() => this.resize());

  constructor(
    private readonly times: number[], // UTC, seconds
    private readonly lines: Line[],
    private readonly zone: string,
    private readonly isLong: boolean, // more than a day
    private readonly subject = POWERS,
  ) {
    const help = `chart-help-${++count}`;
    this.stage = h("div", {
      class: "stage",
      tabindex: 0,
      role: "application",
      "aria-label": text(subject.name),
      "aria-describedby": help,
      keydown: (event: KeyboardEvent) => this.key(event),
      pointerdown: (event: PointerEvent) => this.press(event),
      pointermove: () => this.read(),
      click: (event: PointerEvent) => this.click(event),
      blur: () => this.point(null),
    });
    this.readout = h("span", { class: "when" });
    this.values = lines.map(() => h("output", {}));
    this.element = h(
      "div",
      { class: "chart" },
      h("div", { class: "legend" }, this.readout, ...lines.map((line, index) => this.entry(line, index))),
      this.stage,
      h("p", { class: "help", id: help }, text(subject.open ? "chartOpens" : "chartHelp")),
      h("p", { class: "help touched" }, text("chartFingers")),
    );
    followFingers(this.stage, { plot: () => this.plot, times });
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
    return Math.max(80, this.stage.clientHeight); // as the style sheet wants it
  }

  private resize(): void {
    if (!this.plot) this.draw();
    else if (this.plot.width !== this.width || this.plot.height !== this.height) this.plot.setSize({ width: this.width, height: this.height });
  }

  private draw(): void {
    this.plot?.destroy();
    const [ink, lattice] = [colour("soft"), colour("lattice")];
    const shares = this.lines.some((line) => line.isShare);
    const narrow = this.width < NARROW;
    const around = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const letter = narrow ? LETTER : Math.min(LARGEST, Math.max(LETTER, (LETTER * around) / TEXT));
    const room = (size: number) => Math.round((size * letter) / LETTER);
    const axis = {
      stroke: ink,
      grid: { stroke: lattice, width: 1 },
      ticks: { stroke: lattice, width: 1, size: narrow ? 4 : 10 },
      font: `${letter}px system-ui, sans-serif`,
    };
    const edges = this.lines.flatMap((line, index) => (line.isEdge ? [index + 1] : []));
    this.plot = new uPlot(
      {
        width: this.width,
        height: this.height,
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.zone),
        legend: { show: false },
        padding: [10, shares ? 0 : 22, 0, 0],
        cursor: { y: false, drag: { x: true, y: false }, points: { size: 7 } },
        scales: { x: { time: true }, left: { range: (_, low, high) => this.subject.range(low ?? 0, high ?? 0) }, share: { range: [0, 1] } },
        axes: [
          { ...axis, size: room(narrow ? 28 : 34), space: room(narrow ? 56 : 70), values: (_, splits) => splits.map((split) => this.tick(split)) },
          { ...axis, scale: "left", size: room(narrow ? 58 : 64), space: room(this.height < LOW ? 16 : 30), values: (_, splits) => splits.map((split) => this.subject.tick(split, splits)) },
          ...(shares
            ? [{ ...axis, scale: "share", side: 1 as const, size: room(narrow ? 46 : 58), grid: { show: false }, splits: () => (this.height < LOW ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]), values: (_: uPlot, splits: number[]) => splits.map((split) => percent(split)) }]
            : []),
        ],
        series: [
          {},
          ...this.lines.map((line) => ({
            show: !this.hidden.has(line.key),
            scale: line.isShare ? "share" : "left",
            stroke: colour(line.key),
            width: line.isEdge ? 1 : line.isShare ? 1.5 : 2,
            ...(line.isShare ? { dash: [6, 4] } : {}),
            ...(line.key === "sun" ? { fill: colour("sun-fill") } : {}),
            points: { show: true, size: 5, fill: colour(line.key), filter: (plot: uPlot, n: number) => lone(plot.data[n]!) },
          })),
        ],
        ...(edges.length ? { bands: [{ series: edges as uPlot.Band.Bounds, fill: colour("charge-fill") }] } : {}),
        hooks: { setCursor: [(plot) => this.point(plot.cursor.idx ?? null)] },
      },
      [this.times, ...this.lines.map((line) => line.values)] as uPlot.AlignedData,
      this.stage,
    );
  }

  private get isOfDays(): boolean {
    return (this.times.at(-1) ?? 0) - (this.times[0] ?? 0) > DAYS;
  }

  private tick(seconds: number): string {
    const time = moment(seconds * 1000, this.zone, TIME);
    if (time !== "00:00") return time;
    if (this.isOfDays) return moment(seconds * 1000, this.zone, { month: "short", day: "numeric" });
    return this.isLong ? moment(seconds * 1000, this.zone, { weekday: "short", day: "numeric" }).replace(/[.,]/g, "") : time;
  }

  /** Show the values at a place; without one, none. */
  private point(index: number | null): void {
    this.at = index;
    const time = index === null ? undefined : this.times[index];
    const form = this.subject.form ? this.subject.form : this.isOfDays ? DATE_TIME : this.isLong ? { weekday: "short" as const, ...TIME } : TIME;
    say(this.readout, time === undefined ? "" : moment(time * 1000, this.zone, form));
    this.lines.forEach((line, n) => {
      const value = index === null ? null : (line.values[index] ?? null);
      say(this.values[n]!, index === null ? "" : value === null ? NOTHING : line.isShare ? percent(value) : this.subject.show(value));
    });
  }

  private press(event: PointerEvent): void {
    this.pressed.x = event.clientX;
    this.read();
  }

  /** What has the focus is not drawn anew; who pointed at it and went away gives it back, or an old day would stay. */
  private read(): void {
    clearTimeout(this.reading);
    this.reading = setTimeout(() => this.stage.blur(), READING);
  }

  /** Go where the place leads that was clicked; a finger shows its values first, and dragging only zooms. */
  private click(event: PointerEvent): void {
    const isTold = event.pointerType !== "touch" || this.pressed.at === this.at;
    this.pressed.at = this.at;
    if (isTold && Math.abs(event.clientX - this.pressed.x) < 4) this.open();
  }

  private open(): void {
    const time = this.at === null ? undefined : this.times[this.at];
    if (time !== undefined) this.subject.open?.(time);
  }

  private key(event: KeyboardEvent): void {
    const plot = this.plot;
    clearTimeout(this.reading); // who uses keys goes away by keys
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
    } else if (event.key === "Enter" && this.subject.open) {
      this.open();
    } else if (event.key === "Escape") {
      plot.setScale("x", { min: this.times[0]!, max: this.times[last]! });
    } else return;
    event.preventDefault();
  }
}

/** Return the places of values that have none beside them: no line would show them. */
function lone(values: ArrayLike<number | null | undefined>): number[] {
  const isThere = (n: number) => values[n] !== null && values[n] !== undefined;
  return Array.from(values, (_, n) => n).filter((n) => isThere(n) && !isThere(n - 1) && !isThere(n + 1));
}
