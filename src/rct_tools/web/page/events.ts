// The event log of the inverter, with a filter.

import { type LoggedEvent, get } from "./api";
import { h, say } from "./elements";
import { DATE_TIME, amount, duration, moment, plain } from "./format";
import { term, termText } from "./terms";
import { text } from "./texts";
import { failure } from "./told";
import type { Context, View } from "./view";

const EVERY = 60_000; // ms, as seldom as the server asks
const PATIENCE = 120; // seconds: an inverter gives its log page by page

export function makeEvents(context: Context): View {
  const rows = h("tbody", {});
  const count = h("p", { role: "status", class: "count" }, text("loading"));
  let all: LoggedEvent[] = [];
  const filter = h("input", { type: "search", id: "filter", placeholder: text("filterEvents"), input: () => draw() });

  function draw(): void {
    const wanted = filter.value.trim().toLowerCase();
    const found = all.filter((event) => `${termText(event.name)} ${event.name} ${event.object ?? ""} ${event.type}`.toLowerCase().includes(wanted));
    say(count, found.length || !all.length ? text("eventsCount", { shown: found.length, all: all.length }) : text("noEvents"));
    const { zone } = context.inverter();
    rows.replaceChildren(
      ...found.map((event) =>
        h(
          "tr",
          {},
          h("td", { "data-name": text("begin") }, moment(event.begin, zone, { ...DATE_TIME, second: "2-digit" }) + (event.sure ? "" : ` (${text("unsure")})`)),
          h("td", { "data-name": text("event") }, h("strong", {}, term(event.name))),
          h("td", { "data-name": text("what") }, what(event)),
          h("td", { "data-name": text("duration") }, event.end === null ? "" : duration((event.end - event.begin) / 1000)),
        ),
      ),
    );
  }

  const look = context.trying(async () => {
    try {
      all = (await get<{ events: LoggedEvent[] }>("/api/events", { inverter: context.name }, undefined, PATIENCE)).events;
      draw();
    } catch (error) {
      say(count, ...failure(error));
      throw error;
    }
  });

  const timer = setInterval(() => void look(), EVERY);
  void look();
  return {
    element: h(
      "section",
      { class: "card" },
      h("h2", {}, text("events")),
      h("label", { for: "filter", class: "hidden" }, text("filter")),
      filter,
      count,
      h(
        "table",
        { class: "rows" },
        h("thead", {}, h("tr", {}, ...(["begin", "event", "what", "duration"] as const).map((key) => h("th", { scope: "col" }, text(key))))),
        rows,
      ),
    ),
    close: () => clearInterval(timer),
  };
}

function what(event: LoggedEvent): string {
  if (event.object) return `${event.object}: ${plain(event.old, event.unit)} → ${plain(event.new, event.unit)}`;
  if (event.value !== null) return amount(event.value, event.unit, 2);
  return event.new === null ? "" : `${plain(event.old, "")} → ${plain(event.new, "")}`;
}
