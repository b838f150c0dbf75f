// The frame around the views: which one is shown, of which inverter, and whether what it shows is of now.

import { Failed, Late, type Session, get, post } from "./api";
import { makeBattery } from "./battery";
import { makeControl } from "./control";
import { h, say } from "./elements";
import { makeEvents } from "./events";
import { TIME, age, moment } from "./format";
import { makeInverter } from "./inverter";
import { makeKiosk } from "./kiosk";
import { type Inverter, type Link, Live, isHere } from "./live";
import { makeLogin } from "./login";
import { makeNow } from "./now";
import { makePast } from "./past";
import { type Texts, language, text } from "./texts";
import { failure } from "./told";
import type { Context, View } from "./view";

const VIEWS: Record<string, { make: (context: Context) => View; name: keyof Texts; tab: string }> = {
  "/": { make: makeNow, name: "now", tab: "/" },
  "/day": { make: (context) => makePast("day", context), name: "day", tab: "/day" },
  "/week": { make: (context) => makePast("week", context), name: "week", tab: "/day" },
  "/month": { make: (context) => makePast("month", context), name: "month", tab: "/day" },
  "/year": { make: (context) => makePast("year", context), name: "year", tab: "/day" },
  "/battery": { make: makeBattery, name: "battery", tab: "/battery" },
  "/events": { make: makeEvents, name: "events", tab: "/events" },
  "/inverter": { make: makeInverter, name: "inverter", tab: "/inverter" },
  "/kiosk": { make: makeKiosk, name: "kiosk", tab: "/" },
  "/control": { make: makeControl, name: "control", tab: "/control" },
};
const TABS: [string, keyof Texts][] = [
  ["/", "now"],
  ["/day", "past"],
  ["/battery", "battery"],
  ["/events", "events"],
  ["/inverter", "inverter"],
  ["/control", "control"],
];
const SAID_AGAIN = 5000; // ms that it is shown that the connection is back

const main = h("main", { id: "main", tabindex: -1 }, h("p", { class: "wait" }, text("connecting")));
const heading = h("h1", {}, text("title"));
const freshness = h("p", { class: "freshness" });
const banner = h("p", { class: "banner", role: "status", hidden: true });
const trouble = h("p", { class: "banner error", role: "alert", hidden: true });
const tabs = h("nav", { class: "main-tabs", "aria-label": text("views") });
const chooser = h("select", { "aria-label": text("chooseInverter"), hidden: true, change: () => choose() });
const logout = h("button", { type: "button", class: "plain", hidden: true, click: () => void leave() }, text("logout"));

let live: Live | undefined;
let view: View | undefined;
let marked = ""; // the path that the tabs were made for; they stay, or who uses keys would lose their place
let shown = ""; // the path and inverter of the view
let troubles = new Map<object, unknown>(); // why something in the view failed, by what was tried
let hasSaidLost = false;
let hasPassword = true; // or it is a reverse proxy that logs people in
let heardAt: number | undefined; // UTC, milliseconds: how old what is shown is, while there is no connection
let steered: string[] = []; // the inverters that may be steered by who is logged in

document.documentElement.lang = language;
document.body.append(
  h("a", { href: "#main", class: "skip" }, text("skip")),
  h("header", {}, heading, chooser, freshness, logout),
  tabs,
  h("div", { class: "banners" }, banner, trouble),
  main,
);

function query(): URLSearchParams {
  return new URLSearchParams(location.search);
}

/** Return the inverter that the address names, or the first there is. */
function chosen(): string | undefined {
  const names = Object.keys(live?.inverters ?? {});
  const asked = query().get("inverter");
  return names.find((name) => name === asked) ?? names[0];
}

function pathOf(path: string, more: Record<string, string> = {}): string {
  const asked = query().get("inverter");
  const parts = new URLSearchParams({ ...(asked ? { inverter: asked } : {}), ...more });
  return parts.size ? `${path}?${parts}` : path;
}

function choose(): void {
  go(`${location.pathname}?${new URLSearchParams({ inverter: chooser.value })}`);
}

function go(path: string): void {
  history.pushState(null, "", path);
  show();
  scrollTo(0, 0);
}

