"""rct wireshark: the protocol in Wireshark and tshark."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from rct_tools.cli.options import not_empty, verbose_option
from rct_tools.errors import RctError
from rct_tools.wireshark import DISSECTOR, FIRST_LINE

_LABEL: Final = "Personal Lua Plugins"
_PATIENCE: Final = 20  # seconds; tshark looks at all it knows before it answers


@click.group(epilog="Example: rct wireshark install")
def wireshark() -> None:
    """Show the protocol in Wireshark and tshark, with a dissector for them."""


@wireshark.command(epilog='Example: tshark -X lua_script:"$(rct wireshark path)" -r today.pcapng -Y rct')
def path() -> None:
    """Print where the file of the dissector is."""
    click.echo(DISSECTOR)


@wireshark.command(epilog="Example: rct wireshark install")
@click.option(
    "--folder", metavar="FOLDER", callback=not_empty,
    help="Where to put it.  [default: your folder for Lua plugins, as tshark says]",
)  # fmt: skip
@verbose_option
def install(folder: str | None) -> None:
    """Copy the dissector to where Wireshark looks for it.

    An older version is replaced; what is not ours stays.
    """
    target = (Path(folder) if folder else _plugin_folder()) / DISSECTOR.name
    code = DISSECTOR.read_bytes()
    old = target.read_bytes() if target.exists() else None
    if old is not None and not old.startswith(FIRST_LINE.encode()):
        raise RctError(f"{target}: this is no dissector of RCT Tools, so it stays; move it, or choose another --folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(code)
    done = "installed" if old is None else "is current" if old == code else "replaced an older version"
    click.echo(f"{target}: {done}; a Wireshark that runs takes it with Analyze > Reload Lua Plugins")


def _plugin_folder() -> Path:
    """Return the folder of this user's Lua plugins: what tshark says, or else the one in Wireshark's manual."""
    if tshark := shutil.which("tshark"):
        with suppress(OSError, subprocess.TimeoutExpired):
            told = subprocess.run(  # noqa: S603  # nothing of it comes from outside
                [tshark, "-G", "folders"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                timeout=_PATIENCE, check=False, encoding="utf-8", errors="replace",
            )  # fmt: skip
            for line in told.stdout.splitlines():
                label, _, folder = line.partition(":")
                if label == _LABEL and folder.strip():
                    return Path(folder.strip())
    if os.name == "nt":
        return Path(os.environ["APPDATA"], "Wireshark", "plugins")
    return Path.home() / ".local/lib/wireshark/plugins"
