"""Readings that a sink has taken or refused, and that are still in the spool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """Readings beyond a number, up to another one."""

    when: float  # seconds, on a steady clock, at which they were settled
    first: int
    last: int
    size: int  # readings


class Settled:
    """All of them. What was taken is removed after some seconds, as Outbox says; what was refused, at once."""

    def __init__(self, hold: float) -> None:
        self._hold = hold
        self._spans: list[Span] = []
        self._apart: dict[int, str] = {}  # numbers of those that were refused, and why

    @property
    def size(self) -> int:
        """How many readings these are."""
        return sum(span.size for span in self._spans)

    def __contains__(self, number: int) -> bool:
        return any(span.first < number <= span.last for span in self._spans)

    def add(self, span: Span, reason: str) -> None:
        """Take note of readings; with a ``reason``, of the one that was refused for it."""
        self._spans.append(span)
        if reason:
            self._apart[span.last] = reason

    def due(self, now: float) -> tuple[Sequence[Span], Mapping[int, str]]:
        """Return what may be removed by now; and of that, the numbers of those to be set apart, and why."""
        spans = [span for span in self._spans if span.last in self._apart or now - span.when >= self._hold]
        return spans, {span.last: self._apart[span.last] for span in spans if span.last in self._apart}

    def removed(self, spans: Sequence[Span], apart: Mapping[int, str]) -> None:
        """Forget what ``due`` has returned."""
        gone = set(spans)
        self._spans = [span for span in self._spans if span not in gone]
        for number in apart:
            del self._apart[number]
