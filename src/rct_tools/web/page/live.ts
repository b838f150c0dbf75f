// What is known now: server-sent events into a table of values, each with its age.

import { ask } from "./api";

export interface Value {
  value: number | string | boolean | null;
  unit: string;
  time: number; // UTC, milliseconds
  age: number; // milliseconds, when it was told
  lasts: number; // milliseconds for which it is fresh
  meaning?: string;
  told: number; // when that was, on the clock of the page
}

export interface Inverter {
  up: boolean;
  zone: string;
  age: number | null; // milliseconds since it said anything, when that was told
  told: number;
  absent: string[];
  objects: Record<string, Value>;
}

interface Message {
  whole: boolean;
  now: number; // UTC, milliseconds, on the clock of the collector
  inverters: Record<string, Omit<Inverter, "told">>;
}

export type Link = "connecting" | "open" | "lost";

const SILENCE = 15_000; // ms: something comes at least every five seconds
const PAUSE = 3000; // ms from one try to the next
const JUMP = 5000; // ms: so far apart the clocks are when this machine has slept

export class Live {
  link: Link = "connecting";
  inverters: Record<string, Inverter> = {};
  private source: EventSource | undefined;
  private heard = performance.now();
  private ahead = Date.now() - performance.now(); // of the collector's clock
  private offset = Date.now() - performance.now();
  private retry: number | undefined;

  /** `changed` is called after each message, `linked` when the connection is another. */
  constructor(
    private readonly changed: () => void,
    private readonly linked: (link: Link) => void,
    private readonly refused: () => void,
  ) {
    this.connect();
    setInterval(() => this.watch(), 1000);
  }

  /** Begin anew. */
  connect(): void {
    clearTimeout(this.retry);
    this.source?.close();
    this.heard = performance.now();
    this.source = new EventSource("/api/live");
    this.source.onmessage = (event: MessageEvent<string>) => this.take(JSON.parse(event.data) as Message);
    this.source.onerror = () => this.lose();
  }

  /** Hear nothing more, until connected anew. */
  close(): void {
    clearTimeout(this.retry);
    this.source?.close();
  }

  /** Return what time it is for the collector: UTC, milliseconds. The clock of this machine may be wrong. */
  now(): number {
    return this.ahead + performance.now();
  }

  private take(message: Message): void {
    const told = (this.heard = performance.now());
    this.ahead = message.now - told;
    const before = message.whole ? {} : this.inverters;
    this.inverters = message.whole ? {} : { ...before };
    for (const [name, news] of Object.entries(message.inverters)) {
      const objects = { ...before[name]?.objects };
      for (const [key, value] of Object.entries(news.objects)) objects[key] = { ...value, told };
      this.inverters[name] = { ...news, objects, told };
    }
    this.set("open");
    this.changed();
  }

  private lose(): void {
    this.source?.close();
    this.set("lost");
    clearTimeout(this.retry);
    this.retry = window.setTimeout(() => void this.again(), PAUSE);
  }

  /** Connect again, unless one must log in first, which an EventSource does not tell. */
  private async again(): Promise<void> {
    try {
      const answer = await ask("/api/session", { redirect: "manual" }, SILENCE / 1000);
      if (answer.type === "opaqueredirect" || answer.status === 401) location.reload(); // a reverse proxy has its own login
      const session = (await answer.json()) as { open: boolean };
      if (session.open) this.connect();
      else this.refused();
    } catch {
      this.lose();
    }
  }

  private set(link: Link): void {
    if (link !== this.link) {
      this.link = link;
      this.linked(link);
    }
  }

  /** Find a connection that is dead without a word, and a machine that has slept, whose ages are all too short. */
  private watch(): void {
    const offset = Date.now() - performance.now();
    const slept = offset - this.offset > JUMP;
    this.offset = offset;
    if (this.link === "open" && (slept || performance.now() - this.heard > SILENCE)) {
      this.set("lost");
      this.connect();
    }
  }
}

/** Return how old a value is now, in milliseconds. */
export function ageOf(value: Value): number {
  return value.age + performance.now() - value.told;
}

/** Return whether an inverter answers, as far as is known. */
export function isHere(inverter: Inverter, link: Link): boolean {
  return inverter.up && link === "open";
}

/** Return a number while it is fresh; null for what is not known now. */
export function fresh(inverter: Inverter, name: string, link: Link): number | null {
  const value = inverter.objects[name];
  if (!value || typeof value.value !== "number" || !isHere(inverter, link)) return null;
  return ageOf(value) <= value.lasts ? value.value : null;
}
