"""Bytes in, frames out: a parser without I/O, clock or log.

It works in runs. A run is what lies between two unescaped starts, or between such a start and an escape that escapes
nothing. No frame reaches over the edge of a run, so each is read by itself: first the frame at its head, and when that
fails, or when bytes are left, every start in it that only looked escaped, because a stray ``2d`` may stand before an
intact frame. The result does not depend on how the stream was cut into chunks, and the work grows with the bytes only:
the checksums of overlapping candidates come from one pass over the run.

Few bytes need that much care. Plain frames, and what is no frame whatever follows, are taken in rows before.

Source: docs/protocol.md, finding frames.
"""

from __future__ import annotations

import struct
import sys
from binascii import crc_hqx
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from rct_tools.checksum import CRC_SEED, CRC_SIZE
from rct_tools.frame import ESCAPE, EXTENSION, START, BadFrame, Command, Frame, Reason
from rct_tools.runs import (
    HOPELESS,
    LAYOUTS,
    LONGEST_FRAME,
    NOISE,
    is_right,
    measure,
    run_end,
    second_look,
    unescape,
    unescape_marked,
)

ParserEvent: TypeAlias = Frame | BadFrame

_PLAIN: Final[Mapping[int, Command]] = {
    int(command): command for command in Command if not command.is_long and not command.is_plant
}
_REASONS: Final = {reason.value: reason for reason in Reason}
_KEEP_ALIVE: Final = (b"AT", b"+\r")
_SHORTEST: Final = 9
_NOTHING: Final = (b"", b"\0")
_HEAD: Final = struct.Struct(">BBI")

