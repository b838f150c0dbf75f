// The view for a tablet on the wall: all of now on one screen that stays awake, with a clock, and nothing to press.

import { h, say } from "./elements";
import { TIME, moment } from "./format";
import { makeNow } from "./now";
import { text } from "./texts";
import type { Context, View } from "./view";

const SHIFTS = [0, 1, 2, 3, 2, 1, 0, -1, -2, -3, -2, -1]; // px aside, and down: one a minute, so that nothing burns in

export function makeKiosk(context: Context): View {
  const now = makeNow(context);
  const clock = h("time", { class: "clock" });
  const leave = h("a", { href: context.path("/"), class: "leave", "aria-label": text("leaveKiosk") }, "×");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const element = h("div", {}, h("div", { class: "kiosk-head" }, clock, leave), now.element);
  const awake = stayAwake();

  function update(): void {
    now.update?.();
    say(clock, moment(context.now(), context.inverter().zone, TIME));
    const minute = still.matches ? 0 : Math.floor(Date.now() / 60_000);
    document.body.style.setProperty("--aside", `${SHIFTS[minute % SHIFTS.length]}px`);
    document.body.style.setProperty("--down", `${SHIFTS[(minute + 3) % SHIFTS.length]}px`);
  }

  function key(event: KeyboardEvent): void {
    if (event.key === "Escape") leave.click();
  }

  document.addEventListener("keydown", key);
  update();
  return {
    element,
    update,
    close: () => {
      document.removeEventListener("keydown", key);
      for (const name of ["--aside", "--down"]) document.body.style.removeProperty(name);
      awake.close();
      now.close?.();
    },
  };
}

/** Keep the screen on while the page is seen, where the browser lets it: over TLS, or on the same machine. */
function stayAwake(): { close: () => void } {
  let lock: WakeLockSentinel | undefined;
  let isOver = false;

  async function ask(): Promise<void> {
    if (!("wakeLock" in navigator) || document.visibilityState !== "visible") return;
    try {
      const found = await navigator.wakeLock.request("screen"); // which ends by itself when the page is hidden
      if (isOver) void found.release();
      else lock = found;
    } catch {
      // the battery of the tablet is low, say: it may dim, and all else goes on
    }
  }

  const again = () => void ask();
  document.addEventListener("visibilitychange", again);
  again();
  return {
    close: () => {
      isOver = true;
      document.removeEventListener("visibilitychange", again);
      void lock?.release();
    },
  };
}
