"""What is shared of an examination: a report and all that crossed the wire, without what tells whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

from rct_tools.capture import Chunk, read_capture, write_capture
from rct_tools.link import PORT
from rct_tools.newfile import new_file
from rct_tools.privacy import StandIns
from rct_tools.proof import prove
from rct_tools.redaction import Redactor, collect

CAPTURE: Final = "examination.rctcap"


def write_bundle(path: Path, texts: Mapping[str, str], chunks: Sequence[Chunk]) -> None:
    """Write a ZIP file of some texts, by their names, and of a capture; what is private in the chunks is in none.

    The texts must not name the inverter's host; that is for the caller. Raises OSError, and CaptureError when something
    private would be left.
    """
    stand_ins = StandIns(collect(chunks))
    with new_file(path) as part, ZipFile(part, "w", ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, stand_ins.replace(text.encode()))
        archive.writestr(CAPTURE, _redacted(chunks, stand_ins))


def _redacted(chunks: Sequence[Chunk], stand_ins: StandIns) -> bytes:
    """Return the file of a capture, written anew and proven to hold nothing private."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / CAPTURE
        with FileIO(path, "w+b") as file, write_capture(file, CAPTURE) as write:
            redactor = Redactor(stand_ins, write)
            for chunk in chunks:
                redactor.feed(chunk)
            redactor.close()
        with FileIO(path) as file, FileIO(path) as same:
            read = (item for item in read_capture(same, CAPTURE, PORT) if isinstance(item, Chunk))
            prove(CAPTURE, file, read, stand_ins)
        return path.read_bytes()
