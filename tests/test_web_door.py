"""Who may come in."""

from __future__ import annotations

import pytest

from rct_tools.errors import ConfigError
from rct_tools.settings import NO_SECRET, Secret
from rct_tools.web.door import LASTS, SHORTEST, Attempts, Sessions, refusal
from rct_tools.web.password import Password, hash_password
from rct_tools.web.table import ADDRESS, WebTable

OURS = {"Host": "localhost:9834"}
REQUESTS = [  # where we listen, headers, whether it is for a file of the page, the status of the refusal; 0 for none
    ("127.0.0.1", {"Host": "127.0.0.1:9834"}, False, 0),
    ("127.0.0.1", OURS, False, 0),
    ("::1", {"Host": "[::1]:9834"}, False, 0),
    ("127.0.0.1", {}, False, 421),
    ("127.0.0.1", {"Host": ""}, False, 421),
    ("127.0.0.1", {"Host": "evil.example"}, False, 421),  # a name that leads here: DNS rebinding
    ("127.0.0.1", {"Host": "localhost.evil.example:9834"}, True, 421),
    ("127.0.0.1", {"Host": "["}, True, 421),
    ("0.0.0.0", {"Host": "solar.lan:9834"}, False, 0),
    ("127.0.0.1", {**OURS, "Origin": "http://localhost:9834"}, False, 0),
    ("127.0.0.1", {**OURS, "Origin": "https://localhost:9834"}, False, 0),  # behind a proxy with TLS
    ("127.0.0.1", {**OURS, "Origin": "http://evil.example"}, False, 403),
    ("127.0.0.1", {**OURS, "Origin": "http://localhost:9835"}, False, 403),  # another page of this machine
    ("127.0.0.1", {**OURS, "Origin": "null"}, True, 403),
    ("127.0.0.1", {**OURS, "Origin": "file://localhost:9834"}, False, 403),
    ("127.0.0.1", {**OURS, "Origin": "http://["}, False, 403),
    ("127.0.0.1", {**OURS, "Sec-Fetch-Site": "same-origin"}, False, 0),
    ("127.0.0.1", {**OURS, "Sec-Fetch-Site": "none"}, False, 0),  # typed by hand
    ("127.0.0.1", {**OURS, "Sec-Fetch-Site": "cross-site"}, False, 403),
    ("127.0.0.1", {**OURS, "Sec-Fetch-Site": "same-site"}, False, 403),
    ("127.0.0.1", {**OURS, "Sec-Fetch-Site": "cross-site"}, True, 0),  # a link from elsewhere may lead to the page
]


@pytest.mark.parametrize(("listen", "headers", "is_page", "status"), REQUESTS)
def test_who_is_let_in(listen: str, headers: dict[str, str], is_page: bool, status: int) -> None:
    refused = refusal(listen, headers, is_page=is_page)
    assert (refused.status if refused else 0) == status
    assert refused is None or "\n" not in refused.reason


def test_session_is_good_for_a_while() -> None:
    sessions = Sessions()
    token = sessions.open(0.0)
    assert len(token) >= 40
    assert sessions.is_open(token, LASTS - 1)
    assert not sessions.is_open(token, LASTS)
    assert not sessions.is_open("", 0.0)
    assert not sessions.is_open(token[:-1], 0.0)
    sessions.close(token)
    sessions.close(token)
    assert not sessions.is_open(token, 0.0)


def test_sessions_are_not_kept_without_end() -> None:
    sessions = Sessions()
    tokens = [sessions.open(0.0) for _ in range(1100)]
    assert [sessions.is_open(token, 0.0) for token in (tokens[0], tokens[-1])] == [False, True]


def test_wrong_passwords_make_wait_ever_longer() -> None:
    attempts = Attempts()
    waits = []
    now = 0.0
    for _ in range(1000):
        now += attempts.wait("192.0.2.9", now)
        attempts.wrong("192.0.2.9", now)
        waits.append(attempts.wait("192.0.2.9", now))
    assert waits[:8] == [0, 0, 0, 0, 2, 4, 8, 16]
    assert waits == sorted(waits)
    assert waits[-1] == 900
    assert now > 9 * 86_400  # a thousand take more than a week
    assert attempts.wait("192.0.2.10", now) == 0  # nobody else waits
    assert attempts.wait("192.0.2.9", now + 3601) == 0
    attempts.wrong("192.0.2.9", now + 3601)
    assert attempts.wait("192.0.2.9", now + 3601) == 0  # it begins anew


def test_the_right_password_forgets_the_wrong_ones() -> None:
    attempts = Attempts()
    for _ in range(6):
        attempts.wrong("192.0.2.9", 0.0)
    attempts.right("192.0.2.9")
    attempts.right("192.0.2.9")
    assert attempts.wait("192.0.2.9", 0.0) == 0


def test_hosts_of_one_network_of_ipv6_count_as_one() -> None:
    attempts = Attempts()
    for number in range(6):
        attempts.wrong(f"2001:db8::{number}", 0.0)
    assert attempts.wait("2001:db8::ffff", 0.0) > 0
    assert attempts.wait("2001:db8:0:1::1", 0.0) == 0
    attempts.wrong("somebody", 0.0)


def test_hosts_are_not_remembered_without_end() -> None:
    attempts = Attempts()
    for number in range(1200):
        for _ in range(6):
            attempts.wrong(f"10.0.{number // 250}.{number % 250}", 0.0)
    assert attempts.wait("10.0.0.0", 0.0) == 0
    assert attempts.wait("10.0.4.199", 0.0) > 0


# --- the password ---------------------------------------------------------------------------------------------------


def test_password_and_its_hash() -> None:
    hashed = hash_password("correct horse")
    assert hashed.startswith("$argon2id$")
    for password in (Password("correct horse"), Password(hashed)):
        assert password.is_right("correct horse")
        assert not password.is_right("correct hors")
        assert not password.is_right(hashed)
        assert not password.is_right("")


@pytest.mark.parametrize("text", ["", "short", "$argon2id$nonsense"])
def test_password_that_cannot_be(text: str) -> None:
    with pytest.raises(ConfigError, match=rf"at least {SHORTEST} letters|is none"):
        Password(text)


# --- the table ------------------------------------------------------------------------------------------------------


def test_table_is_for_this_machine_unless_there_is_a_password() -> None:
    setup = WebTable().setup("web", None)
    assert f"{setup.host}:{setup.port}" == ADDRESS
    secret = Secret(file="/etc/rct-tools/page-password")
    assert WebTable(listen="0.0.0.0:80", password=secret).setup("web", None).password == secret
    assert WebTable(listen="[::1]:80").setup("web", None).password == NO_SECRET


@pytest.mark.parametrize("listen", ["0.0.0.0:9834", "[::]:9834", "192.0.2.1:80", "solar.lan:80"])
def test_others_need_a_password(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"^web\.listen: others can reach .* web\.password is needed"):
        WebTable(listen=listen).setup("web", None)


def test_address_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"^web\.listen: 'here' is no address"):
        WebTable(listen="here").setup("web", None)
