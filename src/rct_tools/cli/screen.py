"""Whether there is a terminal that a live view can be drawn on."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

_COLOURS: Final = 8  # of a terminal with colours


def is_screen() -> bool:
    """Tell whether there is a terminal that can show more than lines. One without colours is told to be so."""
    terminal = os.environ.get("TERM", "")
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if not (sys.stdin.isatty() and sys.stdout.isatty() and encoding == "utf8") or terminal in ("dumb", "unknown"):
        return False
    with suppress(ImportError):  # Windows has no such table, and colours
        import curses

        with suppress(curses.error):
            curses.setupterm(terminal)
            if curses.tigetnum("colors") < _COLOURS:
                os.environ["NO_COLOR"] = "1"
    return True
