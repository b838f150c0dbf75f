"""Objects, searched by name and description, with their live values."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Input

from rct_tools.display import show_value
from rct_tools.objects import ObjectInfo, registry
from rct_tools.top.drawn import Drawn
from rct_tools.top.head import ago
from rct_tools.top.source import Source


class Objects(Screen[None]):
    """A search; what is in sight is asked for while it is."""

    CSS = """
    Objects Input { height: 3; border: round $foreground; background: $background; }
    Objects #found { height: 1fr; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back"),
        Binding("down", "scroll(1)", "Down", priority=True),
        Binding("up", "scroll(-1)", "Up", priority=True),
        Binding("pagedown", "page(1)", "Page down", priority=True, show=False),
        Binding("pageup", "page(-1)", "Page up", priority=True, show=False),
    ]

    def __init__(self, source: Source, head: Callable[[int, int], Text]) -> None:
        """``head`` draws the line above all."""
        super().__init__()
        self._source = source
        self._head = head
        self._found: list[ObjectInfo] = registry.match("")
        self._first = 0

    def compose(self) -> ComposeResult:
        """Make the parts of the screen."""
        yield Drawn(self._head, id="head")
        yield Input(placeholder="a part of a name or a description; * stands for anything")
        yield Drawn(self._draw, id="found")
        yield Footer(show_command_palette=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Search for what is written."""
        self._found = registry.match(event.value.strip())
        self._first = 0
        self.query_one("#found").refresh()

    def action_scroll(self, lines: int) -> None:
        """Go on by so many lines."""
        self._first = min(max(self._first + lines, 0), max(len(self._found) - 1, 0))
        self.query_one("#found").refresh()

    def action_page(self, pages: int) -> None:
        """Go on by so many screens."""
        self.action_scroll(pages * max(self.query_one("#found").content_size.height - 1, 1))

    def _draw(self, width: int, height: int) -> Text:
        seen = self._found[self._first : self._first + max(height - 1, 0)]
        self._source.want(seen)
        last = self._first + len(seen)
        head = f"{self._first + 1} to {last} of {len(self._found)}" if seen else "no object has this in its name"
        names = max([len(info.name) for info in seen], default=0)
        return Text("\n").join([Text(head, "dim"), *(self._line(info, names, width) for info in seen)])

    def _line(self, info: ObjectInfo, names: int, width: int) -> Text:
        reading = self._source.newest(info.name)
        name = Text(f"{info.name:<{names}} ")
        if info.is_query:
            return name.append("a log: see rct history, rct events", "dim")
        if reading is None:
            return name.append(f"{'no answer' if self._source.is_silent(info.name) else '-':>16}", "dim")
        value = f"{show_value(info, reading.value):>16}  {info.meaning(reading.value)}"
        name.append(value)
        name.truncate(max(width - 10, 0), overflow="ellipsis", pad=True)
        return name.append(f"{ago(self._source.age(reading)):>9}", "dim")
