"""A simulated inverter that says of some objects something else, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TypeAlias

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.simulator import Simulator
from rct_tools.simulator.faults import HEALTHY, Faults

NOON = datetime(2024, 6, 21, 12, 0, 0)  # noqa: DTZ001  # what the clock on the wall shows

Said: TypeAlias = Mapping[str, bytes | None]
"""Payloads by pattern of names, in which * stands for anything; None for silence. The first that fits counts."""


class Answering(Simulator):
    """The inverter, at noon, with its clock held; from the first request for ``until`` on it says nothing any more."""

    def __init__(self, said: Said, *, until: str = "", faults: Faults = HEALTHY, latency: float = 0.0) -> None:
        super().__init__(port=0, latency=latency, broadcast=False, speed=0.0, start=NOON, faults=faults)
        self._silent_from = until
        self._is_silent = False
        self._said = {pattern.replace("[", "[[]"): payload for pattern, payload in said.items()}

    def _answer(self, request: Frame) -> Frame | None:
        name = registry.describe(request.object_id).name
        self._is_silent = self._is_silent or name == self._silent_from
        if self._is_silent:
            return None
        for pattern, payload in self._said.items():
            if fnmatchcase(name, pattern):
                return None if payload is None else Frame(Command.RESPONSE, request.object_id, payload)
        return super()._answer(request)
