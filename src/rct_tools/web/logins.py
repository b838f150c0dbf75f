"""Who is logged in at a page, and by which password; also in a file, so that a restart logs nobody out.

The file has no tokens, only their digests, which open nothing; and the hash of the password, so that another password
ends all logins. In memory they end by a clock that nobody sets; on disk by UTC, which goes on while no program runs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import msgspec

from rct_tools.address import show_address
from rct_tools.journal import for_us, sync_folder
from rct_tools.newfile import new_file
from rct_tools.settings import NO_SECRET, Table
from rct_tools.web.door import LASTS, Sessions
from rct_tools.web.password import Password
from rct_tools.web.table import WebSetup

logger = logging.getLogger(__name__)

_LATE: Final = 3600.0  # seconds that the clock of a machine may be late when it starts


class Kept(Table, frozen=True):
    """What is in the file: the hash of the password, and when each login ends, by the digest of its token."""

    password: str = ""
    ends: dict[str, Annotated[datetime, msgspec.Meta(tz=True)]] = msgspec.field(default_factory=dict)


class Logins:
    """The password of a page, and who has given it."""

    def __init__(
        self,
        setup: WebSetup,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Go on with what is on disk, and change nothing there; clocks are in seconds, ``wall_clock`` those of UTC.

        Raises ConfigError for a password that cannot be had.
        """
        self.password: Password | None = None
        self._path = _path(setup)
        self._clock = clock
        self._wall_clock = wall_clock
        self._has_warned = False
        kept = Kept()
        if setup.password != NO_SECRET:
            text = setup.password.reveal()
            kept = self._load()
            self.password = Password(text, kept.password)
        self._is_other = self.password is None or self.password.hash != kept.password
        now, utc = clock(), wall_clock()
        left = {} if self._is_other else {digest: end.timestamp() - utc for digest, end in kept.ends.items()}
        # What ends too late is of a clock that was wrong: nobody knows since when it is good.
        self._sessions = Sessions({it: now + min(s, LASTS) for it, s in left.items() if 0 < s <= LASTS + _LATE})

    def begin(self) -> None:
        """Have nothing on disk that is of another password. Before, the address may be that of another collector."""
        if self._path is None or not self._is_other:
            return
        try:
            if self._path.exists():
                self._path.unlink()
                sync_folder(self._path.parent)
        except OSError as exc:
            self._warn("cannot be removed", exc, "it has logins by another password")

    def left(self, token: str) -> float:
        """Return for how many seconds a token is good; 0 for one that is not."""
        return self._sessions.left(token, self._clock())

    def open(self) -> str:
        """Return a token that is good for a while: somebody has given the password."""
        token = self._sessions.open(self._clock())
        self._save()
        return token

    def close(self, token: str) -> None:
        """Make a token good for nothing."""
        if self._sessions.close(token):
            self._save()

    # --- on disk ------------------------------------------------------------------------------------------------

    def _load(self) -> Kept:
        if self._path is None:
            return Kept()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            pass
        except OSError as exc:
            self._warn("cannot be read", exc)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            logger.warning("%s: is damaged; who was logged in has to log in anew", self._path)
        return Kept()

    def _save(self) -> None:
        if self._path is None or self.password is None:
            return
        now, utc = self._clock(), self._wall_clock()
        left = {digest: end - now for digest, end in self._sessions.ends.items() if end > now}
        kept = Kept(
            password=self.password.hash, ends={it: datetime.fromtimestamp(utc + s, UTC) for it, s in left.items()}
        )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with new_file(self._path) as part, open(part, "wb", opener=for_us) as file:  # Path.open takes no opener
                file.write(msgspec.json.encode(kept))
            sync_folder(self._path.parent)
        except OSError as exc:
            with suppress(OSError):  # what it has is not true any more: who has logged out would be in
                self._path.unlink(missing_ok=True)
            self._warn("cannot be written", exc)
        else:
            self._has_warned = False

    def _warn(self, what: str, exc: OSError, hint: str = "logins do not outlive a restart of this program") -> None:
        if not self._has_warned:
            logger.warning("%s: %s: %s; %s", self._path, what, exc.strerror or exc, hint)
        self._has_warned = True


def _path(setup: WebSetup) -> Path | None:
    """Return the file of a page: none but one collector at a time can be at its address."""
    if setup.folder is None:
        return None
    return setup.folder / "page" / f"logins-{quote(show_address(setup.host, setup.port), safe='')}.json"
