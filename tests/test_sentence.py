"""What people are told: English as ever, what it is made of beside it, and German for each of them."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Formatter
from typing import Any, TypeVar

import pytest

from rct_tools.errors import NoAnswer, NotNow, RctError
from rct_tools.objects import registry
from rct_tools.sentence import Sentence, Sentences, sentence_of
from rct_tools.times import Moment
from rct_tools.web import server
from rct_tools.web.answers import made_of
from rct_tools.writable import WRITABLE, Held

ROOT = Path(server.__file__).parent.parent
PAGE = ROOT / "web" / "page"
SAID_ELSEWHERE = {"peer", "meaning"}  # the page says above which inverter it is, and what its modes are

N = TypeVar("N", bound=ast.expr)
SOC = registry["battery.soc"]
STRATEGY = registry["power_mng.soc_strategy"]


class Said(Sentences):
    """A room of its own."""

    FULL = "{peer}: the battery is at {soc} already"
    MANY = "{count:g} of {names}; {why}"


def rooms() -> dict[str, type[Sentences]]:
    """Return what is said by what the server of the page is made of, by module."""
    return {it.__module__: it for it in Sentences.__subclasses__() if it.__module__.startswith("rct_tools.")}


def places(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def test_a_sentence_is_english_and_knows_what_it_is_made_of() -> None:
    said = Said.FULL(peer="roof", soc=Held(SOC, 0.98))
    assert str(said) == said.text == "roof: the battery is at 98.0 % already"
    assert (said.code, said.values) == ("full", {"peer": "roof", "soc": Held(SOC, 0.98)})
    assert said.without("roof: ") == Sentence("the battery is at 98.0 % already", "full", said.values)
    assert said.without("barn: ") == said


def test_what_an_error_says() -> None:
    said = Said.FULL(peer="roof", soc=Held(SOC, 1.0))
    assert sentence_of(NotNow(said)) is said
    assert str(NotNow(said)) == said.text
    assert sentence_of(RctError("in words")) == Sentence("in words")
    assert sentence_of(OSError(28, "No space left on device")) == Sentence("[Errno 28] No space left on device")
    assert sentence_of(RctError()) == Sentence("")
    assert sentence_of(NoAnswer("roof", ["a", "b"])).values == {"peer": "roof", "objects": ("a", "b")}


PARTS: list[tuple[object, str, Any]] = [  # value, in English, as JSON
    ("hold", "hold", "hold"),
    (3, "3", 3),
    (0.5, "0.5", 0.5),
    (float("nan"), "nan", "nan"),
    (Path("/a"), "/a", "/a"),
    (Moment(10**18 + 5), "2001-09-09T01:46:40+00:00", {"time": 10**12}),
    (Held(SOC, 0.07), "7.0 %", {"object": "battery.soc", "unit": "ratio", "labels": {}, "value": 0.07}),
    (Held(SOC, None), "unknown", {"object": "battery.soc", "unit": "ratio", "labels": {}, "value": None}),
    (Sentence("no space"), "no space", {"text": "no space"}),
    (Said.MANY(count=1, names=(), why=""), "1 of ; ", {"code": "many", "values": {"count": 1, "names": [], "why": ""}}),
]  # fmt: skip


@pytest.mark.parametrize(("value", "english", "document"), PARTS)
def test_what_is_put_in(value: object, english: str, document: Any) -> None:
    said = Said.MANY(count=2.0, names=("x", value), why=value)
    assert said.text == f"2 of x, {english}; {english}"
    assert made_of(said) == {"code": "many", "values": {"count": 2.0, "names": ["x", document], "why": document}}


def test_what_has_no_code_is_words_only() -> None:
    assert made_of(Sentence("of the operating system")) is None


def test_labels_go_along() -> None:
    said = made_of(Said.MANY(count=1, names=(), why=Held(STRATEGY, 2)))
    assert said is not None
    assert (said["values"]["why"]["labels"]["2"], said["values"]["why"]["value"]) == ("External", 2)


# --- the tables -----------------------------------------------------------------------------------------------------


def test_each_code_is_of_one_sentence() -> None:
    codes = Counter(member.code for room in rooms().values() for member in room.__members__.values())
    assert [code for code, count in codes.items() if count > 1] == []
    assert all(name == member.name for room in rooms().values() for name, member in room.__members__.items())


def test_each_sentence_has_a_german_one_with_the_same_put_in() -> None:
    source = (PAGE / "sentences.ts").read_text("utf-8")
    german = dict(re.findall(r'^  (\w+):\s+"(.+)",$', source, re.MULTILINE))
    english = {member.code: member.value for room in rooms().values() for member in room}
    assert german.keys() == english.keys()
    differing = {
        code: text for code, text in german.items() if places(text) != places(english[code]) - SAID_ELSEWHERE
    }  # fmt: skip
    assert differing == {}


def test_names_are_translated_where_sentences_have_them() -> None:
    source = (PAGE / "told.ts").read_text("utf-8")
    table = re.search(r"^const NAMES: .+?= \{(.+?)^\};", source, re.MULTILINE | re.DOTALL)
    assert table is not None
    named = set(re.findall(r"^  (\w+)[:,]", table[1], re.MULTILINE))
    assert len(named) > 5
    assert named <= {place for room in rooms().values() for member in room for place in places(member.value)}


def test_what_may_be_steered_has_a_name_on_the_page() -> None:
    source = (PAGE / "proposal.ts").read_text("utf-8")
    assert {name for name in WRITABLE if f'"{name}":' not in source} == set()


def nodes(kind: type[N]) -> Iterator[tuple[str, N]]:
    """Yield the expressions of one kind, with the module in which they stand."""
    for path in ROOT.rglob("*.py"):
        module = ".".join(("rct_tools", *path.relative_to(ROOT).with_suffix("").parts))
        yield from ((module, it) for it in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(it, kind))


def sentence(module: str, node: ast.expr) -> Sentences | None:
    """Return the sentence that an expression names, if it names one."""
    match node:
        case ast.Attribute(ast.Name("_Says" | "Says" as room), name):
            found: Sentences = getattr(importlib.import_module(module), room)[name]
            return found
    return None


def test_what_is_put_in_is_what_there_is_a_place_for() -> None:
    for module, call in nodes(ast.Call):
        if said := sentence(module, call.func):
            given = {keyword.arg for keyword in call.keywords}
            assert (call.args, given) == ([], places(said.value)), (module, said)


def test_each_sentence_is_said_somewhere() -> None:
    said = {found for module, node in nodes(ast.Attribute) if (found := sentence(module, node))}
    assert said == {member for room in rooms().values() for member in room}
