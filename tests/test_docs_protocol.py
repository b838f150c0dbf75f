"""docs/protocol.md says what the code does: its vectors, examples, tables and links."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from rct_tools.frame import Command, Frame
from rct_tools.objects import registry
from rct_tools.parser import FrameParser
from rct_tools.runs import LONGEST_FRAME
from rct_tools.values import CODECS, DataType

PAGE = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text("utf-8")
HEADINGS = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)


def section(heading: str) -> str:
    """Return the text below a heading, up to the next one."""
    return re.split(r"^#+ ", PAGE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of all tables, without the marks for code."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip().strip("`") for cell in line.strip("|").split("|")]


VECTORS = [row for row in rows(section("Vectors")) if row[0] != "bytes"]
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_there_are_vectors_and_examples() -> None:
    assert len(VECTORS) == 6
    assert len(EXAMPLES) == 7


@pytest.mark.parametrize(("wire", "command", "name", "value"), VECTORS)
def test_vector(wire: str, command: str, name: str, value: str) -> None:
    data = bytes.fromhex(wire)
    info = registry.find(name)
    (frame,) = FrameParser().feed(data)
    assert frame == Frame(Command[command], info.object_id, frame.payload if isinstance(frame, Frame) else b"")
    assert isinstance(frame, Frame)
    assert frame.encode() == data.removeprefix(b"\0")
    if value:
        assert info.decode(frame.payload) == pytest.approx(float(value), rel=1e-8)
    else:
        assert frame.payload == b""


def test_examples() -> None:
    names: dict[str, object] = {}  # as a reader has them who types the page from top to bottom
    runner = doctest.DocTestRunner(verbose=False)
    report: list[str] = []
    for number, example in enumerate(EXAMPLES):
        test = doctest.DocTestParser().get_doctest(example, names, f"example {number}", None, None)
        runner.run(test, out=report.append, clear_globs=False)
        names = test.globs
    assert not report, "".join(report)


def test_the_table_of_commands_is_whole() -> None:
    cells = [cell for row in rows(section("The wire")) for cell in row]
    told = {name: int(code, 16) for name, code in pairwise(cells) if name in Command.__members__}
    assert told == {command.name: int(command) for command in Command}


def test_the_sizes_of_types() -> None:
    told = {
        DataType[name]: size
        for types, size, _ in (row for row in rows(section("Values")) if row[1].isdigit())
        for name in types.split(", ")
    }
    assert told.keys() == {data_type for data_type, codec in CODECS.items() if re.fullmatch(r"\d bytes?", codec.size)}
    assert all(CODECS[data_type].size.split()[0] == size for data_type, size in told.items())


def test_the_longest_frame() -> None:
    assert f"{LONGEST_FRAME:,} bytes" in section("How to read it")


def test_objects_are_known() -> None:
    ids = dict(re.findall(r"`([\w.\[\]]+)` \(`([0-9a-f]{8})`", PAGE))
    assert "com_service" in ids
    known = [info.object_id for info in registry]
    for name, object_id in ids.items():
        assert name not in registry or registry[name].object_id == int(object_id, 16)
        assert name in registry or int(object_id, 16) not in known  # what the table lacks must not have another name
    for name, data_type, _ in (row for row in rows(section("Writing")) if row[0] != "object"):
        assert registry[name].data_type.name == data_type


def test_links_and_references_lead_somewhere() -> None:
    anchors = {heading.lower().replace(" ", "-").replace(",", "") for heading in HEADINGS}
    assert set(re.findall(r"\(#([\w-]+)\)", PAGE)) <= anchors
    sources = Path(__file__).parent.parent.joinpath("src").rglob("*.py")
    cited = {
        match for file in sources for match in re.findall(r"docs/protocol\.md, ([\w ]+)\.", file.read_text("utf-8"))
    }
    assert {"finding frames", "values"} <= cited <= {heading.lower() for heading in HEADINGS}