# Events that are still open: of the same layout, but made in a fourth of the time, since a frozen dataclass sets its
# fields by name. That would take half of the time of parsing. An open one just gets them, and is then frozen for good.
_OpenFrame: Final[Any] = type("_OpenFrame", (), {"__slots__": Frame.__slots__})
_OpenBadFrame: Final[Any] = type("_OpenBadFrame", (), {"__slots__": BadFrame.__slots__})


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

    @property
    def pending(self) -> int:
        """How many of the last bytes fed are held back, because what they are is not known yet; 0 when all are told."""
        return self._pluses + self._size

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
        self._dangling = False
        self._escape = -1
        while at < len(buffer):
            # The easy ways first. What they leave where it is needs a close look, and may have to wait for its edge.
            if not self._headed:
                at = self._take_noise(buffer, at)
            begin = at
            if self._headed and not self._settled:
                at = self._take_plain(buffer, at, events)
                if self._enough and not last:
                    break
                if at == begin:
                    at = self._take_hopeless(buffer, at, events)
            if at > begin or at == len(buffer):
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

    def _take_noise(self, buffer: bytes, at: int) -> int:
        """Take the noise at ``at``, which is in no frame for certain, and return where it ends."""
        end = NOISE.match(buffer, at).end()  # type: ignore[union-attr]  # the pattern matches no byte, too
        if end > at:
            self._tell_noise(buffer[at:end])
        self._headed = buffer.startswith(b"+", end)
        return end

    def _take_hopeless(self, buffer: bytes, at: int, events: list[ParserEvent]) -> int:
        """Take heads that are none for certain, each with the noise behind it, and return where that ended."""
        while found := HOPELESS.match(buffer, at):
            kind: str = found.lastgroup  # type: ignore[assignment]  # there is one in each match
            end = found.end(kind)
            if kind == "starts":
                triples, self._pluses = divmod(self._pluses + end - at, 3)
                self._gap = b""
                if triples:
                    self._tell_token("+++", 3 * triples, triples)
            elif kind == "command" and self._pluses == 2:
                end = at + 1
                self._pluses = 0
                self._tell_token("+++", 3)
            elif self._gap == _KEEP_ALIVE[0] and buffer.startswith(_KEEP_ALIVE[1], at):
                self.noise["other"] -= 2
                self.skipped -= 2
                self._tell_token("AT+", 4)
            else:
                if self._pluses:
                    self._tell_pluses(events, before=at)
                if kind == "extension":
                    self._tell_token(kind, end - at)
                else:
                    self._tell_bad(_REASONS[kind], buffer[at:end], at, events)
            at = found.end()
            if at > end:
                self._tell_noise(buffer[end:at])
        self._headed = buffer.startswith(b"+", at)
        return at

    def _take_plain(self, buffer: bytes, at: int, events: list[ParserEvent]) -> int:
        """Take frames of the plain commands, one after the other, and return where that ended.

        Nearly all frames of a good stream are taken here, so where nothing is escaped no function of ours is called in
        the loop. When all that fails is that the last one is not whole, it sets how much is enough.
        """
        size = len(buffer)
        offset = self._offset
        last: Command | None = None
        count = 0  # frames of that command, not counted in self.frames yet
        zeros = 0
        escape = self._escape
        while at + _SHORTEST <= size:
            code, length, object_id = _HEAD.unpack_from(buffer, at + 1)
            command = _PLAIN.get(code)
            if command is None or length < 4:
                break
            end = at + 5 + length
            if escape < at:
                escape = self._escape = buffer.find(b"-", at) % sys.maxsize  # far away if there is none
            if escape >= end:
                image = buffer[at + 1 : end]
                if START in image:  # a number, since looking for bytes takes four times as long
                    break
                if end > size:
                    self._enough = end - at
                    break
            else:
                edge = run_end(buffer, at + 1)
                image = unescape(buffer[at + 1 : edge])
                if len(image) + 1 < _SHORTEST:
                    break
                _, length, object_id = _HEAD.unpack_from(image)
                rest = image[length + 4 :]
                image = image[: length + 4]
                if len(image) < length + 4 or rest not in _NOTHING:
                    break
                end = edge - len(rest)
            # Over an even number of bytes and their checksum the sum is zero; an odd number has its padding in between.
            if crc_hqx(image[:-2] + b"\0" + image[-2:] if length & 1 else image, CRC_SEED):
                break
            if command is not last:  # as it is at first, and later hardly ever
                self._tell_pluses(events, before=at)
                if last is not None:
                    self.frames[last] += count
                last, count = command, 0
            count += 1
            frame = _OpenFrame()
            frame.command = command
            frame.object_id = object_id
            frame.payload = image[6:-2]
            frame.address = 0
            frame.offset = offset + at
            frame.__class__ = Frame
            events.append(frame)
            at = end
            if at < size and not buffer[at]:
                zeros += 1
                at += 1
            if at == size or buffer[at] != START:
                self._headed = False
                break
        else:
            head = buffer[at + 1 :]
            if head and head[0] in _PLAIN and not (START in head or ESCAPE in head):
                self._enough = _SHORTEST
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
            if end is None or EXTENSION.startswith(run):  # may become one
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
        far = stop if cut is None else stop - _SHORTEST  # no frame fits behind
        starts = [mark for mark in marks if done <= mark <= far and image[mark] == START]
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
        if self._pluses == 2 and (end is Reason.COMMAND or (image == b"+" and cut is Reason.TRUNCATED)):
            self._pluses = 0
            self._tell_token("+++", 3)
            return None, 1
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
        if first < begin:
            self._tell_noise(run[first:begin])

    def _tell_bad(self, reason: Reason, data: bytes, at: int, events: list[ParserEvent]) -> None:
        self.bad[reason] += 1
        self.skipped += len(data)
        self._gap = b""
        event = _OpenBadFrame()
        event.reason = reason
        event.data = data
        event.offset = self._offset + at
        event.__class__ = BadFrame
        events.append(event)

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

    def _tell_token(self, kind: str, size: int, count: int = 1) -> None:
        self.noise[kind] += count
        self.skipped += size
        self._gap = b""
