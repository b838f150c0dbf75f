"""What keys do, and how the picture is read."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

TEXT: Final = """\
/   search objects, see their values    s   what a column stands for
h   today, as it is remembered          p   stand still, and go on
?   this page                           q   quit; Ctrl-C, too

Arrows show where power flows: one from 20 W, two from 500 W, three from
3 kW. ╌╌╌ is nothing, ? is not known.

At the top right is how old the oldest of the powers is. What is older than
three times the time in which it is asked for is shown as -, as is what was
never answered: an old number is not shown as if it were new.

Powers are asked for every two seconds, energies, battery and faults every
half minute. What the inverter tells by itself is not asked for; with
--page, a collector asks, and the intervals are its own.

Esc closes this page."""


class Help(ModalScreen[None]):
    """A page over the picture."""

    CSS = """
    Help { align: center middle; }
    Help > VerticalScroll { width: 80; height: auto; max-height: 100%; border: round $foreground; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss", "Close"),
    ]

    def compose(self) -> ComposeResult:
        """Make the page."""
        with VerticalScroll():
            yield Static(TEXT, markup=False)
