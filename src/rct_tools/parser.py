"""Bytes in, frames out: a parser without I/O, clock or log.

It works in runs. A run is what lies between two unescaped starts, or between such a start and an escape that escapes
nothing. No frame reaches over the edge of a run, so each is read by itself: first the frame at its head, and when that
fails, or when bytes are left, every start in it that only looked escaped, because a stray ``2d`` may stand before an
intact frame. The result does not depend on how the stream was cut into chunks, and the work grows with the bytes only:
the checksums of overlapping candidates come from one pass over the run.

Source: docs/protocol.md, finding frames.
"""

from __future__ import annotations

import re
import struct
from binascii import crc_hqx
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping
from typing import Final, TypeAlias

from rct_tools.checksum import CRC_SEED, CRC_SIZE
from rct_tools.frame import ESCAPE, EXTENSION, START, BadFrame, Command, Frame, Reason
from rct_tools.runs import LAYOUTS, LONGEST_FRAME, is_right, measure, run_end, second_look, unescape, unescape_marked

ParserEvent: TypeAlias = Frame | BadFrame

_STARTS: Final = re.compile(rb"\++")
_KEEP_ALIVE: Final = (b"AT", b"+\r")

_PLAIN: Final[Mapping[int, Command]] = {
    int(command): command for command in Command if not command.is_long and not command.is_plant
}
_PLAIN_CODES: Final = frozenset(bytes([code]) for code in _PLAIN)
_NEEDS_A_LOOK: Final = frozenset(bytes([code]) for code in LAYOUTS) | {b"", b"+", EXTENSION[1:2], _KEEP_ALIVE[1][1:]}


_SHORTEST: Final = 9
_NOTHING: Final = (b"", b"\0")
_HEAD: Final = struct.Struct(">BBI")


class _OpenFrame:
    """A frame that is still open: of the same layout, and made in a third of the time.

    A frozen dataclass sets its fields by name, which would take half of the time of parsing. This one gets them at
    once, and is then made a Frame for good.
    """

    __slots__ = ("address", "command", "object_id", "offset", "payload")

    def __init__(self, command: Command, object_id: int, payload: bytes, address: int, offset: int) -> None:
        self.command = command
        self.object_id = object_id
        self.payload = payload
        self.address = address
        self.offset = offset


