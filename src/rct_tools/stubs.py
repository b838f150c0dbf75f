"""Replies that a request has cut, where no type tells: texts, and objects that nobody knows the type of.

A stub has a right checksum and a length that fits. Numbers and structures have a size, so a stub is seen; a text may
have any, but an inverter always sends the whole of its memory for it, NUL included.
"""

from __future__ import annotations

from typing import Final

from rct_tools.objects import ObjectInfo
from rct_tools.recent import Recent
from rct_tools.values import DataType

_OF_ANY_SIZE: Final = frozenset({DataType.STRING, DataType.UNKNOWN})
_ENOUGH: Final = 3  # times that a payload has to come shorter than before
_ENOUGH_AT_FIRST: Final = 2  # and times where nothing came before
_MOST: Final = 4096  # objects remembered; there are 895


class Stubs:
    """Knows how long the payloads of an inverter are, to tell those that were cut."""

    def __init__(self) -> None:
        self._sizes: Recent[int, int] = Recent(_MOST)  # id of an object -> bytes of its payload
        self._doubted: Recent[int, tuple[int, int]] = Recent(_MOST)  # the same -> bytes of an odd one, and how often

    def is_cut(self, info: ObjectInfo, payload: bytes) -> bool:
        """Return whether a payload seems to be cut; if it comes as long again and again, it is believed."""
        if info.data_type not in _OF_ANY_SIZE:
            return False
        key, size = info.object_id, len(payload)
        known = self._sizes.get(key)
        odd = size < known if known is not None else info.data_type is DataType.STRING and b"\0" not in payload
        doubted, times = self._doubted.pop(key, (-1, 0))
        if odd:
            times = times + 1 if doubted == size else 1
            if times < (_ENOUGH if known is not None else _ENOUGH_AT_FIRST):
                self._doubted.put(key, (size, times))
                return True
        self._sizes.put(key, size)
        return False
