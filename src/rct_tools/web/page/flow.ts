// The picture of where the power goes, drawn by hand: four places around a hub, and what flows between them.

import { s, say } from "./elements";
import { percent, power } from "./format";
import { type Texts, text } from "./texts";

/** What flows now, in W; null for what is not known. */
export interface Powers {
  sun: number | null;
  sunA: number | null;
  sunB: number | null;
  external: number | null;
  house: number | null;
  battery: number | null; // positive: discharge; undefined where there is none
  grid: number | null; // positive: import
  charge: number | null; // 0 to 1
  hasBattery: boolean;
}

interface Place {
  x: number;
  y: number;
  name: keyof Texts;
  icon: string;
  /** Positive: into the hub. */
  into: (powers: Powers) => number | null;
  way: (watts: number) => keyof Texts;
}

const STILL = 10; // W: less is noise of the measurement, and nothing that flows
const RADIUS = 54;
const CENTRE = 200;
const STEPS = [500, 2000]; // W: from there on it moves faster

/** Each place, and the way in which power of either sign goes there. */
const PLACES: Record<string, Place> = {
  sun: {
    x: 200,
    y: 70,
    name: "sun",
    icon: "M0-5a5 5 0 1 0 0 10a5 5 0 1 0 0-10M0-12v4M0 8v4M-12 0h4M8 0h4M-8.5-8.5l2.8 2.8M5.7 5.7l2.8 2.8M-8.5 8.5l2.8-2.8M5.7-5.7l2.8-2.8",
    into: (p) => p.sun,
    way: () => "noPower",
  },
  grid: {
    x: 70,
    y: 200,
    name: "grid",
    icon: "M-7 12L-2-12H2L7 12M-9-5H9M-7-5L-4 3H4L7-5M-4 3L6 11M4 3L-6 11",
    into: (p) => p.grid,
    way: (watts) => (watts > 0 ? "importing" : "feeding"),
  },
  house: {
    x: 330,
    y: 200,
    name: "house",
    icon: "M-11 0L0-11L11 0M-8-2V11H8V-2M-2.500 11V4H2.500V11",
    into: (p) => (p.house === null ? null : -p.house),
    way: () => "noPower",
  },
  battery: {
    x: 200,
    y: 330,
    name: "battery",
    icon: "M-6-9H6V12H-6ZM-2.500-9V-12H2.500V-9M1-5L-3 3H3L-1 9",
    into: (p) => p.battery,
    way: (watts) => (watts > 0 ? "discharging" : "charging"),
  },
};

const AROUND = 2 * Math.PI * (RADIUS + 5);

interface Drawn {
  place: Place;
  group: SVGGElement;
  line: SVGGElement;
  arrow: SVGPathElement;
  watts: SVGTextElement;
  note: SVGTextElement;
}

export class Flow {
  readonly element: SVGSVGElement;
  private readonly drawn: Record<string, Drawn> = {};
  private readonly title = s("title", { id: "flow-title" }, text("flowTitle"));
  private readonly description = s("desc", { id: "flow-description" });
  private readonly strings = [
    s("text", { x: 134, y: 46, class: "string", "text-anchor": "end" }),
    s("text", { x: 134, y: 66, class: "string", "text-anchor": "end" }),
    s("text", { x: 266, y: 72, class: "string" }),
    s("text", { x: 266, y: 92, class: "string" }),
  ] as const;
  private readonly charge = s("circle", {
    class: "charge",
    cx: PLACES["battery"]!.x,
    cy: PLACES["battery"]!.y,
    r: RADIUS + 5,
    transform: `rotate(-90 ${PLACES["battery"]!.x} ${PLACES["battery"]!.y})`,
  });

  constructor() {
    const lines = s("g", {});
    const places = s("g", {});
    for (const [key, place] of Object.entries(PLACES)) {
      const drawn = this.draw(key, place);
      this.drawn[key] = drawn;
      lines.append(drawn.line);
      places.append(drawn.group);
    }
    this.drawn["battery"]!.group.prepend(
      s("circle", { class: "ring", cx: PLACES["battery"]!.x, cy: PLACES["battery"]!.y, r: RADIUS + 5 }),
      this.charge,
    );
    this.element = s(
      "svg",
      { viewBox: "0 0 400 418", class: "flow", role: "img", "aria-labelledby": "flow-title flow-description" },
      this.title,
      this.description,
      lines,
      s("circle", { class: "hub", cx: CENTRE, cy: CENTRE, r: 9 }),
      places,
      ...this.strings,
    );
  }

