"""The long run: ``python -m bench.endurance --minutes 30``. Linux only, with influxd, victoria-metrics, mosquitto and
prometheus installed.

A simulated inverter, ``rct collect`` with the default plan and ten objects a second more, and four real servers. Each
server is killed once and stays away for a while, the collector too, at moments that the seed decides. At the end every
reading that a SQLite file has, the witness, is looked for in all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
from rich import box
from rich.console import Console
from rich.table import Table

from bench.fleet import Program, found, free_ports, listening, mosquitto, victoria_metrics
from bench.ledger import Account, Key, Listener, compare, influx, overtaken, prometheus, unread, victoria, witness
from rct_tools.plan import fresh_for
from rct_tools.times import SECOND
from rct_tools.vitals import UP

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the servers are set up as those of the tests

from servers import INFLUX_CONFIG, PROMETHEUS_CONFIG

OBJECTS: Final = (
    "g_sync.p_ac_load_sum_lp", "g_sync.p_ac_grid_sum_lp", "g_sync.p_acc_lp", "dc_conv.dc_conv_struct[0].p_dc",
    "dc_conv.dc_conv_struct[1].p_dc", "battery.soc", "battery.voltage", "battery.current", "grid_pll[0].f",
    "battery.temperature",
)  # fmt: skip
SERVERS: Final = ("influx", "victoria", "mosquitto", "prometheus")
AWAY: Final = (30.0, 90.0)  # seconds that a server is away, if there is time for it
PEACE: Final = 0.1  # part of the time at the beginning, and at the end, in which nobody is killed
DRAINED: Final = 900.0  # seconds at most for what waits at the end: outboxes try every five minutes at last
COMMIT: Final = 1.25  # seconds: what was read last before the collector was killed may not have been committed yet


@dataclass(frozen=True, slots=True)
class Outage:
    """Who is killed when, in seconds from the beginning, and for how long it is away."""

    victim: str
    begin: float
    seconds: float


def outages(seconds: float, seed: int) -> list[Outage]:
    """Return who is killed when: each server and the collector once, one after the other."""
    chance = random.Random(seed)
    victims = [*SERVERS, "collector"]
    chance.shuffle(victims)
    slot = seconds * (1 - 2 * PEACE) / len(victims)
    plan = []
    for number, victim in enumerate(victims):
        longest = slot * 0.6
        away = chance.uniform(min(AWAY[0], longest / 2), min(AWAY[1], longest))
        begin = seconds * PEACE + slot * number + chance.uniform(0, slot * 0.9 - away)
        plan.append(Outage(victim, begin, away))
    return plan


@dataclass
class Station:
    """All programs, and what is known of them."""

    folder: Path
    programs: dict[str, Program]
    ports: Mapping[str, int]
    listener: Listener
    worst: dict[str, float] = field(default_factory=dict)  # lag by sink, in seconds
    killed: float = 0.0  # when the collector was, in seconds since 1970
    lives: list[list[int]] = field(default_factory=lambda: [[]])  # bytes of memory of each collector, each minute

    @property
    def readings(self) -> Path:
        """The witness."""
        return self.folder / "readings.db"

    async def start(self, name: str) -> None:
        """Start a program, and return when it listens; a broker so that the listener is there before the collector."""
        program = self.programs[name]
        if name == "mosquitto":
            with self._frozen():
                await program.start()
                await asyncio.wait_for(self.listener.here.wait(), 30)
            return
        await program.start()
        if name in self.ports:
            await listening(self.ports[name])

    @contextmanager
    def _frozen(self) -> Iterator[None]:
        """Let the collector stand still while inside, if it runs."""
        process = self.programs["collector"].process
        if process is None or process.returncode is not None:
            yield
            return
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    async def status(self) -> list[dict[str, Any]]:
        """Return how the sinks are; nothing while there is no collector."""
        with suppress(aiohttp.ClientError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=5)
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"http://127.0.0.1:{self.ports['status']}/status") as answer,
            ):
                sinks: list[dict[str, Any]] = (await answer.json())["sinks"]
            for sink in sinks:
                self.worst[sink["label"]] = max(self.worst.get(sink["label"], 0.0), sink["lag"] or 0.0)
            return sinks
        return []

    def look(self) -> int:
        """Note the bytes of memory that the collector has, and return them; 0 while there is none."""
        process = self.programs["collector"].process
        with suppress(OSError, StopIteration):
            lines = Path(f"/proc/{process.pid if process else 0}/status").read_text().splitlines()
            self.lives[-1].append(1024 * int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))))
            return self.lives[-1][-1]
        return 0


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Station]:
    """Start everything but the collector; end it all."""
    names = ("simulator", *SERVERS, "rpc", "metrics", "status")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    folders = {name: folder / name for name in SERVERS}
    for each in folders.values():
        each.mkdir()
    rct = [sys.executable, "-m", "rct_tools"]
    (folder / "rct.toml").write_text(configuration(folder, ports))
    text = INFLUX_CONFIG.format(folder=folders["influx"], port=ports["influx"], rpc_port=ports["rpc"], auth="false")
    (folder / "influxdb.conf").write_text(text)
    (folder / "prometheus.yml").write_text(
        PROMETHEUS_CONFIG.format(interval="5s", target=f"127.0.0.1:{ports['metrics']}")
    )
    options = [
        f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folders['prometheus']}",
        f"--web.listen-address=127.0.0.1:{ports['prometheus']}", "--log.level=error",
    ]  # fmt: skip
    commands = {
        "simulator": [*rct, "simulate", "--port", str(ports["simulator"])],
        "influx": [found("influxd"), "run", "-config", str(folder / "influxdb.conf")],
        "prometheus": [found("prometheus"), *options],
        "collector": [*rct, "collect", "-c", str(folder / "rct.toml")],
    }
    programs = {name: Program(name, command, folder) for name, command in commands.items()}
    programs["victoria"] = victoria_metrics(folders["victoria"], ports["victoria"])
    programs["mosquitto"] = mosquitto(folders["mosquitto"], ports["mosquitto"])
    station = Station(folder, programs, ports, Listener(ports["mosquitto"]))
    async with AsyncExitStack() as stack:
        job = asyncio.create_task(station.listener.run())
        stack.push_async_callback(asyncio.wait, [job])
        stack.callback(job.cancel)
        for name, program in programs.items():
            stack.push_async_callback(program.end, signal.SIGKILL)
            if name != "collector":
                await station.start(name)
        yield station


def configuration(folder: Path, ports: Mapping[str, int]) -> str:
    """Return the rct.toml: the default plan, and ten objects a second."""
    return (
        f'data = "{folder}"\n'
        f'[[inverter]]\nname = "roof"\nhost = "127.0.0.1"\nport = {ports["simulator"]}\n'
        f'[[group]]\nname = "every second"\ninterval = "1s"\nobjects = {json.dumps(OBJECTS)}\n'
        f'[[sink]]\nurl = "sqlite:{folder / "readings.db"}"\nlabel = "witness"\n'
        f'[[sink]]\nurl = "influx://127.0.0.1:{ports["influx"]}/house"\nlabel = "influx"\nschema = "groups"\n'
        f'[[sink]]\nurl = "influx://127.0.0.1:{ports["victoria"]}/house"\nlabel = "victoria"\nschema = "groups"\n'
        f'[[sink]]\nurl = "mqtt://127.0.0.1:{ports["mosquitto"]}"\nlabel = "mosquitto"\n'
        f'every = true\npayload = "json"\n'
        f'[[sink]]\nurl = "prometheus://127.0.0.1:{ports["metrics"]}"\nlabel = "prometheus"\n'
        f'[status]\nlisten = "127.0.0.1:{ports["status"]}"\n'
    )


# --- the run --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Result:
    """What a run has shown."""

    accounts: Mapping[str, Account]  # by store
    cut_off: Mapping[str, int]  # of what is missing: read in the last moment before the collector was killed
    late: int
    overtaken: Sequence[Key]
    samples: int
    unread: int  # of the samples
    worst: Mapping[str, float]
    lives: Sequence[Sequence[int]]  # bytes of memory of each collector, each minute
    cpu: float  # part of one core
    code: int | None


async def run(minutes: float, seed: int, console: Console, folder: Path) -> Result:
    """Collect for a while, kill everybody once, and count."""
    async with standing(folder) as station:
        began = time.monotonic()
        await station.start("collector")
        plan = outages(minutes * 60, seed)
        for outage in plan:
            console.print(f"planned: {outage.victim}, after {outage.begin:.0f} s for {outage.seconds:.0f} s")
        events: list[str] = []
        killing = asyncio.create_task(_kill(station, plan, began, events))
        cpu = 0.0
        for minute in range(1, max(1, round(minutes)) + 1):
            end = began + min(60 * minute, 60 * minutes)
            while (left := end - time.monotonic()) > 0:
                await asyncio.sleep(min(1.0, left))
                await station.status()
                for program in station.programs.values():
                    program.look()  # who has ended by itself is an error
                if killing.done():
                    killing.result()
            memory, before, cpu = station.look(), cpu, station.programs["collector"].usage.seconds
            console.print(_line(minute, await station.status(), memory, cpu - before, events))
            events.clear()
        await killing
        seconds = time.monotonic() - began
        await _settled(station)
        station.look()
        samples = await prometheus(station.ports["prometheus"], "roof", OBJECTS, f"{minutes * 60 + DRAINED:.0f}s")
        await station.programs["collector"].end()
        process = station.programs["collector"].process
        await asyncio.sleep(1)  # the last words on the broker
        read = witness(station.readings)
        states = list(station.listener.states({key[:2] for key, _ in read}))
        late = [entry for entry in station.listener.late() if entry[0].object != UP.name]
        told = [entry for entry in read if entry[0].object != UP.name]  # which is a topic without a time
        accounts = {
            "InfluxDB": compare(read, await influx(station.ports["influx"], "house")),
            "VictoriaMetrics": compare(read, await victoria(station.ports["victoria"]), coarse=True),
            "MQTT": compare(told, [*states, *late]),
        }
        spans = [(station.killed - COMMIT, station.killed)]
        return Result(
            accounts=accounts,
            cut_off={name: len(a.missing) - len(a.missing_outside(spans)) for name, a in accounts.items()},
            late=len(late),
            overtaken=overtaken(states),
            samples=len(samples),
            unread=len(unread(samples, read, fresh_for(SECOND) / SECOND + 1)),
            worst=station.worst,
            lives=station.lives,
            cpu=station.programs["collector"].usage.seconds / seconds,
            code=process.returncode if process else None,
        )


async def _kill(station: Station, plan: Sequence[Outage], began: float, events: list[str]) -> None:
    for outage in plan:
        await asyncio.sleep(began + outage.begin - time.monotonic())
        events.append(f"{outage.victim} killed")
        await station.programs[outage.victim].end(signal.SIGKILL)
        if outage.victim == "collector":
            station.killed = time.time()
            station.lives.append([])
        await asyncio.sleep(began + outage.begin + outage.seconds - time.monotonic())
        await station.start(outage.victim)
        events.append(f"{outage.victim} back")


async def _settled(station: Station) -> None:
    """Wait until nothing waits for any sink."""
    busy = {"witness", *SERVERS}
    async with asyncio.timeout(DRAINED):
        while busy:
            busy -= {sink["label"] for sink in await station.status() if not sink["waiting"] and not sink["trouble"]}
            await asyncio.sleep(0.1)


def _line(minute: int, sinks: Sequence[Mapping[str, Any]], memory: int, cpu: float, events: Sequence[str]) -> str:
    written = sum(sink["written"] for sink in sinks)
    waiting = sum(sink["waiting"] for sink in sinks)
    lag = max((sink["lag"] or 0.0 for sink in sinks), default=0.0)
    return (
        f"{minute:3} min: {written:,} written, {waiting:,} waiting, lag {lag:.1f} s, {memory / 1e6:.1f} MB, "
        f"CPU {cpu / 60:.1%}{''.join(f'; {event}' for event in events)}"
    )


def tables(result: Result) -> Iterator[Table]:
    """Yield what is to be shown."""
    counts = Table("readings", *result.accounts, box=box.MARKDOWN)
    accounts = result.accounts.items()
    counts.add_row("read, as the witness says", *(f"{account.read:,}" for _, account in accounts))
    counts.add_row("found", *(f"{account.found:,}" for _, account in accounts))
    counts.add_row("missing: read just before the collector was killed", *map(str, result.cut_off.values()))
    counts.add_row("missing otherwise", *(str(len(a.missing) - result.cut_off[n]) for n, a in accounts))
    counts.add_row(
        "twice; on MQTT, states told again to a broker that was away",
        *(str(len(account.doubled)) for _, account in accounts),
    )
    counts.add_row("with another value", *(str(len(account.untrue)) for _, account in accounts))
    counts.add_row("found, unknown to the witness", *(str(len(account.strange)) for _, account in accounts))
    yield counts
    rest = Table("what", "", box=box.MARKDOWN)
    rest.add_row("MQTT: came late", f"{result.late:,}")
    rest.add_row("MQTT: states older than one before", str(len(result.overtaken)))
    rest.add_row("Prometheus: samples", f"{result.samples:,}")
    rest.add_row("Prometheus: frozen or made up", str(result.unread))
    for label, lag in result.worst.items():
        rest.add_row(f"worst lag of {label}", f"{lag:.1f} s")
    for life in filter(None, result.lives):
        text = f"{life[0] / 1e6:.1f} MB, {life[-1] / 1e6:.1f} MB"
        rest.add_row("memory of a collector, after its first minute and at its end", text)
    rest.add_row("CPU of the collector, of one core", f"{result.cpu:.1%}")
    rest.add_row("its exit code", str(result.code))
    yield rest


def main() -> None:
    """Run it as the arguments say, and print the tables."""
    arguments = argparse.ArgumentParser(prog="python -m bench.endurance", description="Half an hour, with accidents.")
    arguments.add_argument("--minutes", type=float, default=30.0)
    arguments.add_argument("--seed", type=int, default=1, help="who is killed when")
    given = arguments.parse_args()
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="rct-endurance-") as folder:
        result = asyncio.run(run(given.minutes, given.seed, console, Path(folder)))
    for table in tables(result):
        console.print(table)
    console.print(f"{given.minutes:g} minutes, seed {given.seed}, {os.cpu_count()} cores", highlight=False)


if __name__ == "__main__":
    main()
