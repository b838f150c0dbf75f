"""The contract of the page, tried by schemathesis: no answer that it does not name, no error of ours."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from importlib.resources import files
from pathlib import Path

from rct_tools.simulator import Simulator

from servers import require
from showing import QUICK, known, showing, until


async def test_server_does_what_its_contract_says(tmp_path: Path) -> None:
    program = require("schemathesis")
    async with (
        Simulator(port=0, latency=0.001, broadcast=False, speed=0) as simulator,
        showing(simulator, store=tmp_path / "r.db", plan=QUICK) as shown,
    ):
        await until(known(shown, "battery.soc", "battery.cells[4]"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, program, "run", str(files("rct_tools.web") / "openapi.json"), "--url", shown.url,
            "--phases", "coverage,fuzzing", "--max-examples", "20", "--seed", "7", "--no-color",
            "--exclude-path", "/api/live",  # which has no end
            "--exclude-checks", "positive_data_acceptance",  # how times are written, no schema can say
            cwd=tmp_path, stdout=PIPE, stderr=STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
