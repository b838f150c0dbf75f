"""What an inverter held before a mode changed it: on the disk first, so that no crash can lose it.

One file of JSON for each inverter, by its serial number. It is there from before the first change until all is back.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from rct_tools.database import error_code, file_error
from rct_tools.errors import DecodeError, NotNow, RctError
from rct_tools.journal import sync_folder
from rct_tools.newfile import new_file
from rct_tools.objects import ObjectInfo, registry
from rct_tools.sentence import Sentence, Sentences
from rct_tools.times import iso_time, parse_iso_time
from rct_tools.values import Value
from rct_tools.writable import show

VERSION: Final = 1


class _Says(Sentences):
    OTHER_VERSION = "{path}: is of another version of RCT Tools, which has to put back what it says"
    DAMAGED_WAY_BACK = "{path}: is damaged; set by hand what it says was before, and delete it"
    OTHERS_CHANGE_MODE = "another program changes the mode of inverter {inverter} right now"
    OTHERS_KEEP_MODE = (
        "process {process} keeps mode {mode}; end it with Ctrl-C or `kill {process}`, and it puts back what was before"
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What a mode does to one object."""

    object: ObjectInfo
    before: Value
    after: Value  # as the mode wants it


@dataclass(frozen=True, slots=True)
class WayBack:
    """What is to be put back, and why it was changed."""

    inverter: str  # its serial number
    peer: str
    mode: str
    process: int
    began: int  # UTC, nanoseconds
    until: int | None  # the same; None for no end that is known
    changes: tuple[Change, ...]  # in the order in which they are made

    def changes_object(self, info: ObjectInfo) -> bool:
        """Whether an object is one of those that are to be put back."""
        return any(change.object == info for change in self.changes)


def _row(change: Change) -> dict[str, Any]:
    info = change.object
    values = {"before": change.before, "after": change.after}
    return {"object": info.name} | {
        key: {"payload": info.encode(value).hex(), "shown": show(info, value)} for key, value in values.items()
    }


def _change(row: Any) -> Change:
    info = registry[row["object"]]
    before, after = (info.decode(bytes.fromhex(row[key]["payload"])) for key in ("before", "after"))
    return Change(info, before, after)


class WayBacks:
    """The files of all inverters, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, inverter: str) -> Path:
        """Return the file of an inverter."""
        return self.folder / f"way-back-{quote(inverter, safe='')}.json"

    @property
    def are_left(self) -> bool:
        """Whether something is to be put back, of any inverter."""
        return any(self.folder.glob("way-back-*.json"))

    def save(self, way_back: WayBack) -> None:
        """Keep this, and return when it is on the disk. Raises OSError."""
        text = json.dumps(
            {
                "version": VERSION,
                "inverter": way_back.inverter,
                "peer": way_back.peer,
                "mode": way_back.mode,
                "process": way_back.process,
                "began": iso_time(way_back.began),
                "until": None if way_back.until is None else iso_time(way_back.until),
                "changes": list(map(_row, way_back.changes)),
            },
            indent=1,
            ensure_ascii=False,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(way_back.inverter)
        with new_file(path) as part, part.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text + "\n")
        sync_folder(self.folder)

    def load(self, inverter: str) -> WayBack | None:
        """Return what is to be put back, None for nothing. Raises RctError for a file that cannot be read, OSError."""
        path = self.path(inverter)
        try:
            tree = json.loads(path.read_text("utf-8"))
            if tree["version"] != VERSION:
                raise RctError(_Says.OTHER_VERSION(path=path))
            began, until = parse_iso_time(tree["began"]), tree["until"] and parse_iso_time(tree["until"])
            changes = tuple(map(_change, tree["changes"]))
            if began is None or tree["inverter"] != inverter:
                raise ValueError("inverter")
            way_back = WayBack(inverter, tree["peer"], tree["mode"], int(tree["process"]), began, until, changes)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, AttributeError, LookupError, DecodeError) as exc:
            raise RctError(_Says.DAMAGED_WAY_BACK(path=path)) from exc
        return way_back

    def forget(self, inverter: str) -> None:
        """Remove the file: all is back. Raises OSError."""
        self.path(inverter).unlink(missing_ok=True)
        sync_folder(self.folder)

    @contextmanager
    def locked(self, inverter: str) -> Iterator[None]:
        """Be the only one that changes the mode of an inverter; a process that dies lets go.

        Raises NotNow when another has it, OSError, SinkError.
        """
        # A transaction of SQLite is a lock that every system has, and gives back when a process is killed.
        path = self.path(inverter).with_suffix(".lock")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as database:
                database.execute("BEGIN EXCLUSIVE")
                yield
        except sqlite3.Error as exc:
            if error_code(exc) == sqlite3.SQLITE_BUSY:
                raise NotNow(self._busy(inverter)) from exc
            raise file_error(path, exc) from exc

    def _busy(self, inverter: str) -> Sentence:
        way_back = self.load(inverter)
        if way_back is None:
            return _Says.OTHERS_CHANGE_MODE(inverter=inverter)
        return _Says.OTHERS_KEEP_MODE(process=str(way_back.process), mode=way_back.mode)  # whose digits are no amount
