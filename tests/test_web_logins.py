"""Logins outlive a restart, and nothing else does."""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from rct_tools.settings import NO_SECRET, Secret
from rct_tools.web.door import LASTS
from rct_tools.web.logins import Logins
from rct_tools.web.password import Password, hash_password
from rct_tools.web.table import WebSetup

PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)  # which takes a tenth of a second each time it is made
OTHER = hash_password("another password")
DAY = 86_400.0


@dataclass
class House:
    """A page that is started again and again, and clocks that show what they like."""

    setup: WebSetup
    utc: float = 1.8e9
    up: float = 1000.0
    running: list[Logins] = field(default_factory=list)

    def start(self, password: str = HASH, *, serves: bool = True) -> Logins:
        self.up = 5.0 * (len(self.running) + 1)  # the machine is another, for all its clock says
        secret = Secret(password) if password else NO_SECRET
        logins = Logins(replace(self.setup, password=secret), lambda: self.up, lambda: self.utc)
        self.running.append(logins)
        if serves:
            logins.begin()
        return logins

    def wait(self, seconds: float) -> None:
        self.utc += seconds
        self.up += seconds

    @property
    def path(self) -> Path:
        assert self.setup.folder is not None
        return self.setup.folder / "page" / "logins-0.0.0.0%3A9834.json"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(WebSetup("0.0.0.0", 9834, NO_SECRET, None, folder=tmp_path / "state"))


AWAY = [  # how far the clock has come until the next start, how long a login is good then
    (0, LASTS),
    (10 * DAY, 20 * DAY),
    (LASTS - 1, 1),
    (LASTS, 0),
    (100 * DAY, 0),
    (-600, LASTS),  # a clock that is a little late, as where no battery keeps it
    (-2 * 3600, 0),
    (-20_000 * DAY, 0),  # 1972
]


@pytest.mark.parametrize(("seconds", "left"), AWAY)
def test_it_ends_when_it_would_have_ended(house: House, seconds: float, left: float) -> None:
    token = house.start().open()
    house.utc += seconds
    logins = house.start()
    assert logins.left(token) == pytest.approx(left, abs=1e-3)
    house.wait(left)
    assert logins.left(token) == pytest.approx(0, abs=1e-3)


def test_clock_that_jumps_while_it_runs_ends_nothing(house: House) -> None:
    logins = house.start()
    token = logins.open()
    for jump in (50 * DAY, -20_000 * DAY, 30_000 * DAY):
        house.utc += jump
        assert logins.left(token) == LASTS


def test_clock_that_was_wrong_gives_nobody_more(house: House) -> None:
    house.utc += 4000 * DAY
    logins = house.start()
    first = logins.open()
    house.utc -= 4000 * DAY
    assert house.start(serves=False).left(first) == 0


def test_clock_that_was_wrong_is_so_until_the_next_login(house: House) -> None:
    house.utc += 4000 * DAY
    logins = house.start()
    first = logins.open()
    house.utc -= 4000 * DAY
    second = logins.open()
    logins = house.start()
    assert [logins.left(first), logins.left(second)] == [pytest.approx(LASTS)] * 2


def test_a_wrong_clock_at_the_start_costs_nothing_once_it_is_right(house: House) -> None:
    token = house.start().open()
    house.utc -= 10_000 * DAY
    assert not house.start().left(token)
    house.utc += 10_000 * DAY
    assert house.start().left(token)


def test_what_is_kept_opens_nothing(house: House) -> None:
    old = os.umask(0)
    try:
        token = house.start(PASSWORD).open()
    finally:
        os.umask(old)
    text = house.path.read_text("utf-8")
    assert token not in text
    assert PASSWORD not in text
    kept = json.loads(text)
    assert kept["password"].startswith("$argon2id$")
    assert list(kept["ends"].values()) == ["2027-02-14T08:00:00Z"]
    assert [each.name for each in house.path.parent.iterdir()] == [house.path.name]
    (digest,) = kept["ends"]
    logins = house.start(PASSWORD)
    assert not logins.left(digest)
    assert logins.left(token)
    if sys.platform != "win32":
        assert stat.S_IMODE(house.path.stat().st_mode) == 0o600


