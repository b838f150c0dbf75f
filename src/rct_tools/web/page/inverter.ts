// The inverter itself: its state, its connection, and every object with its value.

import { type FoundObject, type InverterState, get } from "./api";
import { facts, h, say } from "./elements";
import { NOTHING, age, number, plain } from "./format";
import { ageOf } from "./live";
import { faultList, labelled, termText } from "./terms";
import { text } from "./texts";
import { list } from "./tiles";
import type { Context, View } from "./view";

const EVERY = 10_000; // ms
const MOST = 60; // objects that are shown; the search finds the others

export function makeInverter(context: Context): View {
  const about = h("div", { "aria-busy": true }, h("p", { class: "wait" }, text("loading")));
  const rows = h("tbody", {});
  const count = h("p", { role: "status", class: "count" });
  const live = new Map<string, { value: HTMLElement; age: HTMLElement }>();
  const search = h("input", { type: "search", id: "search", placeholder: text("searchObjects"), input: () => void find() });
  let asked = 0;

  const look = context.trying(async () => {
    const state = await get<InverterState>("/api/inverter", { inverter: context.name });
    about.replaceChildren(describe(state));
    about.removeAttribute("aria-busy");
  });

  function describe(state: InverterState): HTMLElement {
    const { health } = state;
    const faults = health?.faults;
    const names = ["requests", "repeated", "unanswered", "cut", "damaged", "reconnects"] as const;
    return facts([
      [text("name"), health?.name || context.name],
      [text("state"), state.up && health?.state ? labelled(health.state) : NOTHING],
      [text("faults"), !faults || !state.up ? NOTHING : faults.length ? faultList(faults) : text("noFaults")],
      [text("strategy"), health?.strategy ? labelled(health.strategy) : NOTHING],
      [text("separated"), health?.separated === null || !health || !state.up ? NOTHING : text(health.separated ? "yes" : "no")],
      [text("firmware"), health?.firmware || NOTHING],
      [text("serial"), health?.serial || NOTHING],
      [text("address"), state.peer],
      [text("link"), health ? names.filter((name) => name === "requests" || health.quality[name]).map((name) => `${number(health.quality[name], 0)} ${text(name)}`).join(", ") : NOTHING],
      [
        text("others"),
        state.clients.length
          ? list(state.clients.map((c) => `${c.host}: ${text("clientRequests", { requests: c.requests, connected: c.connected })}`))
          : text(health?.quality.others ? "othersSeen" : "none"),
      ],
      [text("mute"), state.mute.length ? list(state.mute) : text("none")],
    ]);
  }

  const find = context.trying(async () => {
    const turn = ++asked;
    const { objects } = await get<{ objects: FoundObject[] }>("/api/objects", { inverter: context.name, search: search.value.trim() });
    if (turn !== asked) return; // a newer search has been answered, or will be
    const order = [...objects].sort((a, b) => Number(b.age !== null) - Number(a.age !== null));
    const shown = order.slice(0, MOST);
    say(count, text("objectsCount", { shown: shown.length, all: objects.length }));
    live.clear();
    rows.replaceChildren(
      ...shown.map((object) => {
        const value = h("td", { class: "number", "data-name": text("value") }, show(object.value, object.unit, object.meaning));
        const old = h("td", { class: "number", "data-name": text("age") }, object.age === null ? text("notRead") : age(object.age));
        live.set(object.name, { value, age: old });
        return h(
          "tr",
          {},
          h("td", { "data-name": text("name") }, h("code", {}, object.name), h("small", { lang: "en" }, object.description)),
          value,
          old,
        );
      }),
    );
    update();
  });

  function update(): void {
    const { objects } = context.inverter();
    for (const [name, cells] of live) {
      const known = objects[name];
      if (!known) continue;
      say(cells.value, show(known.value, known.unit, known.meaning));
      say(cells.age, age(ageOf(known)));
      cells.value.parentElement?.classList.toggle("old", ageOf(known) > known.lasts || !context.inverter().up);
    }
  }

  const timer = setInterval(() => void look(), EVERY);
  void look();
  void find();
  return {
    element: h(
      "div",
      {},
      h("section", { class: "card" }, h("h2", {}, text("inverter")), about),
      h(
        "section",
        { class: "card" },
        h("h2", {}, text("objects")),
        h("label", { for: "search", class: "hidden" }, text("searchObjects")),
        search,
        count,
        h(
          "table",
          { class: "rows objects" },
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, text("name")), h("th", { scope: "col", class: "number" }, text("value")), h("th", { scope: "col", class: "number" }, text("age")))),
          rows,
        ),
      ),
    ),
    update,
    close: () => clearInterval(timer),
  };
}

function show(value: unknown, unit: string, meaning = ""): string {
  if (Array.isArray(value) || (typeof value === "object" && value !== null)) return "…";
  return meaning ? `${plain(value, unit)} (${termText(meaning)})` : plain(value, unit);
}
