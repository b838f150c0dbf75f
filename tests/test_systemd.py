"""What a service tells systemd, over the real kind of socket."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rct_tools.systemd import Notifier

if sys.platform == "win32":
    pytest.skip("Windows has no systemd", allow_module_level=True)

PID = str(os.getpid())


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        yield manager


@pytest.fixture
def notifier(manager: socket.socket) -> Notifier:
    return Notifier.from_environment({"NOTIFY_SOCKET": manager.getsockname()})


def told(manager: socket.socket) -> list[str]:
    return manager.recv(4096).decode().split("\n")


def test_all_that_is_told(manager: socket.socket, notifier: Notifier) -> None:
    notifier.ready()
    assert told(manager) == ["READY=1"]
    notifier.ready("2 inverters")
    assert told(manager) == ["READY=1", "STATUS=2 inverters"]
    notifier.status("1 of 2 inverters answers")
    assert told(manager) == ["STATUS=1 of 2 inverters answers"]
    notifier.alive()
    assert told(manager) == ["WATCHDOG=1"]
    notifier.stopping()
    assert told(manager) == ["STOPPING=1"]


def test_a_reload_has_the_time_of_the_clock_that_systemd_compares_it_with(
    manager: socket.socket, notifier: Notifier
) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    reloading, began = told(manager)
    assert reloading == "RELOADING=1"
    name, _, microseconds = began.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before <= int(microseconds) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_status_is_one_line_and_no_assignment(manager: socket.socket, notifier: Notifier) -> None:
    notifier.status("roof: lost\nREADY=1\n\n☀ again ")
    assert told(manager) == ["STATUS=roof: lost READY=1 ☀ again"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names without a file")
def test_a_socket_without_a_file() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0rct-test-{PID}")
        manager.setblocking(False)
        Notifier.from_environment({"NOTIFY_SOCKET": f"@rct-test-{PID}"}).ready()
        assert told(manager) == ["READY=1"]


WATCHDOGS = [  # variables, seconds between two signs of life
    ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": PID}, 15.0),
    ({"WATCHDOG_USEC": "30000000"}, 15.0),
    ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
    ({"WATCHDOG_USEC": "0"}, None),
    ({"WATCHDOG_USEC": "soon"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("variables", "interval"), WATCHDOGS)
def test_watchdog(variables: dict[str, str], interval: float | None) -> None:
    assert Notifier.from_environment({"NOTIFY_SOCKET": "/run/notify", **variables}).watchdog_interval == interval


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "relative"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000"})
    assert notifier.watchdog_interval is None
    notifier.ready("nobody hears it")


def test_a_manager_that_is_gone_or_deaf_holds_up_nothing(
    manager: socket.socket, notifier: Notifier, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG")
    while not caplog.records:  # until its queue is full: who waits for it, waits for ever
        notifier.alive()
    Notifier(str(tmp_path / "nobody")).ready()
    assert "READY=1" in caplog.messages[-1]
