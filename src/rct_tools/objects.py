"""The objects an inverter knows: id, name, type, unit, labels.

The table is that of rctclient, corrected and completed by objects.toml beside this file.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from rct_tools.errors import DecodeError, UnknownObject
from rct_tools.values import DataType, Event, Value, decode_value, encode_value

RATIO: Final = "ratio"
"""The unit of values from 0 to 1; people are shown percent."""

_NEAREST: Final = 3
_UNTOUCHABLE: Final = frozenset({"com_service", "pas.period"})


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object: what it is called, how its payload is laid out, and what its value means."""

    object_id: int
    name: str
    data_type: DataType
    unit: str = ""  # "" for none
    description: str = ""
    labels: Mapping[int, str] = field(default_factory=dict, compare=False, repr=False)  # value -> what it means
    bits: Mapping[int, str] = field(default_factory=dict, compare=False, repr=False)  # number of a bit -> what it means
    private: bool = False  # whether its value tells whose inverter it is
    reported: bool = False  # whether newer firmware tells it every half a minute without being asked

    @property
    def is_untouchable(self) -> bool:
        """Whether it is never written: that could erase the flash or the log, or end what others are told regularly."""
        return self.name in _UNTOUCHABLE

    @property
    def is_query(self) -> bool:
        """Whether it is asked by writing a time: a page of history comes back."""
        return self.data_type in (DataType.TIMESERIES, DataType.EVENT_TABLE)

    def decode(self, payload: bytes) -> Value:
        """Return the value in a payload. Raises DecodeError, with the object's name."""
        try:
            return decode_value(self.data_type, payload)
        except DecodeError as exc:
            raise DecodeError(exc.expected, payload, self.name) from exc

    def encode(self, value: Value) -> bytes:
        """Return the payload for a value. Raises EncodeError."""
        return encode_value(self.data_type, value)

    def meaning(self, value: Value) -> str:
        """Return what a number means, by label or by the bits that are set; "" when it has no such meaning."""
        if isinstance(value, bool) or not isinstance(value, int):
            return ""
        if self.bits:
            return ", ".join(self.bits[bit] for bit in self.bits_set(value))
        return self.labels.get(value, "")

    def bits_set(self, value: int) -> list[int]:
        """Return the numbers of the bits of a value that are set and mean something; ``bits`` has what."""
        return [bit for bit in self.bits if value >> bit & 1]


