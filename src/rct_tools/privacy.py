"""What in payloads tells whose inverter it is, and what stands for it in a capture that is shared.

A stand-in is as long as its original and of the same shape: a letter for a letter, a digit for a digit, and whatever
separates them as it is. It says nothing of the original but that: stand-ins are counted, in the order in which the
originals appear, and a stand-in is that count in wheels that turn, X Y Z A B … and 0 1 2 …, from the right:
``SIM0000001`` → ``XXX0000001``, ``192.0.2.7`` → ``000.0.0.2``, ``Roof South`` → ``Xxxx Xxxxa``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from rct_tools.checksum import CRC_SIZE
from rct_tools.errors import CaptureError
from rct_tools.frame import Frame
from rct_tools.objects import ObjectInfo, registry
from rct_tools.values import DataType

SHORTEST: Final = 4
"""Originals of fewer bytes, and numbers with more than one zero byte, may stand anywhere by chance. They are replaced
where they belong, in payloads of private objects, and nowhere else."""

MOST_ORIGINALS: Final = 1_000
MOST_BYTES: Final = 100_000
"""So much may be private in one capture; dozens of originals are usual. Memory is bounded by these."""

_MOST_TURNS: Final = 10_000  # a stand-in is known by a count below this
_TRIES: Final = 100  # of stand-ins for one original: some are originals themselves, or taken

_SECRET: Final = re.compile(rb"[1-9A-Za-z\x01-\x1f\x7f-\xff]")  # without any of these there is nothing to hide
_TEXT: Final = re.compile(rb"(?:[ -~]|[\xc2-\xf4][\x80-\xbf]{1,3}){4,}")
_VERSION: Final = re.compile(rb"\d+\.\d+\.\d+")
_ESCAPED: Final = re.compile(rb"-[+-]")
_TO_NEXT_START: Final = re.compile(rb"[^+-]*+(?:-[+-]?+[^+-]*+)*+")
_BLANK: Final = bytes(byte if byte in b"\0+-" else ord("x") for byte in range(256))

_UPPER: Final = b"XYZABCDEFGHIJKLMNOPQRSTUVW"
_WHEELS: Final[Mapping[int, bytes]] = {  # what a byte of a text may become; one that is not here stays
    **dict.fromkeys([*range(1, 0x20), *range(0x7F, 0x100), *_UPPER.lower()], _UPPER.lower()),
    **dict.fromkeys(_UPPER, _UPPER),
    **dict.fromkeys(b"0123456789", b"0123456789"),
}

_PRIVATE: Final = {info.object_id.to_bytes(4): info.name for info in registry if info.private}
_PRIVATE_ID: Final = re.compile(b"|".join(map(re.escape, _PRIVATE)))


class Kind(Enum):
    """What a private part of a payload is."""

    TEXT = "text"
    NUMBER = "number"
    REST = "rest"  # memory left over behind a text, or what nobody knows: it becomes zeros


class Part(NamedTuple):
    """A part of a payload that has something to hide."""

    start: int
    end: int
    kind: Kind


Original: TypeAlias = tuple[Kind, bytes]


def private_parts(info: ObjectInfo, payload: bytes) -> list[Part]:
    """Return what is to be hidden in a payload of a private object, in order."""
    size = len(payload)
    if info.name == "net.slave_data":
        parts = list(_slave_parts(payload))
    elif info.data_type is DataType.STRING:
        parts = _field(payload, 0, size)
    elif info.data_type is DataType.UINT32 and size >= 4:
        parts = [Part(0, 4, Kind.NUMBER), Part(4, size, Kind.REST)]
    else:
        parts = [Part(0, size, Kind.REST)]
    return [part for part in parts if _has_secret(part, payload)]


def _has_secret(part: Part, payload: bytes) -> bool:
    data = payload[part.start : part.end]
    return bool(_SECRET.search(data) if part.kind is Kind.TEXT else data.strip(b"\0"))


def _field(payload: bytes, start: int, end: int) -> list[Part]:
    """Return the parts of a field that holds a text: up to its NUL, and behind that."""
    end = min(end, len(payload))
    nul = payload.find(b"\0", start, end)
    stop = end if nul < 0 else nul
    return [Part(start, stop, Kind.TEXT), Part(stop, end, Kind.REST)]


def _slave_parts(payload: bytes) -> Iterator[Part]:
    """Yield the id of an inverter, and texts: its name and serial number, but not the version of its firmware.

    The layout of 108 bytes was reported once. In any other size, all that looks like a text is taken for one.
    Source: docs/protocol.md, privacy.
    """
    size = len(payload)
    texts = [(0, size)]
    yield Part(0, min(4, size), Kind.NUMBER if size >= 4 else Kind.REST)
    if size == 108:
        yield from _field(payload, 4, 28)
        yield from _field(payload, 64, 80)
        texts = [(48, 64), (88, 108)]  # between them are numbers only
    for start, end in texts:
        for match in _TEXT.finditer(payload, start, end):
            if match.end() > 4 and not _VERSION.fullmatch(match[0]):
                yield Part(max(4, match.start()), match.end(), Kind.TEXT)


def find_private(data: bytes) -> tuple[str, bytes] | None:
    """Return the name of the first private object whose id is in bytes, and what is behind it up to a start."""
    for image, places in _views(data):
        if match := _PRIVATE_ID.search(image):
            return _PRIVATE[match[0]], _rest(data, places[match.end()])
    return None


def blank(data: bytes) -> bytes:
    """Return bytes of which nothing can be read, with the same escapes."""
    return data.translate(_BLANK)


def _rest(data: bytes, at: int) -> bytes:
    return _TO_NEXT_START.match(data, at)[0]  # type: ignore[index]  # it matches no byte, too


def _views(data: bytes) -> Iterator[tuple[bytes, Sequence[int]]]:
    """Yield bytes as they are, and if that differs without their escapes; with the place of each in ``data``."""
    yield data, range(len(data) + 1)
    if b"-" in data and (escapes := {match.start() for match in _ESCAPED.finditer(data)}):
        # The place of an escaped byte is that of its escape.
        places = [at for at in range(len(data) + 1) if at - 1 not in escapes]
        yield _ESCAPED.sub(lambda match: match[0][1:], data), places


def stand_in(text: bytes, number: int) -> bytes:
    """Return the stand-in of this number for a text."""
    new = bytearray(text)
    for at in range(len(new) - 1, -1, -1):
        if wheel := _WHEELS.get(new[at]):
            number, turn = divmod(number, len(wheel))
            new[at] = wheel[turn]
    return bytes(new)


def is_stand_in(kind: Kind, data: bytes) -> bool:
    """Tell whether bytes have the form of a stand-in.

    So has what is too short to tell: up to three letters or four digits.
    """
    if kind is Kind.REST:
        return not data.strip(b"\0")
    if kind is Kind.NUMBER:
        return min(int.from_bytes(data, "big"), int.from_bytes(data, "little")) < _MOST_TURNS
    number, worth = 0, 1
    for byte in reversed(data):
        if wheel := _WHEELS.get(byte):
            turn = wheel.find(byte)  # -1 for what no stand-in holds
            number += worth * turn if turn >= 0 else _MOST_TURNS
            worth = min(worth * len(wheel), _MOST_TURNS)
    return number < _MOST_TURNS


class Originals:
    """What is private in a capture: texts, and numbers of four bytes."""

    def __init__(self) -> None:
        self._names: dict[Original, str] = {}  # of the objects, in the order in which the originals appeared
        self._cut: set[bytes] = set()  # texts that were seen only at the end of a payload: they may go on
        self._size = 0

    def add(self, info: ObjectInfo, payload: bytes) -> None:
        """Take the originals in a payload of a private object. Raises CaptureError when they are far too many."""
        values = [part for part in private_parts(info, payload) if part.kind is not Kind.REST]
        for start, end, kind in values:
            data = payload[start:end]
            if end < len(payload):
                self._cut.discard(data)
            elif kind is Kind.TEXT and (kind, data) not in self._names:
                self._cut.add(data)
            if (kind, data) not in self._names:
                self._names[kind, data] = info.name
                self._size += len(data)
        if len(self._names) > MOST_ORIGINALS or self._size > MOST_BYTES:
            raise CaptureError(
                f"it holds more than {MOST_ORIGINALS:,} private values, more than any inverter has; "
                "if several were recorded, redact their captures one by one"
            )

    def names(self) -> dict[Original, str]:
        """Return the originals and the names of their objects, without texts that are others, cut."""
        texts = sorted(data for kind, data in self._names if kind is Kind.TEXT)
        cut = {data for data, following in pairwise(texts) if data in self._cut and following.startswith(data)}
        return {
            (kind, data): name for (kind, data), name in self._names.items() if kind is not Kind.TEXT or data not in cut
        }


class StandIns:
    """What stands for each of the originals of a capture, and puts it there."""

    def __init__(self, originals: Originals) -> None:
        self.names = originals.names()
        """The originals, and the names of their objects."""
        self.everywhere = {
            form: name for (kind, data), name in self.names.items() for form in _forms(kind, data) if _is_telling(form)
        }
        """Those of them that cannot stand anywhere by chance; numbers in both byte orders."""
        longest_first = sorted(self.everywhere, key=len, reverse=True)
        self.pattern = re.compile(b"|".join(map(re.escape, longest_first)) or rb"(?!)")
        """Finds those."""
        self._parts = {  # of an original: the first that has it, and where
            form[at : at + SHORTEST]: (form, at)
            for form in reversed(self.everywhere)
            for at in reversed(range(len(form) - SHORTEST + 1))
            if _SECRET.search(form, at, at + SHORTEST)
        }
        self._stand_ins: dict[Original, bytes] = {}  # numbers in both byte orders
        for number, (kind, data) in enumerate(self.names, start=1):
            if (kind, data) not in self._stand_ins:
                new = self._choose(kind, data, number)
                for form, standing in zip(_forms(kind, data), _forms(kind, new), strict=True):
                    self._stand_ins.setdefault((kind, form), standing)  # a number may be its own reverse
        self._forms = {data: new for (_, data), new in self._stand_ins.items()}

    def _choose(self, kind: Kind, data: bytes, number: int) -> bytes:
        """Return a stand-in without any part of an original, or at least without a whole one; zeros if none is left."""
        taken = {*self._stand_ins.values(), *(original for _, original in self.names)}
        for holds_original in (self._has_part, self.pattern.search):
            for turn in range(number, number + _TRIES):
                new = stand_in(data, turn) if kind is Kind.TEXT else turn.to_bytes(len(data))
                if new not in taken and not holds_original(new) and (kind is Kind.TEXT or not {*new} & {*b"+-"}):
                    return new
        return bytes(len(data))

    def _has_part(self, data: bytes) -> bool:
        return any(data[at : at + SHORTEST] in self._parts for at in range(len(data) - SHORTEST + 1))

    def stand_in(self, kind: Kind, data: bytes) -> bytes:
        """Return what stands for an original, for the beginning of one that was cut, or for what is to be blanked."""
        if (kind, data) in self._stand_ins:
            return self._stand_ins[kind, data]
        if kind is Kind.TEXT:
            for (other, whole), new in self._stand_ins.items():
                if other is kind and whole.startswith(data):
                    return new[: len(data)]
        return bytes(len(data))

    def redact(self, frame: Frame) -> tuple[Frame, bytes]:
        """Return a frame without what is private in it, of the same length, and its bytes for the wire.

        It is the same object if nothing is private in it.
        """
        info = registry.describe(frame.object_id)
        payload = self._redact_payload(info, frame.payload)
        old = frame.address.to_bytes(4)
        address = self._stand_ins.get((Kind.NUMBER, old), old)
        if (payload, address) != (frame.payload, old):
            frame = replace(frame, payload=payload, address=int.from_bytes(address))
        return self._without_chance(frame)

    def _redact_payload(self, info: ObjectInfo, payload: bytes) -> bytes:
        if info.private:
            new = bytearray(payload)
            for start, end, kind in private_parts(info, payload):
                new[start:end] = self.stand_in(kind, payload[start:end])
            payload = bytes(new)
        payload = self.replace(payload)
        nul = payload.find(b"\0") if info.data_type is DataType.STRING else -1
        if nul >= 0 and payload[nul:].strip(b"\0"):  # left-over memory
            payload = payload[:nul] + self.replace(payload[nul:], parts=True)
        return payload

    def _without_chance(self, frame: Frame) -> tuple[Frame, bytes]:
        """Return a frame in which no original comes about by chance, of a payload and what is beside it, or of escapes.

        Its part in the payload becomes zeros. That changes the checksum, so all is looked at again.
        """
        while True:
            wire = frame.encode()
            if b"-" not in wire and not self.pattern.search(wire):
                return frame, wire
            views = list(_views(wire))
            spans = [
                (places[match.start()], places[match.end()])
                for image, places in views
                for match in self.pattern.finditer(image)
            ]
            if not spans:
                return frame, wire
            places = views[-1][1]  # of each byte of the frame, without escapes
            begin = len(places) - 1 - CRC_SIZE - len(frame.payload)
            payload = bytes(
                0 if any(places[at] < end and start < places[at + 1] for start, end in spans) else byte
                for at, byte in enumerate(frame.payload, begin)
            )
            if payload == frame.payload:
                return frame, wire
            frame = replace(frame, payload=payload)

    def replace(self, data: bytes, *, parts: bool = False) -> bytes:
        """Return bytes with stand-ins for the originals anywhere in them, escaped or not, and of the same length.

        ``parts`` is for bytes that are nobody's payload, such as what is left of cut frames: stand-ins for parts of
        originals too, and all blank behind the id of a private object, up to the next start.
        """
        if not parts and b"-" not in data and not self.pattern.search(data):
            return data
        new = bytearray(data)
        marks: dict[int, int] = {}
        views = list(_views(data))
        for image, places in views:
            for match in self.pattern.finditer(image):
                _mark(marks, places, match.start(), match[0], self._forms[match[0]])
        if parts:
            for image, places in views:
                for at in range(len(image) - SHORTEST + 1):
                    if found := self._parts.get(part := image[at : at + SHORTEST]):
                        form, begin = found
                        _mark(marks, places, at, part, self._forms[form][begin : begin + SHORTEST])
                for match in _PRIVATE_ID.finditer(image):
                    at = places[match.end()]
                    marks.update(enumerate(blank(_rest(data, at)), at))
        for at, byte in marks.items():
            new[at] = byte
        # A stand-in and the bytes beside it may happen to be an original.
        return self.pattern.sub(lambda match: bytes(len(match[0])), bytes(new))


def _mark(marks: dict[int, int], places: Sequence[int], at: int, old: bytes, new: bytes) -> None:
    """Note what becomes of bytes; where one was escaped, of its escape too, unless it stays."""
    for place, was, byte in zip(range(at, at + len(old)), old, new, strict=True):
        if byte != was:
            for each in range(places[place], places[place + 1]):
                marks.setdefault(each, byte)


def _forms(kind: Kind, data: bytes) -> tuple[bytes, ...]:
    """Return how an original may be written: numbers in both byte orders."""
    return (data,) if kind is Kind.TEXT else (data, data[::-1])


def _is_telling(data: bytes) -> bool:
    return len(data) >= SHORTEST and data.count(0) < 2
