"""The real programs, each in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent

PROGRAMS = {
    "rct": ("-m", "rct_tools"),
    "rct-reader": (str(ROOT / "pv_reader.py"),),
    "rct-dump": (str(ROOT / "dump.py"),),
    "parsedump": (str(ROOT / "parsedump.py"),),
    "rctclient": ("-c", "from rctclient.cli import cli; cli()"),  # from PyPI; what its own script does
}


class Done(NamedTuple):
    """What a program that has ended leaves behind."""

    code: int | None
    out: str
    err: str


@asynccontextmanager
async def running(program: str, *args: object, **environment: str) -> AsyncIterator[Process]:
    """Start one of PROGRAMS; it is killed if it has not ended by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *PROGRAMS[program], *map(str, args), stdin=PIPE, stdout=PIPE, stderr=PIPE,
        env={**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "", **environment},
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def finish(process: Process, stdin: bytes | None = None) -> Done:
    """Return what a process says until it ends."""
    out, err = await process.communicate(stdin)
    return Done(process.returncode, out.decode().replace("\r\n", "\n"), err.decode().replace("\r\n", "\n"))


async def run(program: str, *args: object, stdin: bytes | None = None, **environment: str) -> Done:
    """Run one of PROGRAMS to its end."""
    async with running(program, *args, **environment) as process:
        return await finish(process, stdin)