/** Show what the address says, if that is another view than before. */
function show(): void {
  const name = chosen();
  const found = VIEWS[location.pathname] ?? VIEWS["/"]!;
  const mark = `${location.pathname}${location.search} ${name && steered.includes(name)}`;
  if (marked !== mark) {
    marked = mark;
    document.body.classList.toggle("kiosk", found.make === makeKiosk);
    document.title = `${text(found.name)} – ${text("title")}`;
    for (const [path, label] of TABS) {
      const tab = tabs.querySelector(`.tab-${label}`) ?? tabs.appendChild(h("a", { class: `tab-${label}` }, text(label)));
      tab.setAttribute("href", pathOf(path));
      tab.toggleAttribute("hidden", path === "/control" && !(name && steered.includes(name)));
      if (path === found.tab) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
  }
  if (!live || !name) return;
  const key = `${location.pathname}${location.search} ${name}`;
  if (key === shown) return;
  const focus = main.contains(document.activeElement);
  shown = key;
  view?.close?.();
  troubles = new Map();
  complain();
  const source = live;
  view = found.make({
    name,
    inverter: () => source.inverters[name] ?? GONE,
    link: () => source.link,
    now: () => source.now(),
    query: query(),
    path: pathOf,
    go,
    trying,
    refuse: login,
  });
  main.replaceChildren(view.element);
  if (focus) main.focus({ preventScroll: true });
}

const GONE: Inverter = { up: false, zone: "UTC", age: null, told: 0, absent: [], objects: {} };

function trying(work: () => Promise<void>): () => Promise<void> {
  const mine = troubles; // of the view that is being made: who has left it is told nothing of it
  return async () => {
    const why = await work().then(() => undefined, (error: unknown) => error);
    if (mine !== troubles) return;
    if (why instanceof Failed && why.status === 401) login();
    else if (why) troubles.set(work, why);
    else troubles.delete(work);
    complain();
  };
}

/** Show what fails now, if that is not the connection, of which the banner tells. */
function complain(): void {
  const why = [...troubles.values()].find((error) => error instanceof Failed || (error instanceof Late && live?.link === "open"));
  if (why) say(trouble, ...failure(why));
  trouble.hidden = !why;
}

/** Say how old what is shown is, and whether it is of now. */
function tell(): void {
  const name = chosen();
  const inverter = name ? live?.inverters[name] : undefined;
  const link: Link = live?.link ?? "connecting";
  if (!live || link === "connecting") return;
  document.body.classList.toggle("away", !inverter || !isHere(inverter, link));
  if (link === "lost") {
    warn(text("lost"));
    say(freshness, heardAt === undefined ? "" : text("heardAt", { time: moment(heardAt, inverter?.zone ?? "UTC", TIME) }));
    return;
  }
  if (!inverter || !name) {
    warn(text("noInverter"));
    if (!view) main.replaceChildren(); // there is nothing that it waits for
    return;
  }
  const old = inverter.age === null ? null : inverter.age + performance.now() - inverter.told;
  heardAt = old === null ? undefined : live.now() - old;
  say(freshness, old === null ? "" : text("updated", { age: age(old) })); // no live region: it would be read each second
  if (inverter.up) {
    if (!hasSaidLost) banner.hidden = true;
  } else {
    warn(old === null ? text("neverHeard") : text("away", { time: moment(live.now() - old, inverter.zone, TIME) }));
  }
}

function warn(said: string): void {
  say(banner, said);
  banner.className = "banner";
  banner.hidden = false;
}

function linked(link: Link): void {
  if (link === "open" && hasSaidLost) {
    say(banner, text("again"));
    banner.className = "banner good";
    banner.hidden = false;
    setTimeout(() => {
      hasSaidLost = false;
      tell();
    }, SAID_AGAIN);
  }
  if (link === "lost") hasSaidLost = true;
  if (link === "lost") tell();
  complain();
}

function changed(): void {
  const names = Object.keys(live?.inverters ?? {});
  if (chooser.options.length !== names.length) {
    chooser.replaceChildren(...names.map((each) => h("option", { value: each }, each)));
    chooser.hidden = names.length < 2;
    heading.classList.toggle("hidden", !chooser.hidden); // which says the name, too
    void know();
  }
  const name = chosen();
  if (name) {
    chooser.value = name;
    say(heading, name);
  }
  show();
  refresh();
}

function refresh(): void {
  tell();
  view?.update?.();
}

function login(): void {
  view?.close?.();
  view = undefined;
  shown = "";
  troubles = new Map();
  complain();
  banner.hidden = true;
  main.replaceChildren(hasPassword ? makeLogin(() => begin()) : h("p", { class: "wait" }, text("loginElsewhere")));
  main.querySelector<HTMLInputElement>("#password")?.focus();
}

async function leave(): Promise<void> {
  live?.close(); // else the server would cut it off, which browsers report as an error
  try {
    await post<Session>("/api/logout", {});
  } finally {
    location.href = "/";
  }
}

function begin(): void {
  if (live) live.connect();
  else live = new Live(changed, linked, login);
  show();
  void know();
}

/** Ask what who is here may do. */
async function know(): Promise<void> {
  try {
    const session = await get<Session>("/api/session");
    logout.hidden = !session.password || session.user !== "";
    steered = session.control;
    show();
  } catch {
    // the connection is lost, which is said elsewhere
  }
}

addEventListener("popstate", show);
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || event.defaultPrevented) return;
  const to = new URL(link.getAttribute("href") ?? "", location.href); // a link in a picture has no parts of its own
  if (to.origin !== location.origin || !(to.pathname in VIEWS) || to.hash) return;
  event.preventDefault();
  go(to.pathname + to.search);
});
setInterval(refresh, 1000);
show();
get<Session>("/api/session").then(
  (session) => {
    hasPassword = session.password;
    if (session.open) begin();
    else login();
  },
  () => begin(),
);
