"""Addresses as people write them."""

from __future__ import annotations

import pytest

from rct_tools.address import is_host, parse_address, show_address
from rct_tools.errors import ConfigError

WRITTEN = [  # text, host, port
    ("127.0.0.1:8899", "127.0.0.1", 8899),
    ("0.0.0.0:0", "0.0.0.0", 0),
    ("[::1]:65535", "::1", 65535),
    ("[fe80::1%eth0]:8899", "fe80::1%eth0", 8899),
    ("roof.lan:1", "roof.lan", 1),
]


@pytest.mark.parametrize(("text", "host", "port"), WRITTEN)
def test_address_both_ways(text: str, host: str, port: int) -> None:
    assert parse_address(text) == parse_address(text, 1234) == (host, port)
    assert show_address(host, port) == text


@pytest.mark.parametrize(
    ("text", "host"),
    [("roof.lan", "roof.lan"), ("192.0.2.7", "192.0.2.7"), ("[::1]", "::1"), ("::1", "::1"),
     ("fd00::8899", "fd00::8899"), ("fe80::1%eth0", "fe80::1%eth0")],
)  # fmt: skip
def test_port_may_be_left_out_where_there_is_one_to_take(text: str, host: str) -> None:
    assert parse_address(text, 8899) == (host, 8899)
    with pytest.raises(ConfigError, match="is no address; expected one such as 127"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "alone"),
    [("roof", True), ("roof.lan", True), ("192.0.2.7", True), ("::1", True), ("fe80::1%eth0", True), ("", False),
     ("roof:8899", False), ("192.0.2.7:8899", False), (":8899", False), ("[::1]", False), ("[::1]:8899", False),
     ("http://roof", False), ("roof/", False), ("me@roof", False), ("roof ", False)],
)  # fmt: skip
def test_a_host_alone(text: str, alone: bool) -> None:
    assert is_host(text) == alone


BAD = ["", ":", ":8899", "a:", "a:b", "a:-1", "a:65536", "a:123456", "[::1", "::1]", "[]:1", "[a]:1", "[::1]8899",
       "a/b:1", "me@a:1", "a b:1", "http://a:1", "a:1:b", "a:1\n", "a:²"]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_no_address(text: str) -> None:
    for port in (None, 8899):
        with pytest.raises(ConfigError) as caught:
            parse_address(text, port, example="192.0.2.7:8899")
        assert str(caught.value) == f"{text!r} is no address; expected one such as 192.0.2.7:8899"
