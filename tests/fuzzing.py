"""Bad input without end, each target a while: ``make fuzz``, or ``make fuzz ARGS="pcap.gz bulk --seconds 60"``.

Where atheris is installed, the branches that an input reaches lead to the next input, and build/fuzz keeps those that
led on; elsewhere chance does. A finding ends the run and shows its input, which then belongs into tests/test_fuzz.py.
"""

from __future__ import annotations

import argparse
import importlib
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from itertools import cycle, islice
from math import ceil, inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from fuzz_targets import Target

TURN: Final = 60.0  # seconds for each of several targets
CORPUS: Final = Path(__file__).parent.parent / "build" / "fuzz"
SEEDS: Final = 300  # inputs by chance that a corpus begins with
LONGEST: Final = 4096  # bytes of an input


def follow_chance(name: str, target: Target, seconds: float) -> None:
    """Search by chance. Raises what the target raises for an input, when that was shown."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"{name}: inputs by chance, seed {seed}", flush=True)
    began = shown = time.monotonic()
    for number, data in enumerate(target.inputs(random.Random(seed)), start=1):
        check_and_show(target.check, data)
        now = time.monotonic()
        if now - shown > 10 or now - began > seconds:
            shown = now
            print(f"{name}: {number:,} inputs in {now - began:.0f} s", flush=True)
        if now - began > seconds:
            return


def follow_branches(atheris: Any, name: str, target: Target, seconds: float) -> None:
    """Search along the branches that inputs reach, and end the process."""
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(islice(target.inputs(random.Random(1)), SEEDS)):
        (folder / f"seed-{number}").write_bytes(data[:LONGEST])
    limits = [f"-max_len={LONGEST}", f"-artifact_prefix={folder}-"]
    limits += [] if seconds == inf else [f"-max_total_time={seconds:.0f}"]
    atheris.Setup([sys.argv[0], *limits, str(folder)], lambda data: check_and_show(target.check, data))
    atheris.Fuzz()


def check_and_show(check: Callable[[bytes], None], data: bytes) -> None:
    """Check an input. Raises what the check raises, when so much of the input was shown as is needed for it."""
    try:
        check(data)
    except Exception:
        print(f"bytes.fromhex({shrink(check, data).hex()!r})", flush=True)
        raise


def shrink(check: Callable[[bytes], None], data: bytes) -> bytes:
    """Return an input without what it also fails without, in the same way."""
    kind = failure(check, data)
    size = len(data)
    while size := size // 2:
        at = 0
        while at < len(data):
            shorter = data[:at] + data[at + size :]
            if failure(check, shorter) is kind:
                data = shorter
            else:
                at += size
    return data


def failure(check: Callable[[bytes], None], data: bytes) -> type[Exception] | None:
    try:
        check(data)
    except Exception as exc:  # noqa: BLE001  # whatever it is, it is a finding
        return type(exc)
    return None


def main() -> int:
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        atheris = None
    with atheris.instrument_imports(include=["rct_tools"]) if atheris else nullcontext():
        targets: Mapping[str, Target] = importlib.import_module("fuzz_targets").TARGETS

    arguments = argparse.ArgumentParser(description="Search for input that breaks what reads it.")
    arguments.add_argument("target", nargs="*", metavar="TARGET", help=f"of: {', '.join(targets)}; without it, all")
    arguments.add_argument("--seconds", type=float, default=inf, help="how long in all; without it, until Ctrl-C")
    asked = arguments.parse_args()
    if unknown := [name for name in asked.target if name not in targets]:
        arguments.error(f"no target {unknown[0]!r}; there are {', '.join(targets)}")
    names = asked.target or list(targets)
    if len(names) == 1:
        (name,) = names
        if atheris:
            follow_branches(atheris, name, targets[name], asked.seconds)
        else:
            follow_chance(name, targets[name], asked.seconds)
        return 0
    turn = min(TURN, asked.seconds / len(names))
    turns = cycle(names) if asked.seconds == inf else names * ceil(asked.seconds / len(names) / TURN)
    # Each has a process of its own: atheris ends the one that it runs in.
    commands = ([sys.executable, __file__, name, f"--seconds={turn}"] for name in turns)
    return next((code for command in commands if (code := subprocess.run(command, check=False).returncode)), 0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print()
