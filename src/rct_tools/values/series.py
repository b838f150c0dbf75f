"""A page of a logger series."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from rct_tools.values.datatype import Codec, is_a

_TIME = struct.Struct(">I")
_SAMPLE = struct.Struct(">If")


class Sample(NamedTuple):
    """One row of a time series."""

    time: int  # seconds; the device's local wall-clock counted as if it were UTC
    value: float


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """A page of a logger series: samples older than ``time``, newest first."""

    time: int  # as asked for, and as Sample.time
    samples: tuple[Sample, ...]


def _decode_series(payload: bytes) -> TimeSeries:
    (time,) = _TIME.unpack_from(payload)
    return TimeSeries(time, tuple(Sample(*row) for row in _SAMPLE.iter_unpack(payload[_TIME.size :])))


def _encode_series(series: TimeSeries) -> bytes:
    return _TIME.pack(series.time) + b"".join(_SAMPLE.pack(*sample) for sample in series.samples)


TIME_SERIES: Final = Codec("4 + n * 8 bytes", _decode_series, _encode_series, is_a(TimeSeries))
