"""Who may ask for what is on loopback."""

from __future__ import annotations

import pytest

from rct_tools.loopback import is_meant


@pytest.mark.parametrize(
    ("listen", "asked", "meant"),
    [
        ("127.0.0.1", "127.0.0.1:9832", True),
        ("127.0.0.1", "localhost:9832", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "192.0.2.7", True),  # by an address: nobody has another name in between
        ("127.0.0.1", "[::1]:9832", True),
        ("::1", "[::1]:9832", True),
        ("localhost", "localhost:9832", True),
        ("127.0.0.1", "elsewhere.example:9832", False),
        ("127.0.0.1", "localhost.example:9832", False),
        ("127.0.0.1", "127.0.0.1.example", False),
        ("::1", "elsewhere.example", False),
        ("localhost", "elsewhere.example", False),
        ("127.0.0.1", "[::1", False),
        ("127.0.0.1", "", False),
        ("0.0.0.0", "collector.example:9832", True),
        ("192.0.2.7", "collector.example", True),
        ("collector.example", "collector.example", True),
    ],
)
def test_on_loopback_only_by_address(listen: str, asked: str, meant: bool) -> None:
    assert is_meant(listen, asked) is meant
