"""Replies that a request has cut, where no type tells: texts, and objects that nobody knows the type of.

A stub has a right checksum and a length that fits. Numbers and structures have a size, so a stub is seen; a text may
have any, but an inverter always sends the whole of its memory for it, NUL included.
"""

from __future__ import annotations

from typing import Final

from rct_tools.objects import ObjectInfo
from rct_tools.values import DataType

_OF_ANY_SIZE: Final = frozenset({DataType.STRING, DataType.UNKNOWN})
_MOST: Final = 4096  # objects remembered; there are 895


class Stubs:
    """Knows how long the payloads of an inverter are, to tell those that were cut."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}  # id of an object -> bytes of its payload
        self._doubted: dict[int, int] = {}  # the same -> bytes of one that was shorter

    def is_cut(self, info: ObjectInfo, payload: bytes) -> bool:
        """Return whether a payload seems to be cut; if the next one is as long, it is believed."""
        if info.data_type not in _OF_ANY_SIZE:
            return False
        key, size = info.object_id, len(payload)
        known = self._sizes.get(key)
        odd = size < known if known is not None else info.data_type is DataType.STRING and b"\0" not in payload
        if odd and self._doubted.pop(key, None) != size:
            self._doubted[key] = size
            return True
        self._doubted.pop(key, None)
        self._sizes[key] = size
        for table in (self._sizes, self._doubted):
            if len(table) > _MOST:
                del table[next(iter(table))]
        return False
