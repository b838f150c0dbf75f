"""``[web]`` of a configuration becomes the setup of the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from rct_tools.address import parse_address
from rct_tools.errors import ConfigError
from rct_tools.loopback import is_loopback
from rct_tools.settings import NO_SECRET, Secret, Table
from rct_tools.web.tariff import Tariff

ADDRESS: Final = "127.0.0.1:9834"


@dataclass(frozen=True, slots=True)
class WebSetup:
    """Where the page is, who may see it, and where it finds what was."""

    host: str
    port: int
    password: Secret  # as people type it, or its hash; NO_SECRET where none is needed
    store: Path | None  # the file of a SQLite sink
    tariff: Tariff | None = None  # without, nothing is said of money


class WebTable(Table, frozen=True):
    """A page that shows in a browser what is collected."""

    listen: Annotated[
        str, msgspec.Meta(description="ADDRESS:PORT of the page; others reach it only with a `password`")
    ] = ADDRESS
    password: Annotated[
        Secret,
        msgspec.Meta(description="asked for before anything is shown; or what `rct web --hash-password` printed"),
    ] = NO_SECRET

    def setup(self, place: str, store: Path | None, tariff: Tariff | None = None) -> WebSetup:
        """Return what this comes to. Raises ConfigError, with ``place`` before the key."""
        try:
            host, port = parse_address(self.listen, example=ADDRESS)
        except ConfigError as exc:
            raise ConfigError(f"{place}.listen: {exc}") from exc
        if self.password == NO_SECRET and not is_loopback(host):
            raise ConfigError(
                f"{place}.listen: others can reach {self.listen}, so {place}.password is needed; or listen on {ADDRESS}"
            )
        return WebSetup(host, port, self.password, store, tariff)