class FrameParser:
    """Finds the frames in a stream of bytes, whatever surrounds them.

    feed() and close() return what they found, in order, and never raise on what a peer sent. Every byte fed is in
    exactly one Frame, BadFrame or kind of noise.
    """

    def __init__(self) -> None:
        self.fed = 0  # bytes
        self.frames: Counter[Command] = Counter()
        self.bad: Counter[Reason] = Counter()
        self.noise: Counter[str] = Counter()  # kinds: "00" and "other" (in bytes), "+++", "AT+", "extension"
        self.skipped = 0  # bytes that were in no frame
        self._parts: list[bytes] = []  # what is not read yet: the beginning of one run
        self._size = 0  # bytes in _parts
        self._offset = 0  # of _parts in the stream
        self._headed = False  # whether _parts begins with an unescaped start
        self._settled = False  # whether the head of that run is known to be no frame
        self._enough = 0  # so many bytes must be there before the run is worth a look, unless its edge comes
        self._dangling = False  # whether _parts ends in an escape that waits for its byte
        self._escape = -1  # where the next escape is in what is parsed just now; so far as it is known
        self._pluses = 0  # lone starts just before _parts: one or two of what may become "+++"
        self._gap = b""  # the last two bytes of the noise just before

    def feed(self, data: bytes) -> list[ParserEvent]:
        """Take the next bytes of the stream and return the frames and bad frames that are now known."""
        self.fed += len(data)
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._enough and not self._edge_in(data):
            return []
        return self._parse(last=False)

    def close(self) -> list[ParserEvent]:
        """Tell that the stream has ended and return what was still unfinished. A new stream may follow."""
        events = self._parse(last=True)
        self._tell_pluses(events)
        self._headed = self._settled = self._dangling = False
        self._enough = 0
        self._gap = b""
        return events

    def _edge_in(self, data: bytes) -> bool:
        """Return whether the unfinished run ends in these new bytes."""
        text = b"-" + data if self._dangling else data
        end = run_end(text, 0)
        self._dangling = text[end:] == b"-"
        return end < len(text) and not self._dangling

    def _parse(self, *, last: bool) -> list[ParserEvent]:
        events: list[ParserEvent] = []
        buffer = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        at = 0
        self._enough = 0
        self._escape = -1
        while at < len(buffer):
            if self._headed and not self._settled:
                if buffer[at + 1 : at + 2] == b"+":
                    at = self._take_lone_starts(buffer, at)
                if buffer[at + 1 : at + 2] in _PLAIN_CODES:
                    at = self._take_plain(buffer, at, events)
                    if at == len(buffer):
                        break
                elif (end := self._take_hopeless(buffer, at, events)) > at:
                    at = end
                    continue
            end = run_end(buffer, at + self._headed)
            self._dangling = end + 1 == len(buffer) and buffer[end] == ESCAPE
            if not last and (end == len(buffer) or self._dangling):
                taken = self._take_early(buffer[at:end], at, events)
                at += taken
                if taken:
                    continue
                break
            # The edge: a start that heads the next run, or an escape that escapes nothing.
            broken = end < len(buffer) and buffer[end] != START
            self._read_run(buffer[at:end], at, events, Reason.ESCAPE if broken else Reason.TRUNCATED)
            if broken:
                self._tell_noise(buffer[end : end + 1])
            at = end + broken
            self._headed = not broken
            self._settled = False
        self._offset += at
        self._parts = [buffer[at:]]
        self._size = len(buffer) - at
        return events

    def _take_lone_starts(self, buffer: bytes, at: int) -> int:
        """Take the starts at ``at`` up to the last in a row, which may head a frame, and return where that is."""
        last = _STARTS.match(buffer, at).end() - 1  # type: ignore[union-attr]  # there is one at least
        ends, self._pluses = divmod(self._pluses + last - at, 3)
        if ends:
            self.noise["+++"] += ends
            self.skipped += 3 * ends
        self._gap = b""
        return last

    def _take_hopeless(self, buffer: bytes, at: int, events: list[ParserEvent]) -> int:
        """Take a head that its second byte shows to be none, and return where it ends; ``at`` when it takes a look."""
        command, after = buffer[at + 1 : at + 2], buffer[at + 2 : at + 3]
        if command in _NEEDS_A_LOOK or not after or self._pluses or (command == b"-" and after == b"+"):
            return at
        self._headed = False
        if command == b"-" != after:
            self._tell_bad(Reason.ESCAPE, b"+", at, events)
            self._tell_noise(b"-")
            return at + 2
        end = at + 3 if command == b"-" else at + 2  # no command is escaped, so an escaped one is none
        self._tell_bad(Reason.COMMAND, buffer[at:end], at, events)
        return end

    def _take_plain(self, buffer: bytes, at: int, events: list[ParserEvent]) -> int:
        """Take frames without an escape, one after the other, from the start at ``at`` on, and return where that ended.

        Nearly all frames of a good stream are taken here, so no function of ours is called in the loop.
        """
        size = len(buffer)
        offset = self._offset
        last: Command | None = None
        count = 0  # frames of that command, not counted in self.frames yet
        zeros = 0
        escape = self._escape
        while at + _SHORTEST <= size:
            code, length, object_id = _HEAD.unpack_from(buffer, at + 1)
            end = at + 5 + length
            following = buffer.find(b"+", at + 1)
            if following < 0:
                following = size
            if escape < at:
                escape = self._escape = buffer.find(b"-", at) % (size + 1)  # the size if there is none
            if escape >= end:
                image = buffer[at + 1 : end]
                if end > following:
                    break
            else:
                following = run_end(buffer, at + 1)
                image = unescape(buffer[at + 1 : following])
                code, length, object_id = _HEAD.unpack_from(image.ljust(6, b"-"))
                rest = image[length + 4 :]
                if len(image) < length + 4 or rest not in _NOTHING or buffer[following : following + 1] == b"-":
                    break
                end = following - len(rest)
                image = image[: length + 4]
            command = _PLAIN.get(code)
            if command is None or length < 4:
                break
            # Over an even number of bytes and their checksum the sum is zero; an odd number has its padding in between.
            if crc_hqx(image[:-2] + b"\0" + image[-2:] if length & 1 else image, CRC_SEED):
                break
            if command is not last:  # as it is at first, and later hardly ever
                self._tell_pluses(events, before=at)
                if last is not None:
                    self.frames[last] += count
                last, count = command, 0
            count += 1
            frame = _OpenFrame(command, object_id, image[6:-2], 0, offset + at)
            frame.__class__ = Frame  # type: ignore[assignment]  # see there
            events.append(frame)  # type: ignore[arg-type]  # it is one now
            at = end
            if following == size or (end != following and (end + 1 != following or buffer[end])):
                self._headed = False
                break
            zeros += following - end
            at = following
        if last is not None:
            self.frames[last] += count
            self._gap = b""
        if zeros:
            self.noise["00"] += zeros
            self.skipped += zeros
        return at

    def _take_early(self, run: bytes, at: int, events: list[ParserEvent]) -> int:
        """Take what can be known of a run before its edge is, and return how many of its bytes that settles."""
        if self._headed and not self._settled:
            image, marks = unescape_marked(run)
            end = measure(image, 0)
            if end is None:
                self._enough = len(run) + 1
                return 0
            if isinstance(end, int):
                if end > len(image):
                    self._enough = len(run) + end - len(image)
                    return 0
                if is_right(image[1:end]):
                    self._tell_frame(image, 0, end, at, events)
                    self._headed = False
                    return end + bisect_left(marks, end)
            self._settled = True
        if not self._headed and b"-+" not in run:
            self._tell_noise(run)
            return len(run)
        if len(run) <= 2 * LONGEST_FRAME:
            self._enough = 2 * LONGEST_FRAME + 1
            return 0
        taken = self._read_run(run, at, events, None)
        self._headed = self._settled = False
        return taken

    def _read_run(self, run: bytes, at: int, events: list[ParserEvent], cut: Reason | None) -> int:
        """Tell everything in a run and return how many bytes that were.

        ``cut`` is why a frame that reaches over the run's end is none. Without it the run goes on, and reading stops
        before the first start whose frame is not whole yet.
        """
        if run == b"+" and self._headed and cut is Reason.TRUNCATED:
            self._pluses += 1
            self._gap = b""
            if self._pluses == 3:
                self._tell_token("+++", 3)
                self._pluses = 0
            return 1
        image, marks = unescape_marked(run)
        done = 0  # how much of the image is told
        failed: tuple[Reason, int] | None = None  # why the head is no frame, and where in the image that showed
        if self._headed:
            end = measure(image, 0)
            if isinstance(end, int) and end <= len(image) and is_right(image[1:end]):
                self._tell_frame(image, 0, end, at, events)
                done = end
            else:
                failed, done = self._judge_head(image, end, at, events, cut or Reason.TRUNCATED)
        stop = len(image)
        starts = [mark for mark in marks if mark >= done and image[mark] == START]
        for start, end in second_look(image, starts) if starts else ():
            if start < done:
                continue
            if end is None:
                if cut is None:
                    stop = start
                    break
                continue
            begin = start + bisect_right(marks, start)
            self._tell_between(run, marks, done, begin, failed, at, events)
            self._tell_frame(image, start, end, at + begin - start, events)
            done, failed = end, None
        size = stop + bisect_left(marks, stop)
        self._tell_between(run, marks, done, size, failed, at, events)
        return size

    def _judge_head(
        self, image: bytes, end: int | Reason | None, at: int, events: list[ParserEvent], cut: Reason
    ) -> tuple[tuple[Reason, int] | None, int]:
        """Return why the head of a run is no frame and where that showed, or that it is noise, and how long that is."""
        if image.startswith(EXTENSION):
            self._tell_pluses(events, before=at)
            self._tell_token("extension", len(EXTENSION))
            return None, len(EXTENSION)
        if end is Reason.COMMAND and self._pluses == 2:
            self._pluses = 0
            self._tell_token("+++", 3)
            return None, 1
        if image.startswith(_KEEP_ALIVE[1]) and self._gap == _KEEP_ALIVE[0]:
            self.noise["other"] -= 2
            self.skipped -= 2
            self._tell_token("AT+", 4)
            return None, 2
        self._tell_pluses(events, before=at)
        if isinstance(end, Reason):
            return (end, min(len(image), 2 if end is Reason.COMMAND else 1 + LAYOUTS[image[1]].head)), 0
        if end is None or end > len(image):
            return (cut, len(image)), 0
        return (Reason.CRC, end), 0

    # --- telling: events and counters ---------------------------------------------------------------------------

    def _tell_frame(self, image: bytes, start: int, end: int, at: int, events: list[ParserEvent]) -> None:
        """Tell the frame in image[start:end]; ``at + start`` is where it begins in the buffer."""
        self._tell_pluses(events, before=at + start)
        command, head, ids = LAYOUTS[image[start + 1]]
        body = start + 1 + head + ids
        address = int.from_bytes(image[body - ids : body - 4], "big")
        object_id = int.from_bytes(image[body - 4 : body], "big")
        self.frames[command] += 1
        self._gap = b""
        events.append(Frame(command, object_id, image[body : end - CRC_SIZE], address, self._offset + at + start))

    def _tell_between(
        self,
        run: bytes,
        marks: list[int],
        done: int,
        begin: int,
        failed: tuple[Reason, int] | None,
        at: int,
        events: list[ParserEvent],
    ) -> None:
        """Tell what lies in the run between the image's ``done`` and the run's ``begin``: a failed head, then noise."""
        first = done + bisect_left(marks, done)
        if failed:
            reason, shown = failed
            last = min(shown + bisect_left(marks, shown), begin)
            self._tell_bad(reason, run[:last], at, events)
            first = last
        self._tell_noise(run[first:begin])

    def _tell_bad(self, reason: Reason, data: bytes, at: int, events: list[ParserEvent]) -> None:
        self.bad[reason] += 1
        self.skipped += len(data)
        self._gap = b""
        events.append(BadFrame(reason, data, self._offset + at))

    def _tell_pluses(self, events: list[ParserEvent], before: int = 0) -> None:
        for left in range(self._pluses, 0, -1):
            self._tell_bad(Reason.TRUNCATED, b"+", before - left, events)
        self._pluses = 0

    def _tell_noise(self, data: bytes) -> None:
        zeros = data.count(0)
        if zeros:
            self.noise["00"] += zeros
        if zeros < len(data):
            self.noise["other"] += len(data) - zeros
        self.skipped += len(data)
        self._gap = (self._gap + data)[-2:]

    def _tell_token(self, kind: str, size: int) -> None:
        self.noise[kind] += 1
        self.skipped += size
        self._gap = b""
