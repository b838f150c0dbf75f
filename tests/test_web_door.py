"""Who may come in."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from msgspec import structs
from multidict import CIMultiDict

from rct_tools.errors import ConfigError
from rct_tools.loopback import REFUSAL
from rct_tools.settings import NO_SECRET, Secret
from rct_tools.web.door import LASTS, SHORTEST, Attempts, Refused, ReverseProxy, Sessions, Visitor, receive
from rct_tools.web.password import Password, hash_password
from rct_tools.web.table import ADDRESS, ReverseProxyTable, WebTable

OURS = {"Host": "localhost:9834"}
REQUESTS = [  # where we listen, headers, whether it is for a file of the page, the status of the refusal; 0 for none
    ("127.0.0.1", {"Host": "127.0.0.1:9834"}, False, 0),
    ("127.0.0.1", OURS, False, 0),
    ("::1", {"Host": "[::1]:9834"}, False, 0),
    ("127.0.0.1", {}, False, 421),
    ("127.0.0.1", {"Host": ""}, False, 421),
    ("127.0.0.1", {"Host": "evil.example"}, False, 421),  # a name that leads here: DNS rebinding
    ("127.0.0.1", {"Host": "localhost.evil.example:9834"}, True, 421),
    *[
        ("127.0.0.1", {"Host": name}, True, 421)
        for name in ("[", "localhost/evil", "localhost?evil", "evil@localhost", "localhost.", "localhost,evil", "\xff")
    ],
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


def received(
    listen: str = "127.0.0.1",
    *lines: tuple[str, str],
    peer: str = "192.0.2.9",
    proxy: ReverseProxy | None = None,
    target: str = "/",
    is_page: bool = False,
) -> Visitor | Refused:
    return receive(listen, proxy, peer, target, CIMultiDict(lines), is_page=is_page)


@pytest.mark.parametrize(("listen", "headers", "is_page", "status"), REQUESTS)
def test_who_is_let_in(listen: str, headers: dict[str, str], is_page: bool, status: int) -> None:
    who = received(listen, *headers.items(), is_page=is_page)
    assert (who.status if isinstance(who, Refused) else 0) == status
    assert who == Visitor("192.0.2.9") if isinstance(who, Visitor) else "\n" not in who.reason


TARGETS = [  # the first line of a request, with Host: localhost; the status of the refusal
    ("/api/now", 0), ("http://localhost/api/now", 0), ("http://LOCALHOST/", 0), ("//evil.example/", 0),
    ("http://evil.example/api/now", 421), ("http://localhost@evil.example/", 421), ("http://[", 421),
    ("evil.example:80", 421), ("*", 421), ("", 421),
]  # fmt: skip


@pytest.mark.parametrize(("target", "status"), TARGETS)
def test_name_in_the_first_line_is_one_more(target: str, status: int) -> None:
    who = received("127.0.0.1", ("Host", "localhost"), target=target)
    assert (who.status if isinstance(who, Refused) else 0) == status


def test_headers_that_are_there_twice() -> None:
    host = ("Host", "localhost")
    assert received("0.0.0.0", host, ("Host", "evil.example")) == Refused(421, REFUSAL.rstrip())
    for name, good, bad in (("Origin", "http://localhost", "http://evil"), ("Sec-Fetch-Site", "none", "cross-site")):
        assert isinstance(received("127.0.0.1", host, (name, good), (name, good)), Visitor)
        for first, second in ((good, bad), (bad, good)):
            who = received("127.0.0.1", host, (name, first), (name, second))
            assert isinstance(who, Refused)
            assert who.status == 403


# --- behind a reverse proxy -----------------------------------------------------------------------------------------

NAME = "solar.example.org"
AT = ("Host", NAME)
ANNA = ("Remote-User", "anna")
FOR = "X-Forwarded-For"
PROXY = ReverseProxyTable(
    addresses=("192.0.2.80", "172.18.0.0/16", "2001:db8::/64"),
    hosts=(NAME, "Solar.LAN:8443"),
    user_header="Remote-User",
).setup("web.reverse_proxy")
TLS_ONLY = replace(PROXY, user_header="")

BEHIND = [  # peer, headers; who that is, or the status of the refusal
    ("192.0.2.80", (AT, ANNA), Visitor("192.0.2.80", "anna")),
    ("172.18.9.9", (AT, ANNA), Visitor("172.18.9.9", "anna")),
    ("2001:db8::5", (AT, ANNA), Visitor("2001:db8::5", "anna")),
    ("::ffff:192.0.2.80", (AT, ANNA), Visitor("::ffff:192.0.2.80", "anna")),
    ("192.0.2.80", (("Host", "SOLAR.lan:8443"), ("remote-USER", " anna ")), Visitor("192.0.2.80", "anna")),
    ("192.0.2.80", (AT, ("Remote-User", "Jürgen Groß")), Visitor("192.0.2.80", "Jürgen Groß")),
    # who is logged in, only the proxy says
    ("192.0.2.81", (AT, ANNA), Visitor("192.0.2.81")),
    ("172.19.0.1", (AT, ANNA), Visitor("172.19.0.1")),
    ("2001:db8:0:1::5", (AT, ANNA), Visitor("2001:db8:0:1::5")),
    ("", (AT, ANNA), Visitor("")),
    ("a socket", (AT, ANNA), Visitor("a socket")),
    # and it says it in one way
    ("192.0.2.80", (AT,), Visitor("192.0.2.80")),
    ("192.0.2.80", (AT, ("Remote-User", "")), Visitor("192.0.2.80")),
    ("192.0.2.80", (AT, ("Remote-User", "  ")), Visitor("192.0.2.80")),
    ("192.0.2.80", (AT, ("Remote_User", "anna")), Visitor("192.0.2.80")),
    ("192.0.2.80", (AT, ("X-Remote-User", "anna")), Visitor("192.0.2.80")),
    ("192.0.2.80", (AT, ANNA, ANNA), 400),
    ("192.0.2.80", (AT, ("Remote-User", ""), ANNA), 400),
    ("192.0.2.80", (AT, ("Remote-User", "an\u200bna")), 400),
    ("192.0.2.80", (AT, ("Remote-User", "\udcff")), 400),
    ("192.0.2.80", (AT, ("Remote-User", "a\tb")), 400),
    ("192.0.2.80", (AT, ("Remote-User", "a" * 201)), 400),
    # names: none but those that are declared lead to it
    ("192.0.2.80", (("Host", "evil.example"), ANNA), 421),
    ("192.0.2.80", (("Host", NAME + ":80"), ANNA), 421),
    ("192.0.2.80", (("Host", NAME + "."), ANNA), 421),
    ("192.0.2.80", (("Host", "evil.example"), (FOR, "198.51.100.1")), 421),
    ("192.0.2.80", (ANNA,), 421),
    ("192.0.2.80", (AT, ("Host", "evil.example"), ANNA), 421),
    # pages of other sites
    ("192.0.2.80", (AT, ANNA, ("Origin", f"https://{NAME}")), Visitor("192.0.2.80", "anna")),
    ("192.0.2.80", (AT, ANNA, ("Origin", "https://solar.lan:8443")), Visitor("192.0.2.80", "anna")),  # without its port
    ("192.0.2.80", (AT, ANNA, ("Origin", "https://evil.example")), 403),
    ("192.0.2.80", (AT, ANNA, ("Origin", f"https://{NAME}.evil.example")), 403),
    ("192.0.2.80", (AT, ANNA, ("Origin", f"https://{NAME}:8443")), 403),
    ("192.0.2.80", (AT, ANNA, ("Origin", "null")), 403),
    ("192.0.2.80", (AT, ANNA, ("Sec-Fetch-Site", "cross-site")), 403),
    # TLS
    ("192.0.2.80", (AT, ("X-Forwarded-Proto", "https")), Visitor("192.0.2.80", is_secure=True)),
    ("192.0.2.80", (AT, ("X-Forwarded-Proto", "http")), Visitor("192.0.2.80")),
    ("192.0.2.80", (AT, ("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")), Visitor("192.0.2.80")),
    ("192.0.2.81", (AT, ("X-Forwarded-Proto", "https")), Visitor("192.0.2.81")),
    ("192.0.2.80", (AT, ("X-Forwarded-Proto", "https"), ("Origin", f"http://{NAME}")), 403),
    # the browser
    ("192.0.2.80", (AT, (FOR, "198.51.100.1")), Visitor("198.51.100.1")),
    ("192.0.2.80", (AT, (FOR, "1.2.3.4, 198.51.100.1")), Visitor("198.51.100.1")),  # the first may be anybody's word
    ("192.0.2.80", (AT, (FOR, "1.2.3.4"), (FOR, "198.51.100.1")), Visitor("198.51.100.1")),
    ("192.0.2.80", (AT, (FOR, "198.51.100.1, 172.18.0.3,192.0.2.80")), Visitor("198.51.100.1")),  # two proxies
    ("192.0.2.80", (AT, (FOR, "2001:db8:1::1")), Visitor("2001:db8:1::1")),
    ("192.0.2.80", (AT, (FOR, "::ffff:198.51.100.1")), Visitor("198.51.100.1")),
    ("192.0.2.80", (AT, (FOR, "198.51.100.1, unknown")), Visitor("192.0.2.80")),
    ("192.0.2.80", (AT, (FOR, "192.0.2.80")), Visitor("192.0.2.80")),
    ("192.0.2.80", (AT, (FOR, "")), Visitor("192.0.2.80")),
    ("192.0.2.80", (AT, (FOR, "a\nb")), Visitor("192.0.2.80")),
    ("192.0.2.81", (AT, (FOR, "198.51.100.1")), Visitor("192.0.2.81")),
]  # fmt: skip


@pytest.mark.parametrize(("peer", "headers", "expected"), BEHIND)
def test_who_comes_through_a_reverse_proxy(
    peer: str, headers: tuple[tuple[str, str], ...], expected: Visitor | int
) -> None:
    who = received("0.0.0.0", *headers, peer=peer, proxy=PROXY)
    assert (who.status if isinstance(who, Refused) else who) == expected


def test_reverse_proxy_that_logs_nobody_in() -> None:
    who = received("0.0.0.0", AT, ANNA, (FOR, "198.51.100.1"), peer="192.0.2.80", proxy=TLS_ONLY)
    assert who == Visitor("198.51.100.1")


LOCAL = ReverseProxyTable(addresses=("127.0.0.1",), hosts=(NAME,), user_header="Remote-User").setup("web.reverse_proxy")
ON_LOOPBACK = [  # the reverse proxy that is declared, headers; who that is, or what is said
    (LOCAL, (AT, ANNA), Visitor("127.0.0.1", "anna")),
    (LOCAL, (("Host", "localhost:9834"),), Visitor("127.0.0.1")),  # somebody on this machine
    (LOCAL, (("Host", "localhost:9834"), ANNA), "not among web.reverse_proxy.hosts"),
    (LOCAL, (("Host", "127.0.0.1:9834"), (FOR, "198.51.100.1")), "not among web.reverse_proxy.hosts"),
    (LOCAL, (("Host", "evil.example"),), "not among web.reverse_proxy.hosts"),
    (None, (AT,), "this page is on loopback"),
    (None, (("Host", "localhost:9834"), ANNA), Visitor("127.0.0.1")),
    *[
        (None, (("Host", "127.0.0.1:9834"), (name, "x")), "reverse proxy that web.reverse_proxy does not name")
        for name in ("Forwarded", FOR, "X-Forwarded-Host", "x-forwarded-proto", "X-Real-IP")
    ],
]


@pytest.mark.parametrize(("proxy", "headers", "expected"), ON_LOOPBACK)
def test_reverse_proxy_on_this_machine(
    proxy: ReverseProxy | None, headers: tuple[tuple[str, str], ...], expected: Visitor | str
) -> None:
    who = received("127.0.0.1", *headers, peer="127.0.0.1", proxy=proxy)
    assert expected in who.reason if isinstance(who, Refused) and isinstance(expected, str) else who == expected


# --- sessions, and wrong passwords ----------------------------------------------------------------------------------


def test_session_is_good_for_a_while() -> None:
    sessions = Sessions()
    token = sessions.open(0.0)
    assert len(token) >= 40
    assert sessions.left(token, LASTS - 1) == 1
    assert not sessions.left(token, LASTS)
    assert not sessions.left("", 0.0)
    assert not sessions.left(token[:-1], 0.0)
    sessions.close(token)
    sessions.close(token)
    assert not sessions.left(token, 0.0)


def test_sessions_are_not_kept_without_end() -> None:
    sessions = Sessions()
    tokens = [sessions.open(0.0) for _ in range(1100)]
    assert [sessions.left(token, 0.0) for token in (tokens[0], tokens[-1])] == [0, LASTS]


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


@pytest.mark.parametrize("listen", ["0.0.0.0:9834", ADDRESS])
def test_reverse_proxy_needs_a_login(listen: str) -> None:
    table = ReverseProxyTable(addresses=("127.0.0.1",), hosts=(NAME,))
    with pytest.raises(ConfigError, match=r"^web\.reverse_proxy: others come through it, so web\.password is needed"):
        WebTable(listen=listen, reverse_proxy=table).setup("web", None)
    secret = Secret(file="/etc/rct-tools/page-password")
    setup = WebTable(listen=listen, reverse_proxy=table, password=secret).setup("web", None)
    assert setup.is_guarded
    setup = WebTable(listen=listen, reverse_proxy=structs.replace(table, user_header="Remote-User")).setup("web", None)
    assert setup.is_guarded
    assert setup.proxy == LOCAL
    assert not WebTable().setup("web", None).is_guarded


WRONG_PROXIES = [  # addresses, hosts, header; what is said
    ((), (NAME,), "", "addresses: expected at least one"),
    (("127.0.0.1",), (), "", "hosts: expected at least one"),
    (("localhost",), (NAME,), "", "addresses: 'localhost' is no address"),
    (("192.0.2.1/24",), (NAME,), "", "addresses: '192.0.2.1/24' is no address"),
    (("0.0.0.0/0",), (NAME,), "", "addresses: 0.0.0.0/0 is everybody"),
    (("::/0",), (NAME,), "", "addresses: ::/0 is everybody"),
    *[
        (("127.0.0.1",), (host,), "", f"hosts: {host!r} is no name as browsers show it")
        for host in ("", "https://solar.lan", "solar.lan/", "*.example.org", "solar.lan:", "a b", "a@b", "[solar]")
    ],
    *[
        (("127.0.0.1",), (NAME,), header, f"user_header: {header!r} is no name of a header")
        for header in ("Remote_User", "Remote User", "Remote-User:", "Größe", "X\n")
    ],
    *[
        (("127.0.0.1",), (NAME,), header, f"user_header: {header} is there without any login")
        for header in ("Host", "X-Forwarded-For", "user-agent", "COOKIE", "Authorization", "Sec-Fetch-Site")
    ],
]  # fmt: skip


@pytest.mark.parametrize(("addresses", "hosts", "header", "said"), WRONG_PROXIES)
def test_reverse_proxies_that_are_wrong(
    addresses: tuple[str, ...], hosts: tuple[str, ...], header: str, said: str
) -> None:
    table = ReverseProxyTable(addresses=addresses, hosts=hosts, user_header=header)
    with pytest.raises(ConfigError, match=f"^{re.escape(f'web.reverse_proxy.{said}')}"):
        WebTable(reverse_proxy=table).setup("web", None)


@pytest.mark.parametrize("host", [NAME, "solar", "192.0.2.80:8443", "[2001:db8::1]", "[::1]:8443", "my_house.lan"])
def test_names_that_a_reverse_proxy_may_have(host: str) -> None:
    table = ReverseProxyTable(addresses=("::1",), hosts=(host,))
    assert table.setup("web.reverse_proxy").hosts == {host}
