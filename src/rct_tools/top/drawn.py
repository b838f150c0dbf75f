"""A part of the screen that a function draws anew, in the room that there is."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual.widgets import Static


class Drawn(Static):
    """What ``draw`` returns for a width and a height, in columns and lines."""

    def __init__(self, draw: Callable[[int, int], Text], *, id: str) -> None:  # noqa: A002  # as textual calls it
        super().__init__(id=id, markup=False)
        self._draw = draw

    def render(self) -> Text:
        """Return what is there now."""
        return self._draw(self.content_size.width, self.content_size.height)


def aligned(left: Text, right: Text, width: int) -> Text:
    """Return a line with one text at each end; where both have no room, the left one is cut."""
    room = width - right.cell_len
    if room <= 1:
        return right
    left.truncate(room - 1, overflow="ellipsis")
    left.append(" " * (room - left.cell_len))
    return left + right
