"""Every exception this package raises on purpose.

RctError
├── DecodeError         a payload does not fit the type of its object
├── EncodeError         a value cannot be sent as asked (also a ValueError)
├── UnknownObject       no object has this name or id (also a LookupError)
├── ConfigError         a file, URL or option says something we cannot do
├── LinkError           the connection to an inverter
│   ├── ConnectFailed   it could not be made
│   └── ConnectionLost  it ended, and could not be made again
├── CaptureError        a file cannot be read, or written, as a capture
├── NoAnswer            the inverter is there, but says nothing about an object
├── WriteRefused        a write that is not sent: its object or value may not be written
│   └── NotNow          it may be written, but not as things are now
├── WriteFailed         a write was sent, and the inverter does not hold what it should
└── SinkError           a destination did not take the readings

Each message is one line that says what failed, where, and, when the reader can do something, what to do. One that
people may meet at the page is a ``Sentence``; of each, ``sentence_of`` tells what it is made of.
What a peer sends is never an exception: it is data (``BadFrame``, ``BadReading``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rct_tools.sentence import Sentence, Sentences


class _Says(Sentences):
    NO_ANSWER = "{peer}: no answer for {objects}"


class RctError(Exception):
    """The root of all errors of this package."""


class DecodeError(RctError):
    """A payload does not fit its type; ``expected`` and ``payload`` say which and what."""

    def __init__(self, expected: str, payload: bytes, name: str = "") -> None:
        self.expected = expected
        self.payload = payload
        self.name = name
        shown = payload[:24].hex(" ") + (" …" if len(payload) > 24 else "")
        got = f"{len(payload)} bytes: {shown}" if payload else "nothing"
        super().__init__(f"{name + ': ' if name else ''}expected {expected}, got {got}")


class EncodeError(RctError, ValueError):
    """A value, or a frame, cannot be put into bytes."""


class UnknownObject(RctError, LookupError):
    """No object, or more than one, answers to what was asked for; ``nearest`` holds names that may be meant."""

    def __init__(self, asked: str, nearest: Sequence[str], why: str = "unknown object") -> None:
        self.asked = asked
        self.nearest = tuple(nearest)
        hint = f"; did you mean {', '.join(self.nearest)}?" if self.nearest else ""
        super().__init__(f"{why} {asked!r}{hint}")


class ConfigError(RctError):
    """A configuration, URL or option cannot be used; the message names the place and what was expected."""


class LinkError(RctError):
    """The connection to an inverter failed."""


class ConnectFailed(LinkError):
    """No connection could be made."""


class ConnectionLost(LinkError):
    """The connection ended and could not be made again."""


class CaptureError(RctError):
    """A file, or the rest of it, is no capture of its format, or its format cannot hold what is to be written."""


class NoAnswer(RctError):
    """An inverter did not answer for some objects.

    ``names`` are those objects; ``answered`` maps the others of the same call to their values, so nothing is lost.
    """

    def __init__(self, peer: str, names: Sequence[str], answered: Mapping[str, object] | None = None) -> None:
        self.names = tuple(names)
        self.answered = dict(answered or {})
        super().__init__(_Says.NO_ANSWER(peer=peer, objects=self.names))


class WriteRefused(RctError):
    """A write was not sent: what it is to is never written, or a guard says no to it or to its value."""


class NotNow(WriteRefused):
    """A write was not sent, though it may be: the battery is busy with itself, or somebody else is at work."""


class WriteFailed(RctError):
    """A write was sent ``tries`` times, and is not proven; ``holds`` is what the inverter says, None if nothing."""

    def __init__(self, message: Sentence, name: str, tries: int, holds: object = None) -> None:
        self.name = name
        self.tries = tries
        self.holds = holds
        super().__init__(message)


class SinkError(RctError):
    """A destination did not take the readings.

    ``permanent`` means that asking again with the same readings cannot help; ``retry_after`` is for how many seconds
    the destination wants to be left alone, None when it did not say.
    """

    def __init__(self, message: Sentence | str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        self.permanent = permanent
        self.retry_after = retry_after
        super().__init__(message)
