// What a view is: made once when it is shown, told when something is new, and closed when another takes its place.

import type { Inverter, Link } from "./live";

export interface Context {
  name: string; // of the inverter
  inverter: () => Inverter; // as it is known now
  link: () => Link;
  now: () => number; // UTC, milliseconds, on the clock of the collector
  query: URLSearchParams;
  /** Return the path of a view, for the inverter that is shown. */
  path: (view: string, query?: Record<string, string>) => string;
  /** Go to a path. */
  go: (path: string) => void;
  /** Return the same, so that a failure is shown in one line until it has been done. */
  trying: (work: () => Promise<void>) => () => Promise<void>;
  /** Who asked must log in first: let them. */
  refuse: () => void;
}

export interface View {
  element: HTMLElement;
  /** Something may be new, or a second has passed. */
  update?: () => void;
  close?: () => void;
}
