"""An inverter on a terminal, live: where power flows, how it went, and what is wrong.

    await show(Inverter(client, zone))

What is drawn is a ``live.Picture``; where it comes from is a Source. Textual draws it, and is imported only then.
"""

from __future__ import annotations

from importlib.util import find_spec

from rct_tools.errors import ConfigError
from rct_tools.top.collected import Collected, collected
from rct_tools.top.inverter import Inverter
from rct_tools.top.page import Page
from rct_tools.top.recorded import Recorded
from rct_tools.top.source import Source

__all__ = ["Collected", "Inverter", "Page", "Recorded", "Source", "collected", "is_there", "require", "show"]


def is_there() -> bool:
    """Tell whether textual is installed."""
    return find_spec("textual") is not None


def require() -> None:
    """Raise ConfigError where textual is not installed."""
    if not is_there():
        raise ConfigError("a live view needs more than the core: pip install 'rct-tools[top]'")


async def show(source: Source, *, step: int | None = None, seconds: float | None = None) -> None:
    """Show it on the terminal until its user quits, or for some seconds; ``step`` is what a column stands for first.

    Raises ConfigError where textual is not installed, KeyboardInterrupt on Ctrl-C, and what ends the source.
    """
    require()
    from rct_tools.top.app import Top

    await Top(source, step=step, seconds=seconds).show()
