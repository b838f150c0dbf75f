"""A stand-in for the room of Home Assistant, with its interface and nothing behind it: it announces nothing."""
# ruff: noqa: ARG002

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from rct_tools.plan import Source
from rct_tools.reading import Reading

_FORBIDDEN: Final = re.compile(r"^\$|[+#/\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Message(NamedTuple):
    """What is to be published."""

    topic: str
    payload: str
    retain: bool


def topic_level(name: str) -> str:
    """Return a name as one level of a topic: what MQTT or a broker forbids there becomes ``_``."""
    return _FORBIDDEN.sub("_", name) or "_"


class HomeAssistant:
    """Nothing is announced."""

    def __init__(self, sources: Sequence[Source], *, prefix: str, discovery: str = "homeassistant") -> None:
        self.subscriptions: tuple[str, ...] = ()

    def take(self, reading: Reading) -> list[Message]:
        """Return what a reading is for Home Assistant."""
        return []

    def born(self) -> list[Message]:
        """Return everything known again."""
        return []

    def is_stale(self, topic: str, payload: str) -> bool:
        """Tell whether a retained message is one of ours that nobody wants any more."""
        return False