OTHERS = {
    "hash of another": OTHER,
    "another": "another password",
    "another hash": hash_password(PASSWORD),
    "none": "",
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_password_or_none_ends_all_for_good(house: House, other: str) -> None:
    token = house.start().open()
    assert not house.start(other).left(token)
    assert not house.path.exists()
    assert not house.start().left(token)


def test_a_collector_that_does_not_get_the_address_takes_nothing_away(house: House) -> None:
    token = house.start().open()
    for other in (OTHER, ""):
        house.start(other, serves=False)
    assert house.start().left(token)


def test_pages_at_other_addresses_know_nothing_of_it(house: House) -> None:
    token = house.start().open()
    beside = House(replace(house.setup, port=9835))
    assert not beside.start(OTHER).left(token)
    beside.start(OTHER).open()
    assert house.start().left(token)


def test_who_has_logged_out_is_out(house: House) -> None:
    logins = house.start()
    first, second = logins.open(), logins.open()
    logins.close(first)
    logins = house.start()
    assert [bool(logins.left(token)) for token in (first, second)] == [False, True]
    logins.close(second)
    assert json.loads(house.path.read_text("utf-8"))["ends"] == {}


def test_what_has_ended_is_not_kept(house: House) -> None:
    logins = house.start()
    logins.open()
    house.wait(LASTS / 2)
    logins.open()
    house.wait(LASTS / 2)
    logins.open()
    assert len(json.loads(house.path.read_text("utf-8"))["ends"]) == 2


def test_the_newest_stay_when_there_are_too_many(house: House) -> None:
    logins = house.start()
    opened = logins._sessions.open
    tokens = [opened(house.up) for _ in range(998)]  # without the disk, for speed
    tokens += [logins.open(), logins.open()]
    logins = house.start()
    assert all(map(logins.left, tokens))
    logins.open()
    assert [bool(logins.left(token)) for token in (tokens[0], tokens[1])] == [False, True]


def test_only_what_changes_is_written(house: House) -> None:
    logins = house.start()
    token = logins.open()
    house.path.unlink()
    assert logins.left(token)
    assert not logins.left("nonsense")
    logins.close("nonsense")
    house.start()
    assert not house.path.exists()


def test_nowhere_to_keep_it(house: House) -> None:
    house.setup = replace(house.setup, folder=None)
    logins = house.start()
    token = logins.open()
    assert logins.left(token)
    assert not house.start().left(token)
    house.start("")


# --- trouble --------------------------------------------------------------------------------------------------------

DAMAGED = [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"password": "\xff"}', b"[" * 100_000, b'{"password": 5}',
    b'{"ends": []}', b'{"ends": {"x": "soon"}}', b'{"ends": {"x": "2027-02-14T08:00:00"}}', b'{"tokens": {}}',
    b"\0" * 4096,
]  # fmt: skip


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("data", DAMAGED)
def test_damaged_file(house: House, caplog: pytest.LogCaptureFixture, data: bytes) -> None:
    house.path.parent.mkdir(parents=True)
    house.path.write_bytes(data)
    token = house.start().open()
    assert house.start().left(token)
    assert said(caplog) == [f"{house.path}: is damaged; who was logged in has to log in anew"]


def test_hash_that_would_not_be_made_today_is_not_gone_on_with() -> None:
    """Nor is it tried: it might take all memory there is."""
    light = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    for known in ("", "x", "$argon2id$", "$argon2id$v=19$m=x,t=3,p=4$x$y", "\xff", HASH[:-1], OTHER, light):
        assert Password(PASSWORD, known).hash != known
    assert Password(PASSWORD, HASH).hash == HASH


def test_disk_that_takes_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and what was kept before is not good for whoever logs out meanwhile."""
    logins = house.start()
    first = logins.open()
    part = house.path.with_name(f".{house.path.name}.part")
    part.mkdir()
    second = logins.open()
    logins.close(first)
    assert logins.left(second)
    (text,) = said(caplog)
    assert text.startswith(f"{house.path}: cannot be written: ")
    assert text.endswith("; logins do not outlive a restart of this program")
    assert not house.start().left(first)
    part.rmdir()
    logins.open()
    assert house.start().left(second)
    part.mkdir()
    logins.open()
    assert len(said(caplog)) == 2  # it was good in between


def test_file_that_cannot_be_removed(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.path.mkdir(parents=True)
    house.start("")
    (text,) = said(caplog)
    assert text.startswith(f"{house.path}: cannot be removed: ")
    assert text.endswith("; it has logins by another password")
