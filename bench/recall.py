"""The parser on damaged streams: which intact frames it finds, beside rctclient's ReceiveFrame."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

from rctclient.exceptions import ReceiveFrameError
from rctclient.frame import ReceiveFrame

from bench import Measurement
from rct_tools.frame import Frame
from rct_tools.parser import FrameParser

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the streams are those of the tests

from damage import KINDS, Damaged

STREAMS: Final = 40  # of each kind: in one long stream, the first wrong length may cost a peer all that follows
FRAMES: Final = 100  # that are sent in each
CHUNK: Final = 4096  # bytes

Found: TypeAlias = Counter[tuple[int, int, bytes, int]]  # command, object id, payload, address


def measure(quick: bool) -> Iterator[Measurement]:
    """Compare the share of the intact frames that is found. Spurious are frames that nobody sent."""
    for kind, make in KINDS.items():
        ours, simple, again = Score(), Score(), Score()
        for seed in range(STREAMS // 20 if quick else STREAMS):
            damaged = make(Random(seed), FRAMES)
            chunks = [damaged.stream[at : at + CHUNK] for at in range(0, len(damaged.stream), CHUNK)]
            ours.add(damaged, parse(chunks))
            simple.add(damaged, parse_with_rctclient(chunks, again=False))
            again.add(damaged, parse_with_rctclient(chunks, again=True))
        best = max(simple, again, key=lambda score: score.recall)
        what = f"{kind}: find {ours.intact:,} intact frames"
        yield Measurement(what, str(ours), f"{best}, rctclient", ours.recall / best.recall, at_least=1)


class Score:
    """How many of the intact frames were found, and how many that nobody sent."""

    def __init__(self) -> None:
        self.intact = self.right = self.spurious = 0

    def add(self, damaged: Damaged, found: Found) -> None:
        truth = Counter(key(frame) for _, frame in damaged.truth)
        self.intact += truth.total()
        self.right += (found & truth).total()
        # What was sent, got damaged and is read as it was meant is neither: rctclient passes over stray escapes.
        self.spurious += (found - (truth | Counter(map(key, damaged.sent)))).total()

    @property
    def recall(self) -> float:
        return self.right / self.intact

    def __str__(self) -> str:
        # Cut, not rounded: only what is whole is shown as 100 %.
        return f"{self.right * 1000 // self.intact / 10:g} %, {self.spurious} spurious"


def key(frame: Frame) -> tuple[int, int, bytes, int]:
    return frame.command, frame.object_id, frame.payload, frame.address


def parse(chunks: list[bytes]) -> Found:
    parser = FrameParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)] + parser.close()
    return Counter(key(event) for event in events if isinstance(event, Frame))


def parse_with_rctclient(chunks: list[bytes], *, again: bool) -> Found:
    """Do what its documentation does: after an error, go on with a new frame behind the bytes that were consumed.

    With ``again``, do as its tool for captures does: when those bytes began with a start, go on right behind that.
    """
    found: Found = Counter()
    frame = ReceiveFrame()
    for chunk in chunks:
        rest = chunk
        while rest:
            try:
                consumed = frame.consume(rest)
            except ReceiveFrameError as exc:
                consumed = 2 if again and rest.startswith(b"\0+") else exc.consumed_bytes
                frame = ReceiveFrame()
            rest = rest[consumed:]
            if frame.complete():
                found[int(frame.command), frame.id, frame.data, frame.address] += 1
                frame = ReceiveFrame()
    return found
