"""A fleet: ``python -m bench.fleet``. Linux only, with mosquitto, mosquitto_sub and victoria-metrics installed.

Light inverters in this process; shards of ``rct collect``, each a process, into a real Mosquitto and a real
VictoriaMetrics. One shard is killed and started again. At the end every reading that was sent is looked for in both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import time
from array import array
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
from rich import box
from rich.console import Console
from rich.table import Table

from bench.light import Account, LightFleet, Series, settle

PREFIX: Final = "rct"
READY: Final = 30.0  # seconds, for a server or the first reading
SETTLED: Final = 6.0  # seconds without anything new: longer than a question is asked again
VISIBLE: Final = 2.0  # seconds: VictoriaMetrics finds what it was given only after about one, even if told to flush
WORST: Final = (0.5, 0.99, 1.0)  # of the lags: the middle one, all but one in a hundred, the worst

_MOSQUITTO: Final = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 0
"""
_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """What a program has used, over all of its processes: a killed one counts too."""

    seconds: float = 0.0  # of processor time
    memory: int = 0  # bytes, the most at once
    _ended: float = 0.0  # seconds of those before this one
    _pid: int = 0

    def look(self, pid: int) -> None:
        """Look at a process while it lives."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        if pid != self._pid:
            self._pid, self._ended = pid, self.seconds
        self.seconds = self._ended + (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS
        peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), "0")
        self.memory = max(self.memory, int(peak) * 1024)


@dataclass
class Program:
    """A program that is started, killed, started again, and ended."""

    name: str
    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    process: Process | None = None

    async def start(self) -> None:
        """Start it; its words go to NAME.out and NAME.err."""
        with (self.folder / f"{self.name}.out").open("ab") as out, (self.folder / f"{self.name}.err").open("ab") as err:
            self.process = await create_subprocess_exec(
                *self.command, stdin=DEVNULL, stdout=out, stderr=err, env={**os.environ, **self.environment}
            )

    async def end(self, number: int = signal.SIGTERM) -> None:
        """End it by a signal, and wait until it has."""
        if self.process is not None and self.process.returncode is None:
            self.usage.look(self.process.pid)
            with suppress(ProcessLookupError):
                self.process.send_signal(number)
            await self.process.wait()

    def look(self) -> None:
        """Look what it uses. Raises RuntimeError when it has ended by itself."""
        if self.process is not None:
            if self.process.returncode not in (None, -signal.SIGKILL):
                raise RuntimeError(f"{self.name} has ended: {(self.folder / f'{self.name}.err').read_text()[-2000:]}")
            self.usage.look(self.process.pid)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def mosquitto(folder: Path, port: int) -> Program:
    """Return the broker."""
    (folder / "mosquitto.conf").write_text(_MOSQUITTO.format(port=port))
    return Program("mosquitto", [found("mosquitto"), "-c", str(folder / "mosquitto.conf")], folder)


def subscriber(folder: Path, port: int) -> Program:
    """Return who hears all that is published: it writes time, topic and payload of each message, one a line."""
    hear = ["-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", f"{PREFIX}/#", "-F", "%U %t %p"]
    return Program("subscriber", [found("mosquitto_sub"), *hear], folder)


def victoria_metrics(folder: Path, port: int) -> Program:
    """Return the database."""
    options = {
        "storageDataPath": folder / "metrics",
        "httpListenAddr": f"127.0.0.1:{port}",
        "retentionPeriod": 12,
        "search.latencyOffset": "0s",
        "dedup.minScrapeInterval": "1ms",  # what is written twice is kept once
    }
    return Program("victoria-metrics", [found("victoria-metrics"), *(f"-{k}={v}" for k, v in options.items())], folder)


def found(program: str) -> str:
    """Return the path of a program. Raises SystemExit when it is not installed."""
    path = shutil.which(program)
    if path is None:
        raise SystemExit(f"{program} is not installed")
    return path


async def listening(port: int) -> None:
    """Wait until somebody listens."""
    async with asyncio.timeout(READY):
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


def configuration(fleet: LightFleet, interval: str, mqtt: int, metrics: int, status: int) -> str:
    """Return the rct.toml of the fleet."""
    inverters = "".join(
        f'[[inverter]]\nname = "{i.name}"\nhost = "{i.host}"\nport = {i.port}\ngroups = ["fleet"]\n\n'
        for i in fleet.inverters
    )
    names = ", ".join(f'"{info.name}"' for info in fleet.objects)
    return (
        f'[[group]]\nname = "fleet"\ninterval = "{interval}"\nobjects = [{names}]\n\n{inverters}'
        f'[[sink]]\nurl = "mqtt://127.0.0.1:{mqtt}/{PREFIX}"\nevery = true\n\n'
        f'[[sink]]\nurl = "influx://127.0.0.1:{metrics}/{PREFIX}"\n\n'
        f'[status]\nlisten = "127.0.0.1:{status}"\n'
    )


# --- what arrived ---------------------------------------------------------------------------------------------------


def heard(path: Path, said: Mapping[Series, array[float]]) -> Iterator[tuple[float, Series, int]]:
    """Yield when the subscriber heard which number of which series; what is none of theirs is left out.

    A state is a bare number at the topic of its object; what comes late says in JSON which object it is of.
    """
    for line in path.read_text("utf-8").splitlines():
        when, topic, payload = line.split(" ", 2)
        _, inverter, *place = topic.split("/", 2)
        try:
            value = json.loads(payload)
        except ValueError:
            continue
        name = place[0].replace("/", ".").removeprefix("device.") if place else ""
        if isinstance(value, dict):
            name, value = value.get("object", name), value.get("value")
        series = Series(inverter, name)
        if series in said and isinstance(value, int | float):
            yield float(when), series, int(value)


async def stored(port: int, said: Mapping[Series, array[float]]) -> list[tuple[Series, int]]:
    """Return which numbers of which series are in VictoriaMetrics."""
    found: list[tuple[Series, int]] = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", read_bufsize=2**24) as session:
        while True:
            async with session.get("/internal/force_flush"):
                pass
            before, found = found, [item async for item in _exported(session, said)]
            if len(found) == len(before):
                return found
            await asyncio.sleep(VISIBLE)


async def _exported(
    session: aiohttp.ClientSession, said: Mapping[Series, array[float]]
) -> AsyncIterator[tuple[Series, int]]:
    async with session.get("/api/v1/export", params={"match[]": '{__name__!=""}'}) as response:
        async for line in response.content:
            row = json.loads(line)
            labels = row["metric"]
            name = labels.get("name") or labels["__name__"].partition("_")[2]  # after the measurement
            series = Series(labels.get("inverter", ""), name)
            if series in said:
                for value in row["values"]:
                    yield series, int(value)


# --- the run --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What a run has shown."""

    seconds: float
    usages: Mapping[str, Usage]  # by program
    mqtt: Account
    metrics: Account
    killed: tuple[float, float]  # when, and when it was there again, in seconds since 1970
    lags: Sequence[float]  # seconds from the wire of the inverter to a subscriber, outside of the outage
    said: Mapping[Series, array[float]]