  private draw(key: string, place: Place): Drawn {
    const { x, y } = place;
    const angle = Math.atan2(CENTRE - y, CENTRE - x);
    const [dx, dy] = [Math.round(Math.cos(angle)), Math.round(Math.sin(angle))];
    const gap = key === "battery" ? RADIUS + 8 : RADIUS;
    const path = `M${x + dx * gap} ${y + dy * gap}L${CENTRE - dx * 9} ${CENTRE - dy * 9}`;
    const arrow = s("path", { class: "arrow", d: "M-6-7L7 0L-6 7Z" });
    const watts = s("text", { class: "watts", x, y: y + 20, "text-anchor": "middle" });
    const below = { x, y: y + RADIUS + (key === "battery" ? 26 : 20), "text-anchor": "middle" };
    const note = s("text", { class: "note", ...(key === "sun" ? { x: 266, y: 46 } : below) }); // no line runs there
    return {
      place,
      arrow,
      watts,
      note,
      line: s("g", { class: `line ${key}` }, s("path", { class: "rail", d: path }), s("path", { class: "run", d: path }), arrow),
      group: s(
        "g",
        { class: `place ${key}` },
        s("circle", { class: "disc", cx: x, cy: y, r: RADIUS }),
        s("path", { class: "icon", d: place.icon, transform: `translate(${x} ${y - 18}) scale(1.15)` }),
        watts,
        note,
      ),
    };
  }

  /** Show what flows; return it in words, without numbers, for who cannot see it move. */
  show(powers: Powers): string {
    const said: string[] = [];
    const words: string[] = [];
    for (const [key, drawn] of Object.entries(this.drawn)) {
      if (key === "battery" && !powers.hasBattery) {
        drawn.group.classList.add("absent");
        drawn.line.classList.add("absent");
        continue;
      }
      drawn.group.classList.remove("absent");
      drawn.line.classList.remove("absent");
      const watts = drawn.place.into(powers);
      const name = text(drawn.place.name);
      this.move(drawn, watts);
      const way = watts === null ? text("unknown") : Math.abs(watts) < STILL ? text(key === "battery" ? "idle" : "noPower") : text(drawn.place.way(watts));
      const tells = key === "battery" || key === "grid";
      say(drawn.watts, power(watts));
      say(drawn.note, note(key, name, way, watts, powers.charge));
      drawn.group.classList.toggle("unknown", watts === null);
      said.push(`${name}: ${power(watts)}${tells && watts !== null ? ` ${way}` : ""}`);
      words.push(tells || watts === null || Math.abs(watts) < STILL ? `${name}: ${way}` : name);
    }
    if (powers.hasBattery) said.push(`${text("charge")}: ${percent(powers.charge)}`);
    const part = powers.charge ?? 0;
    this.charge.setAttribute("stroke-dasharray", `${(part * AROUND).toFixed(1)} ${AROUND.toFixed(1)}`);
    say(this.strings[0], powers.sunA === null ? "" : `A ${power(powers.sunA)}`);
    say(this.strings[1], powers.sunB === null ? "" : `B ${power(powers.sunB)}`);
    const hasMore = powers.external !== null && powers.external >= STILL;
    say(this.strings[2], hasMore ? text("external") : "");
    say(this.strings[3], hasMore ? power(powers.external) : "");
    say(this.description, `${said.join(", ")}.`);
    return words.join(", ");
  }

  private move(drawn: Drawn, watts: number | null): void {
    const { line, arrow, place } = drawn;
    const size = Math.abs(watts ?? 0);
    const flows = size >= STILL;
    const into = (watts ?? 0) > 0;
    const speed = STEPS.filter((step) => size >= step).length;
    line.setAttribute(
      "class",
      ["line", drawn.place.name, flows ? `flows speed-${speed}` : "", into ? "into" : "out-of"].filter(Boolean).join(" "),
    );
    const angle = (Math.atan2(CENTRE - place.y, CENTRE - place.x) * 180) / Math.PI + (into ? 0 : 180);
    const middle = (at: number) => at + (CENTRE - at) * 0.66;
    arrow.setAttribute("transform", `translate(${middle(place.x)} ${middle(place.y)}) rotate(${angle})`);
  }
}

function note(key: string, name: string, way: string, watts: number | null, charge: number | null): string {
  if (key === "battery" && charge !== null) return watts === null ? percent(charge) : `${percent(charge)} · ${way}`;
  if (watts === null) return name;
  if (key === "battery") return `${name} · ${way}`;
  return key === "grid" && Math.abs(watts) >= STILL ? `${name} · ${way}` : name;
}
