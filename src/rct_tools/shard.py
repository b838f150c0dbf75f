"""Which of several processes reads an inverter: the same one, whoever else is there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from rct_tools.errors import ConfigError
from rct_tools.setups import Setup


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` processes, numbered from 1, that share the inverters of one configuration.

    Each inverter goes to the process whose number and its name together have the highest hash. So all agree without
    a word, and when their count changes, only those inverters move that must.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard written ``I/N``, as in ``1/2``. Raises ConfigError."""
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise ConfigError(f"{text!r} is no shard; expected its number and their count, as in 1/2 and 2/2")
        return cls(int(number), int(count))

    def has(self, inverter: str) -> bool:
        """Return whether an inverter of this name is read here."""
        return owner(inverter, range(1, self.count + 1)) == self.number

    def part(self, setup: Setup) -> Setup:
        """Return what this process does of a setup."""
        return replace(setup, inverters=tuple(i for i in setup.inverters if self.has(i.name)))


def owner(inverter: str, shards: Sequence[int]) -> int:
    """Return the shard that has an inverter."""
    return max(shards, key=lambda shard: hashlib.blake2b(f"{shard}/{inverter}".encode(), digest_size=8).digest())