async def run(given: argparse.Namespace, folder: Path) -> Result:
    """Collect for a while, kill a shard in the middle, and count."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(LightFleet(given.inverters, given.objects))
        mqtt_port, metrics_port, *status_ports = free_ports(2 + given.shards)  # those of the inverters are taken now
        broker, database = mosquitto(folder, mqtt_port), victoria_metrics(folder, metrics_port)
        listener = subscriber(folder, mqtt_port)
        shards = [
            _shard(folder, number, given, configuration(fleet, given.interval, mqtt_port, metrics_port, status_port))
            for number, status_port in enumerate(status_ports, 1)
        ]
        programs = [*shards, broker, database]
        for program in [broker, database, listener, *shards]:
            await program.start()
            stack.push_async_callback(program.end, signal.SIGKILL)
            if program is broker or program is database:
                await listening(mqtt_port if program is broker else metrics_port)
        async with asyncio.timeout(READY):
            while not any(fleet.said.values()):
                for program in programs:
                    program.look()
                await asyncio.sleep(0.1)
        began = time.time()
        victim = shards[0]
        await _watch(programs, given.duration * 0.4)
        killed = time.time()
        await victim.end(signal.SIGKILL)
        await _watch(programs, given.outage)
        await victim.start()
        back = time.time()
        await _watch(programs, given.duration * 0.6 - given.outage)
        fleet.stop_counting()
        seconds = time.time() - began
        ourselves = Usage()
        ourselves.look(os.getpid())
        said = fleet.said
        await _settle(folder / "subscriber.out", said, programs)
        for shard in shards:
            await shard.end()
        await _settle(folder / "subscriber.out", said, [broker, database])
        messages = list(heard(folder / "subscriber.out", said))
        lags = sorted(
            when - said[series][number - 1]
            for when, series, number in messages
            if 0 < number <= len(said[series]) and not killed - 1 < said[series][number - 1] < back + 1
        )
        mqtt = settle(said, ((series, number) for _, series, number in messages))
        metrics = settle(said, await stored(metrics_port, said))
    usages = {program.name: program.usage for program in programs} | {"the inverters": ourselves}
    return Result(seconds, usages, mqtt, metrics, (killed, back), lags, said)


def _shard(folder: Path, number: int, given: argparse.Namespace, text: str) -> Program:
    """Return a shard, with a folder of its own for what it keeps."""
    path = folder / f"shard-{number}.toml"
    path.write_text(text)
    command = [sys.executable, "-m", "rct_tools", "collect", "-c", str(path), "--shard", f"{number}/{given.shards}"]
    return Program(f"shard {number}", command, folder, {"XDG_DATA_HOME": str(folder / f"shard-{number}")})


async def _watch(programs: Iterable[Program], seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        await asyncio.sleep(min(1.0, left))
        for program in programs:
            program.look()


async def _settle(path: Path, said: Mapping[Series, array[float]], programs: Iterable[Program]) -> None:
    """Wait until nothing new is heard of what was said, for a minute at most."""
    count = -1
    for _ in range(10):
        before, count = count, sum(number > 0 for _, _, number in heard(path, said))
        if count == before:
            return
        await _watch(programs, SETTLED)


def tables(result: Result) -> Iterator[Table]:
    """Yield what is to be shown."""
    used = Table("program", "CPU", "of one core", "memory, at most", box=box.MARKDOWN)
    for program, usage in result.usages.items():
        share = usage.seconds / result.seconds
        used.add_row(program, f"{usage.seconds:.1f} s", f"{share:.1%}", f"{usage.memory / 1e6:.0f} MB")
    yield used
    counts = Table("readings", "MQTT", "VictoriaMetrics", box=box.MARKDOWN)
    killed, back = result.killed
    accounts = (result.mqtt, result.metrics)
    around = [account.missing_between(result.said, killed - 30, back) for account in accounts]
    lost = [sum(map(len, account.missing.values())) for account in accounts]
    counts.add_row("sent by inverters", *(f"{account.sent:,}" for account in accounts))
    counts.add_row("arrived", *(f"{account.arrived:,}" for account in accounts))
    counts.add_row("on their way when the shard was killed", *map(str, around))
    counts.add_row("missing otherwise", *(str(all_ - near) for all_, near in zip(lost, around, strict=True)))
    counts.add_row("arrived twice", *(str(account.twice) for account in accounts))
    counts.add_row("arrived and never sent", *(str(account.strange) for account in accounts))
    yield counts
    if result.lags:
        lags = Table("from inverter to subscriber", "lag", box=box.MARKDOWN)
        for part, name in zip(WORST, ("half of all within", "99 % within", "all within"), strict=True):
            lags.add_row(name, f"{result.lags[min(int(part * len(result.lags)), len(result.lags) - 1)]:.2f} s")
        yield lags


def main() -> None:
    """Run it as the arguments say, and print the tables."""
    arguments = argparse.ArgumentParser(prog="python -m bench.fleet", description="Many inverters, some shards.")
    arguments.add_argument("--inverters", type=int, default=500)
    arguments.add_argument("--objects", type=int, default=20, help="of each inverter")
    arguments.add_argument("--interval", default="10s", help="of their group")
    arguments.add_argument("--duration", type=float, default=120, help="in seconds")
    arguments.add_argument("--outage", type=float, default=10, help="seconds from the kill to the new start")
    arguments.add_argument("--shards", type=int, default=2)
    arguments.add_argument("--keep", type=Path, help="folder for all that is written; without, a temporary one")
    given = arguments.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each inverter listens, and talks
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        result = asyncio.run(run(given, folder))
    console = Console(width=120)
    for table in tables(result):
        console.print(table)
    rate = result.mqtt.sent / result.seconds
    console.print(
        f"{given.inverters} inverters, {given.objects} objects each {given.interval}: {rate:,.0f} readings/s for "
        f"{result.seconds:.0f} s; shard 1 was away for {result.killed[1] - result.killed[0]:.1f} s; "
        f"{os.cpu_count()} cores for all of it",
        highlight=False,
    )


if __name__ == "__main__":
    main()