class Registry:
    """All objects, by name (``registry["battery.soc"]``) and by id (``registry[0x959930BF]``)."""

    def __init__(self, objects: Iterable[ObjectInfo], events: Mapping[int, str] | None = None) -> None:
        self._by_name = {info.name: info for info in objects}
        self._by_id = {info.object_id: info for info in self._by_name.values()}
        self.events: Mapping[int, str] = events or {}  # type of an event -> what it is about

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[ObjectInfo]:
        return iter(self._by_name.values())

    def __contains__(self, key: str | int) -> bool:
        return key in self._by_name or key in self._by_id

    def __getitem__(self, key: str | int) -> ObjectInfo:
        """Return the object of exactly this name or id. Raises UnknownObject."""
        info = self._by_name.get(key) if isinstance(key, str) else self._by_id.get(key)
        if info is None:
            raise self._unknown(key if isinstance(key, str) else f"{key:#010x}")
        return info

    def describe(self, object_id: int) -> ObjectInfo:
        """Return the object of this id, or for an unknown one a stand-in: the id as its name, its payload as bytes."""
        return self._by_id.get(object_id) or ObjectInfo(object_id, f"0x{object_id:08X}", DataType.UNKNOWN)

    def find(self, asked: str) -> ObjectInfo:
        """Return the object meant by a name, a prefix that only one name has, or an id written ``0x…``.

        An id in nobody's table is good: the device may know it. Raises UnknownObject with the nearest names.
        """
        if asked in self._by_name:
            return self._by_name[asked]
        if asked[:2].lower() == "0x":
            try:
                object_id = int(asked, 16)
            except ValueError:
                object_id = -1
            if not 0 <= object_id <= 0xFFFFFFFF:
                raise UnknownObject(asked, (), "an object id is 0x and up to eight hex digits, not")
            return self.describe(object_id)
        matches = [name for name in self._by_name if asked and name.startswith(asked)]
        if len(matches) == 1:
            return self._by_name[matches[0]]
        if matches:
            raise UnknownObject(asked, sorted(matches)[:_NEAREST], f"{len(matches)} objects begin with")
        raise self._unknown(asked)

    def match(self, pattern: str) -> list[ObjectInfo]:
        """Return the objects whose name or description holds the pattern, by name.

        ``*`` stands for anything; case does not count.
        """
        search = re.compile(_glob(pattern), re.IGNORECASE).search
        matches = (info for info in self if search(info.name) or search(info.description))
        return sorted(matches, key=lambda info: info.name)

    def event_name(self, event: Event) -> str:
        """Return what an event of the event table is about."""
        return self.events.get(event.type, f"type 0x{event.type:02x}")

    def nearest(self, asked: str) -> list[str]:
        """Return the names that may be meant by a wrong one, the likeliest first."""

        # Names share long beginnings, so the nearest by spelling is often a mere sibling: look at the last part too.
        wanted = asked.lower()

        def likeness(name: str) -> float:
            whole = difflib.SequenceMatcher(None, wanted, name.lower()).ratio()
            last = difflib.SequenceMatcher(None, wanted.rpartition(".")[2], name.lower().rpartition(".")[2]).ratio()
            return whole + last

        return sorted(self._by_name, key=likeness, reverse=True)[:_NEAREST]

    def _unknown(self, asked: str) -> UnknownObject:
        return UnknownObject(asked, self.nearest(asked))


def _glob(pattern: str) -> str:
    return ".*".join(map(re.escape, pattern.split("*")))


def load_registry() -> Registry:
    """Return rctclient's object table with the corrections of objects.toml."""
    # Imported here so that a program that reads no table does not wait for it.
    from rctclient.registry import REGISTRY

    extra = tomllib.loads(files("rct_tools").joinpath("objects.toml").read_text(encoding="utf-8"))
    objects = {
        info.name: ObjectInfo(
            info.object_id,
            info.name,
            DataType[info.response_data_type.name],
            info.unit or "",
            info.description or "",
            MappingProxyType(info.enum_map or {}),
        )
        for info in REGISTRY.all()
    }
    _correct(objects, extra["private"], private=True)
    _correct(objects, extra["reported"], reported=True)
    for unit, patterns in extra["units"].items():
        _correct(objects, patterns, unit=unit)
    for data_type, patterns in extra["types"].items():
        _correct(objects, patterns, data_type=DataType[data_type])
    for name, text in extra["descriptions"].items():
        _correct(objects, [name], description=text)
    for name, labels in extra["labels"].items():
        _correct(objects, [name], labels=_numbered(labels))
    for name, bits in extra["bits"].items():
        _correct(objects, [name], bits=_numbered(bits))
    faults: list[str] = extra["faults"]
    for register in range(len(faults) // 32):
        texts = faults[register * 32 : register * 32 + 32]
        _correct(objects, [f"fault[{register}].flt"], bits=MappingProxyType(dict(enumerate(texts))))
    return Registry(objects.values(), MappingProxyType(dict(enumerate(faults))))


def _correct(objects: dict[str, ObjectInfo], patterns: Iterable[str], **changes: Any) -> None:
    for pattern in patterns:
        matches = [name for name in objects if re.fullmatch(_glob(pattern), name)]
        if not matches:
            raise UnknownObject(pattern, (), "objects.toml names an")
        for name in matches:
            objects[name] = replace(objects[name], **changes)


def _numbered(labels: Mapping[str, str]) -> Mapping[int, str]:
    return MappingProxyType({int(number): text for number, text in labels.items()})


registry: Final = load_registry()
