// Fingers on a chart: one shows the values where it is, two draw time out or together, as a map is.

import type uPlot from "uplot";

interface Finger {
  x: number; // px from the left of the plot
  time: number; // what was there when it, or the last of two, came down
}

/** Follow fingers on a stage, whose plot and times may change; a pen or a mouse is none. */
export function followFingers(stage: HTMLElement, chart: { plot: () => uPlot | undefined; times: number[] }): void {
  const fingers = new Map<number, Finger>();

  function place(event: PointerEvent, plot: uPlot): number {
    return event.clientX - plot.over.getBoundingClientRect().left;
  }

  /** Take hold of the times that are under the fingers now. */
  function hold(plot: uPlot): void {
    for (const finger of fingers.values()) finger.time = plot.posToVal(finger.x, "x");
  }

  function down(event: PointerEvent): void {
    const plot = chart.plot();
    if (event.pointerType !== "touch" || !plot) return;
    fingers.set(event.pointerId, { x: place(event, plot), time: 0 });
    hold(plot);
    stage.focus({ preventScroll: true }); // so that what is looked at is not drawn anew meanwhile
  }

  function move(event: PointerEvent): void {
    const [plot, finger] = [chart.plot(), fingers.get(event.pointerId)];
    if (!plot || !finger) return;
    finger.x = place(event, plot);
    const [one, other] = fingers.values();
    if (one && other) draw(plot, one, other);
    else plot.setCursor({ left: finger.x, top: 0 });
  }

  /** Show the times so that each finger stays on what it holds, as far as there are times. */
  function draw(plot: uPlot, one: Finger, other: Finger): void {
    const [first, last] = [chart.times[0]!, chart.times.at(-1)!];
    const scale = (other.time - one.time) / (other.x - one.x); // seconds a px
    const shortest = 2 * (chart.times[1]! - first);
    const span = Math.min(last - first, scale * plot.over.clientWidth);
    if (!Number.isFinite(scale) || span < shortest) return;
    const min = Math.min(last - span, Math.max(first, one.time - one.x * scale));
    plot.setScale("x", { min, max: min + span });
  }

  function up(event: PointerEvent): void {
    const plot = chart.plot();
    if (fingers.delete(event.pointerId) && plot) hold(plot);
  }

  stage.addEventListener("pointerdown", down);
  stage.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"] as const) stage.addEventListener(name, up);
}
