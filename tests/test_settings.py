"""What may stand in a configuration, and how what may not is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from rct_tools.errors import ConfigError
from rct_tools.settings import NO_SECRET, Duration, Secret, Size, Table, Tls, decode


class Inner(Table, frozen=True):
    every: Duration = Duration(1)
    size: Size = Size(1)


class Outer(Table, frozen=True):
    name: str
    password: Secret = NO_SECRET
    inner: tuple[Inner, ...] = ()
    tls: Tls | None = None


def test_values() -> None:
    outer = decode({"name": "x", "inner": [{"every": "1.5s", "size": "2kB"}], "tls": {"ca": "y"}}, Outer)
    assert outer == Outer(name="x", inner=(Inner(every=Duration(1_500_000_000), size=Size(2000)),), tls=Tls(ca="y"))
    assert outer.inner[0].every.seconds == 1.5


WRONG: list[tuple[dict[str, object], str]] = [
    ({}, "place: name: missing"),
    ({"name": 1}, "place: name: expected `str`, got `int`"),
    ({"nam": "x"}, "place: nam: unknown key, did you mean 'name'?"),
    ({"qqq": "x"}, "place: qqq: unknown key, expected one of name, password, inner, tls"),
    ({"name": "x", "inner": [{"evry": "1s"}]}, "place: inner[0].evry: unknown key, did you mean 'every'?"),
    ({"name": "x", "tls": {"certificat": "1s"}}, "place: tls.certificat: unknown key, did you mean 'certificate'?"),
    ({"name": "x", "inner": [{"every": "1x"}]}, "place: inner[0].every: '1x' is not a duration; expected a number"),
    ({"name": "x", "inner": [{"every": 5}]}, "place: inner[0].every: expected a duration such as \"5s\", got 5"),
    ({"name": "x", "inner": [{"size": 5}]}, "place: inner[0].size: expected a size such as \"100MB\", got 5"),
    ({"name": "x", "password": {"fil": "s3cret"}}, 'place: password: expected text, { file = "PATH" } or'),
    ({"name": "x", "password": {"file": "y", "env": "s3cret"}}, 'place: password: expected text, { file = "PATH" }'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "said"), WRONG)
def test_wrong_value_is_named_by_its_key(value: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(value, Outer, "place")
    assert str(caught.value).startswith(said)
    assert "s3cret" not in str(caught.value)


def test_secret_is_seen_by_those_who_ask_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    monkeypatch.setenv("RCT_TEST", "s3cret")
    for written in ("s3cret", {"file": str(path)}, {"env": "RCT_TEST"}):
        outer = decode({"name": "x", "password": written}, Outer)
        assert outer.password.reveal() == "s3cret"
        assert "s3cret" not in f"{outer} {outer.password!r} {outer.password.shown}"
        assert outer == decode({"name": "x", "password": written}, Outer)
        assert hash(outer.password) == hash(Secret.read(written))
    assert repr(NO_SECRET) == "Secret('')"


def test_secret_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RCT_TEST", raising=False)
    with pytest.raises(ConfigError, match="the environment has no RCT_TEST"):
        Secret(env="RCT_TEST").reveal()
    with pytest.raises(ConfigError, match=r"x: cannot be read.*No such file"):
        Secret(file=str(tmp_path / "x")).reveal()
    (tmp_path / "y").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        Secret(file=str(tmp_path / "y")).reveal()


@pytest.mark.parametrize(
    ("text", "shown"), [("5s", "5s"), ("60s", "1m"), ("90s", "90s"), ("7d", "1w"), ("36h", "36h"), ("250ms", "250ms")]
)
def test_durations_are_shown_as_people_write_them(text: str, shown: str) -> None:
    assert Duration.read(text).shown == shown
    assert Duration.read(shown) == Duration.read(text)


@pytest.mark.parametrize(("text", "shown"), [("1000kB", "1MB"), ("1GB", "1GB"), ("1500B", "1500B"), ("1KiB", "1024B")])
def test_sizes_are_shown_as_people_write_them(text: str, shown: str) -> None:
    assert Size.read(text).shown == shown
    assert Size.read(shown) == Size.read(text)


def test_files_of_tls(tmp_path: Path) -> None:
    assert Tls().context().check_hostname
    with pytest.raises(ConfigError, match=r"tls\.ca: .*x cannot be read: No such file"):
        Tls(ca=str(tmp_path / "x")).context()
    (tmp_path / "y").write_text("nothing")
    with pytest.raises(ConfigError, match="no certificate that can be used"):
        Tls(ca=str(tmp_path / "y")).context()
