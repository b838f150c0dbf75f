"""TCP in captures: from packets to chunks, as the programs at both ends saw them, and from chunks to packets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rct_tools.capture.chunk import CaptureItem, Chunk, Damage, Direction
from rct_tools.capture.ip import ACK, LONGEST_DATA, SYN, Packet, build_packet, find_segment
from rct_tools.errors import CaptureError

_MASK: Final = 0xFFFFFFFF  # sequence numbers wrap
_SIGN: Final = 0x80000000

# What is kept, so that no capture fills the memory: each direction of 128 connections waits for 512 KiB at most.
_CONNECTIONS: Final = 128
_REACH: Final = 1 << 19  # bytes from the first that is missing to the last that waits; an inverter needs 45 s for these
_PIECES: Final = 1000
_OLD: Final = 2 * _REACH  # bytes behind what was read: no retransmission, but another connection of the same ports

_INVERTER: Final = bytes((192, 0, 2, 1)), 8899  # an address for documentation
_CLIENTS: Final = 0xC6120000  # 198.18.0.0/15, addresses for tests: 131,072
_CLIENT_PORTS: Final = 0xC000  # 49152 and up: 16,384 of each address
_FIRST: Final = 1  # sequence number
_LEAST: Final = 56  # a connection takes more bytes of a file: 40 of headers, 1 of data, and a record's own 16 or 32


def assemble(packets: Iterator[Packet | Damage], port: int) -> Iterator[CaptureItem]:
    """Yield what went over the connections whose one end, the inverter's, has this port.

    Bytes come once, in order, and with the time of the packet that made them readable. Those that are not there are a
    Damage once the other end has acknowledged more than them, or too much has come behind them, or there is nothing
    more; what waited behind them then has the times of its own packets. A connection that is older than the capture
    begins with the first data seen; what comes later and belongs before that is a Damage. Of more than 128 connections
    that longest unused is forgotten; should it go on, it is another.

    Raises CaptureError when there are packets, but none of the port; also what ``packets`` raises, CaptureError or
    OSError, after what waits.
    """
    connections = _Connections(port)
    failure: Exception | None = None
    try:
        for packet in packets:
            yield from (packet,) if isinstance(packet, Damage) else connections.feed(packet)
    except (CaptureError, OSError) as exc:
        failure = exc
    yield from connections.close()
    if failure:
        raise failure
    connections.check()


class _Piece(NamedTuple):
    """Data that waits for what comes before it."""

    position: int
    data: bytes
    time: int
    offset: int  # of its packet in the file


class _Connection:
    """What both directions share."""

    __slots__ = ("number", "used")

    def __init__(self, offset: int) -> None:
        self.number = -1  # until something of it is yielded
        self.used = offset  # where its last packet stands in the file


class _Stream:
    """One direction of a connection. Positions are sequence numbers that do not wrap."""

    __slots__ = (
        "acked",
        "begin",
        "connection",
        "cut",
        "direction",
        "ends",
        "has_begun",
        "has_syn",
        "next",
        "other",
        "waiting",
    )

    def __init__(self, connection: _Connection, direction: Direction, ends: bytes) -> None:
        self.connection = connection
        self.direction = direction
        self.ends = ends
        self.other = self
        self.has_begun = False
        self.has_syn = False  # so it is known where it begins
        self.begin = 0  # position of the first byte, or of the first that is said to have come too late
        self.next = 0  # position of the next byte to be yielded
        self.acked: int | None = None  # what the other end acknowledged last
        self.waiting: list[_Piece] = []  # sorted, and none over another
        self.cut = 0, 0  # position behind the last data that was captured in part, and its packet's place in the file

    def start(self, sequence: int) -> None:
        self.has_begun = True
        self.begin = self.next = sequence

    def count_late(self, position: int, end: int) -> int:
        """Return how many of these bytes come too late, since they belong before the first; none again."""
        late = min(end, self.begin) - position
        if late <= 0 or (self.has_syn and end == self.begin and late == 1):  # a keep-alive
            return 0
        if not self.has_syn:
            self.begin = position
        return late

    def wait(self, piece: _Piece) -> None:
        """Keep what is new of a piece: of bytes that come twice, the first count."""
        position, data, time, offset = piece
        fresh = []
        if self.waiting and position < _end(self.waiting[-1]):
            for other in self.waiting:
                fresh.append(_Piece(position, data[: max(0, other.position - position)], time, offset))
                seen = max(0, _end(other) - position)
                position, data = position + seen, data[seen:]
        fresh.append(_Piece(position, data, time, offset))
        self.waiting += [part for part in fresh if part.data]
        if len(fresh) > 1:
            self.waiting.sort()

    def take(self) -> list[_Piece]:
        """Return what waits no more, since nothing is missing before it."""
        ready = []
        for piece in self.waiting:
            if piece.position != self.next:
                break
            self.next = _end(piece)
            ready.append(piece)
        del self.waiting[: len(ready)]
        return ready

    def is_lost(self) -> bool:
        """Tell whether what is missing before the bytes that wait will not come any more."""
        return (
            _end(self.waiting[-1]) - self.next > _REACH
            or len(self.waiting) > _PIECES
            or (self.acked is not None and 0 < (self.acked - self.waiting[0].position) & _MASK < _SIGN)
        )


def _end(piece: _Piece) -> int:
    return piece.position + len(piece.data)


class _Connections:
    """What goes over the connections of one port."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: dict[bytes, _Stream] = {}  # by their ends
        self._numbers = 0  # given to connections
        self._unknown: set[int] = set()  # link types
        self._others = False  # whether there were packets that are not ours
        self._other_ports: Counter[int] = Counter()  # of packets before the first of ours

    def feed(self, packet: Packet) -> Sequence[CaptureItem]:
        """Return what a packet makes readable."""
        offset, time, link, content, length = packet
        try:
            segment = find_segment(link, content, length)
        except KeyError:
            return self._leave_out(link, offset)
        if segment is None:
            self._others = True
            return ()
        ends, source, target, sequence, ack, flags, start, stop, fragment = segment
        if source != self._port and target != self._port:
            if not self._streams:
                self._others = True
                self._other_ports[min(source, target)] += 1  # the lower one is mostly the server's
            return ()

        items: list[CaptureItem] = []
        stream = self._streams.get(ends) or self._open(ends, offset, items)
        if flags & SYN:
            sequence = (sequence + 1) & _MASK
            if stream.has_begun and stream.begin & _MASK != sequence:
                stream = self._open(ends, offset, items)
            stream.has_syn = True
        if not stream.has_begun and (flags & SYN or start < stop):
            stream.start(sequence)
        stream.connection.used = offset
        if flags & ACK:
            stream.other.acked = ack
            if stream.other.waiting:
                self._settle(stream.other, items)
        if fragment:
            items.append(Damage(offset, "a packet in fragments, which are not put together"))
        if start == stop:
            return items
        ahead = (sequence - stream.next) & _MASK
        if ahead == 0 and stop <= len(content) and not stream.waiting:
            stream.next += stop - start
            items.append(self._chunk(stream, time, content[start:stop]))
            return items

        if _SIGN <= ahead < _MASK + 1 - _OLD:
            stream = self._open(ends, offset, items)
            stream.start(sequence)
            ahead = 0
        position = stream.next + (ahead ^ _SIGN) - _SIGN
        if late := stream.count_late(position, position + stop - start):
            number = self._number(stream.connection)
            items.append(Damage(offset, f"{late} bytes of connection {number} come too late, behind what follows them"))
        if stop > len(content):
            stream.cut = max(stream.cut, (position + stop - start, offset))
        seen = max(0, stream.next - position)
        stream.wait(_Piece(position + seen, content[start + seen : stop], time, offset))
        if ready := stream.take():
            items.append(self._chunk(stream, time, b"".join(piece.data for piece in ready)))
        self._settle(stream, items)
        return items

    def close(self) -> Sequence[CaptureItem]:
        """Return what still waits: there are no more packets."""
        items: list[CaptureItem] = []
        for stream in self._streams.values():
            self._settle(stream, items, last=True)
        return items

    def check(self) -> None:
        """Raise CaptureError when all packets were those of others."""
        if self._others and not self._streams:
            seen = ", ".join(str(port) for port, _ in self._other_ports.most_common(3))
            hint = f"; choose another with --port (seen: {seen})" if seen else ""
            raise CaptureError(f"no TCP packets of port {self._port}{hint}")

    def _leave_out(self, link: int, offset: int) -> Sequence[CaptureItem]:
        self._others = True
        if link in self._unknown:
            return ()
        self._unknown.add(link)
        return (Damage(offset, f"packets of link type {link}, which is not known, are left out"),)

    def _open(self, ends: bytes, offset: int, items: list[CaptureItem]) -> _Stream:
        """Begin a connection, in place of one with the same ends, or of that longest unused when there are too many."""
        old = self._streams.get(ends)
        if old is None and len(self._streams) >= 2 * _CONNECTIONS:
            old = min(self._streams.values(), key=lambda stream: stream.connection.used)
        if old is not None:
            for stream in (old, old.other):
                self._settle(stream, items, last=True)
                self._streams.pop(stream.ends, None)  # both are one when somebody talks to himself
        half = (len(ends) - 4) // 2
        back_ends = ends[half:-4] + ends[:half] + ends[-2:] + ends[-4:-2]
        received = int.from_bytes(ends[-4:-2], "big") == self._port
        connection = _Connection(offset)
        there = _Stream(connection, Direction.RECEIVED if received else Direction.SENT, ends)
        back = _Stream(connection, Direction.SENT if received else Direction.RECEIVED, back_ends)
        there.other, back.other = back, there
        self._streams[back_ends] = back
        self._streams[ends] = there
        return there

    def _settle(self, stream: _Stream, items: list[CaptureItem], *, last: bool = False) -> None:
        """Give up what is missing and will not come, and go on behind it."""
        while stream.waiting and (last or stream.is_lost()):
            first = stream.waiting[0]
            items.append(self._missing(stream, first.position, first.offset))
            stream.next = first.position
            items += [self._chunk(stream, piece.time, piece.data) for piece in stream.take()]
        if last and stream.cut[0] > stream.next:
            items.append(self._missing(stream, *stream.cut))

    def _missing(self, stream: _Stream, position: int, offset: int) -> Damage:
        number = self._number(stream.connection)
        return Damage(offset, f"{position - stream.next} bytes of connection {number} are missing")

    def _chunk(self, stream: _Stream, time: int, data: bytes) -> Chunk:
        return Chunk(time, stream.direction, data, self._number(stream.connection))

    def _number(self, connection: _Connection) -> int:
        if connection.number < 0:
            connection.number = self._numbers
            self._numbers += 1
        return connection.number


