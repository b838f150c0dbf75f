"""Texts that a request has cut are told from those that are short."""

from __future__ import annotations

import pytest

from rct_tools.objects import ObjectInfo, registry
from rct_tools.stubs import Stubs
from rct_tools.values import DataType

TEXT = registry["android_description"]
UNKNOWN = registry.describe(0x12345678)
NUMBER = registry["battery.soc"]

ROWS: list[tuple[ObjectInfo, list[bytes], list[bool]]] = [  # payloads of an object, and which seem to be cut
    (TEXT, [b"roof\0\0\0\0", b"ro", b"roof\0\0\0\0"], [False, True, False]),
    (TEXT, [b"ro", b"roof\0\0\0\0"], [True, False]),  # no text is without its NUL
    (TEXT, [b"ro", b"ro", b"ro"], [True, False, False]),  # this one is: it comes again and again
    (TEXT, [b"roof\0", b"ro", b"r", b"ro"], [False, True, True, True]),  # cut at other places
    (TEXT, [b"roof\0\0", b"ro\0", b"ro\0", b"ro\0"], [False, True, True, False]),  # it has become shorter
    (TEXT, [b"roof\0\0", b"ro", b"roof\0\0", b"ro"], [False, True, False, True]),  # the doubt was wrong
    (TEXT, [b"", b""], [True, False]),
    (UNKNOWN, [b"\1", b"\1\2\3\4", b"\1\2", b"\1\2\3\4"], [False, False, True, False]),
    (NUMBER, [b"\1\2\3\4", b"\1"], [False, False]),  # its type tells
]


@pytest.mark.parametrize(("info", "payloads", "cut"), ROWS)
def test_what_is_shorter_is_doubted(info: ObjectInfo, payloads: list[bytes], cut: list[bool]) -> None:
    stubs = Stubs()
    assert [stubs.is_cut(info, payload) for payload in payloads] == cut


def test_objects_are_told_apart() -> None:
    stubs = Stubs()
    assert not stubs.is_cut(TEXT, b"roof\0\0")
    assert not stubs.is_cut(UNKNOWN, b"\1")


def test_what_is_remembered_is_bounded() -> None:
    stubs = Stubs()
    for object_id in range(10_000):
        info = ObjectInfo(object_id, "", DataType.UNKNOWN)
        assert not stubs.is_cut(info, b"\1\2")
        assert stubs.is_cut(info, b"\1")
    assert len(stubs._sizes) < 5000
    assert len(stubs._doubted) < 5000
    assert stubs.is_cut(ObjectInfo(9_999, "", DataType.UNKNOWN), b"")
