// Questions to the server. The contract is openapi.json.

import { text } from "./texts";

const PATIENCE = 60; // seconds: the store is searched for 20, maybe after others; a slow inverter is asked some twenty times

export class Failed extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly wait = 0, // seconds
    readonly said: Made | null = null, // what the message is made of
  ) {
    super(message);
  }
}

/** No answer has come in time; what was sent may be done all the same. */
export class Late extends Error {
  constructor(seconds: number) {
    super(text("late", { seconds }));
  }
}

/** Return what a path answers. Throws Failed, Late. */
export async function get<T>(path: string, query: Record<string, string> = {}, leaving?: AbortSignal, seconds = PATIENCE): Promise<T> {
  return answer(await ask(`${path}?${new URLSearchParams(query)}`, {}, seconds, leaving));
}

/** Send something. Throws Failed, Late. */
export async function post<T>(path: string, body: unknown, seconds = PATIENCE): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  return answer(await ask(path, { method: "POST", headers, body: JSON.stringify(body) }, seconds));
}

/** Return an answer that comes in time, all of it, while nobody leaves. Throws Late. */
export function ask(path: string, what: RequestInit, seconds: number, leaving?: AbortSignal): Promise<Response> {
  const end = new AbortController(); // AbortSignal.any is too new for a tablet that hangs on a wall
  setTimeout(() => end.abort(new Late(seconds)), seconds * 1000);
  leaving?.addEventListener("abort", () => end.abort(leaving.reason), { signal: end.signal }); // the view may stay for days
  if (leaving?.aborted) end.abort(leaving.reason);
  return fetch(path, { ...what, signal: end.signal });
}

async function answer<T>(response: Response): Promise<T> {
  const document = (await response.json()) as T & { error?: string; said?: Made };
  if (!response.ok) {
    const wait = Number(response.headers.get("Retry-After"));
    throw new Failed(response.status, document.error ?? response.statusText, wait, document.said);
  }
  return document;
}

/** What a sentence of the server is made of. */
export interface Made {
  code: string;
  values: Record<string, Part>;
}

export type Part =
  | string // a name, or what somebody wrote
  | number
  | Part[]
  | Made
  | { object: string; unit: string; labels: Record<string, string>; value: unknown }
  | { time: number } // UTC, milliseconds
  | { text: string }; // in English

export interface Session {
  password: boolean;
  open: boolean;
  user: string; // whom a reverse proxy has logged in
  control: string[]; // the inverters that may be steered
}

export interface Curves {
  zone: string;
  step: number; // seconds
  begin: number; // UTC, seconds
  curves: Record<string, { unit: string; values: (number | null)[] }>;
}

export interface Energies {
  made: number | null;
  used: number | null;
  imported: number | null;
  fed_in: number | null; // negative
  self_consumption: number | null;
  autarky: number | null;
}

export interface Slot extends Energies {
  begin: number; // UTC, seconds
  end: number;
  until: number | null;
  whole: boolean;
  charged: number | null;
  discharged: number | null;
  money: Money | null;
}

export interface Money {
  cost: number | null;
  earnings: number | null;
  savings: number | null;
  balance: number | null;
}

export interface Slots {
  zone: string;
  slots: Slot[];
  known: number;
  total: Energies;
  battery: { charged: number | null; discharged: number | null; known: number };
  currency: string | null;
  money: Money | null;
}

export interface Ranges {
  zone: string;
  begins: number[]; // UTC, seconds
  ranges: Record<string, { unit: string; low: (number | null)[]; mean: (number | null)[]; high: (number | null)[] }>;
}

export interface Label {
  number: number;
  text: string;
}

export interface InverterState {
  peer: string;
  zone: string;
  up: boolean;
  mute: string[];
  clients: { host: string; connected: number; requests: number }[];
  health: null | {
    name: string | null;
    serial: string | null;
    firmware: string | null;
    clock: string | null;
    state: Label | null;
    strategy: Label | null;
    separated: boolean | null;
    faults: Label[] | null;
    today: Energies;
    quality: Record<"requests" | "repeated" | "unanswered" | "cut" | "damaged" | "reconnects", number> & {
      others: boolean;
    };
  };
}

export interface Tower {
  status: Label | null;
  serial: string | null;
  soc: number | null;
  soh: number | null;
  voltage: number | null;
  current: number | null;
  temperature: number | null;
  capacity: number | null;
  cycles: number | null;
  stored: number | null;
  used: number | null;
  efficiency: number | null;
  modules: {
    number: number;
    serial: string | null;
    cycles: number | null;
    cells: { temperature: number; voltage: number }[] | null;
    resistances: number[] | null;
    voltage: number | null;
  }[];
}

export interface BatteryState {
  up: boolean;
  age: number | null; // milliseconds
  towers: Tower[];
}

export interface Apart {
  voltage: (number | null)[]; // V, from the lowest cell to the highest, by step
  temperature: (number | null)[]; // °C
}

export interface Spread {
  zone: string;
  step: number; // seconds
  begin: number; // UTC, seconds
  towers: (Apart & { modules: (Apart & { number: number })[] })[];
}

export interface LoggedEvent {
  begin: number; // UTC, milliseconds
  end: number | null;
  sure: boolean;
  type: number;
  name: string;
  object: string | null;
  old: unknown;
  new: unknown;
  value: number | null;
  unit: string;
}

export interface FoundObject {
  name: string;
  id: string | null;
  type: string;
  unit: string;
  description: string;
  value: unknown;
  age: number | null;
  meaning?: string;
}

export interface Change {
  object: string;
  unit: string;
  labels: Record<string, string>;
  old: number | boolean;
  new: number | boolean;
  changes?: Record<string, number | boolean | null>; // objects that change with it, and what they hold
  frame?: string | null; // null where the object holds the value already
}

export interface Foreseen {
  considered: string; // what an order says
  mode: string | null;
  seconds: number | null;
  first: Change[];
  writes: Change[];
  back: Change[];
}

export interface Outcome {
  considered: string;
  order: string;
  wanted: Made | null; // what order is made of
  who: string;
  by: Made | null; // what who is made of
  result: "accepted" | "done" | "refused" | "failed" | "ended";
  text: string;
  said: Made | null; // what text is made of
  time: number; // UTC, milliseconds
}

export interface Settable {
  object: string;
  unit: string;
  labels: Record<string, string>;
  type: string;
  low: number | null;
  high: number | null;
  decimals: number;
  now?: { value: unknown } | null;
}

export interface ControlState {
  mode: string | null;
  until: number | null; // UTC, milliseconds
  back: Change[];
  last: string;
  last_said: Made | null; // what last is made of
  longest: number; // seconds
  modes: { name: string; needs: string[]; takes: Record<string, Settable> }[];
  objects: Settable[];
  orders: Outcome[];
}
