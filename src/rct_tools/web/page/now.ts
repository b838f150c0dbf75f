// The view of now: the picture, its values in words, the energies of today, and what is wrong.

import { type InverterState, get } from "./api";
import { facts, h, say } from "./elements";
import { Flow, type Powers } from "./flow";
import { energy, percent } from "./format";
import { type Inverter, type Link, fresh } from "./live";
import { text } from "./texts";
import type { Context, View } from "./view";

const EVERY = 20_000; // ms from one look at the energies to the next
const TOLD = 30_000; // ms from one change that is said aloud to the next

/** Return what flows now, as far as it is fresh. */
export function powersOf(inverter: Inverter, link: Link): Powers {
  const of = (name: string) => fresh(inverter, name, link);
  const isAbsent = (component: string) => inverter.absent.includes(component);
  const sunA = isAbsent("string A") ? 0 : of("dc_conv.dc_conv_struct[0].p_dc");
  const sunB = isAbsent("string B") ? 0 : of("dc_conv.dc_conv_struct[1].p_dc");
  return {
    sun: sunA === null || sunB === null ? null : sunA + sunB,
    sunA: isAbsent("string A") ? null : sunA,
    sunB: isAbsent("string B") ? null : sunB,
    external: of("io_board.s0_external_power"),
    house: of("g_sync.p_ac_load_sum_lp"),
    battery: of("g_sync.p_acc_lp"),
    grid: of("g_sync.p_ac_grid_sum_lp"),
    charge: of("battery.soc"),
    hasBattery: !isAbsent("battery"),
  };
}

export function makeNow(context: Context): View {
  const flow = new Flow();
  const aloud = h("p", { class: "aloud", role: "status", "aria-live": "polite" });
  const today = h("div", { class: "tiles" });
  const faults = h("div", {});
  let saidAt = -TOLD;

  function update(): void {
    const words = flow.show(powersOf(context.inverter(), context.link()));
    if (performance.now() - saidAt > TOLD && aloud.textContent !== words) {
      saidAt = performance.now();
      say(aloud, words);
    }
  }

  async function look(): Promise<void> {
    try {
      const state = await get<InverterState>("/api/inverter", { inverter: context.name });
      const energies = state.up ? state.health?.today : undefined;
      today.replaceChildren(
        tile("made", energy(energies?.made)),
        tile("used", energy(energies?.used)),
        tile("imported", energy(energies?.imported)),
        tile("fed_in", energy(energies?.fed_in)),
        tile("self_consumption", percent(energies?.self_consumption)),
        tile("autarky", percent(energies?.autarky)),
      );
      const found = state.up ? (state.health?.faults ?? []) : [];
      faults.replaceChildren(
        ...(found.length
          ? [h("section", { class: "card trouble", role: "alert" }, h("h2", {}, text("faults")), list(found.map((f) => `${f.text} (${f.number})`)))]
          : []),
      );
    } catch (error) {
      context.fail(error);
    }
  }

  const timer = setInterval(() => void look(), EVERY);
  void look();
  update();
  return {
    element: h(
      "div",
      { class: "now" },
      faults,
      h("section", { class: "card picture" }, h("h2", { class: "hidden" }, text("flowTitle")), flow.element, aloud),
      h(
        "section",
        { class: "card" },
        h("h2", {}, text("today")),
        today,
        h("p", {}, h("a", { href: context.path("/day"), class: "more" }, `${text("past")} →`)),
      ),
    ),
    update,
    close: () => clearInterval(timer),
  };
}

const TILES = {
  made: "made",
  used: "used",
  imported: "imported",
  fed_in: "fedIn",
  self_consumption: "selfConsumption",
  autarky: "autarky",
} as const;

/** Return a value that stands for itself. */
export function tile(key: keyof typeof TILES, value: string): HTMLElement {
  return facts([[text(TILES[key]), value]], `tile ${key}`);
}

export function list(items: string[]): HTMLElement {
  return h("ul", {}, ...items.map((item) => h("li", {}, item)));
}