class PacketBuilder:
    """Makes IPv4 packets, without a link layer, of chunks: one each, or more for one above 65,495 bytes.

    The inverter is 192.0.2.1:8899; each connection has a client of its own in 198.18.0.0/15. There are packets with
    data only, as in a capture that began later than the connections. Of more than 128 connections at a time, the one
    longest unused is forgotten; should it go on, it is another in the file.
    """

    def __init__(self, end: int) -> None:
        """Begin behind that many bytes of a file, with clients that are not in it."""
        self._client = end // _LEAST  # fewer connections than that fit in
        self._numbers: dict[int, tuple[int, dict[Direction, int]]] = {}  # connection: client, sequence numbers

    def build(self, chunk: Chunk) -> Iterator[bytes]:
        """Yield the packets that carry a chunk."""
        if chunk.connection in self._numbers:
            client, numbers = self._numbers.pop(chunk.connection)
        else:
            client, numbers = self._client, dict.fromkeys(Direction, _FIRST)
            self._client += 1
            if len(self._numbers) == _CONNECTIONS:
                del self._numbers[next(iter(self._numbers))]
        self._numbers[chunk.connection] = client, numbers  # the last one used stands last
        address = _CLIENTS + (client >> 14 & 0x1FFFF)
        ends = _INVERTER, (address.to_bytes(4, "big"), _CLIENT_PORTS + (client & 0x3FFF))
        source, target = ends if chunk.direction == Direction.RECEIVED else ends[::-1]
        for start in range(0, len(chunk.data), LONGEST_DATA):
            data = chunk.data[start : start + LONGEST_DATA]
            sequence = numbers[chunk.direction]
            (ack,) = (numbers[other] for other in Direction if other != chunk.direction)
            yield build_packet(source, target, sequence, ack, data)
            numbers[chunk.direction] = (sequence + len(data)) & _MASK
