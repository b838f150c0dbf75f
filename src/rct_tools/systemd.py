"""What a service tells systemd: that it is ready, how it is, that it still lives.

The protocol is a datagram of ``NAME=value`` lines to the socket that ``NOTIFY_SOCKET`` names. Source: sd_notify(3),
sd_watchdog_enabled(3).
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Self

logger = logging.getLogger(__name__)


class Notifier:
    """Tells the service manager; does nothing where there is none."""

    def __init__(self, address: str = "", watchdog_interval: float | None = None) -> None:
        """``address`` is the path of a datagram socket, or ``@`` and a name in Linux's abstract name space."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_interval = watchdog_interval
        """Seconds between two calls of ``alive``: half of what is allowed. None when nobody waits for them."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Return the notifier that the variables of a service ask for."""
        address = environ.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
            return cls()  # systemd also knows vsock, for whole virtual machines
        allowed = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())  # a child inherits what is not its own
        watched = ours and allowed.isdecimal() and int(allowed) > 0
        return cls(address, int(allowed) / 1e6 / 2 if watched else None)

    def ready(self, status: str = "") -> None:
        """Say that the service has started, or has read its configuration again."""
        self._tell("READY=1", *([_status(status)] if status else []))

    def status(self, text: str) -> None:
        """Say in words how the service is; ``systemctl status`` shows it."""
        self._tell(_status(text))

    def reloading(self) -> None:
        """Say that the configuration is being read again; ``ready`` ends it."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the service has begun to end."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Say that the service still does its work: to be called every ``watchdog_interval`` seconds."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)  # a manager that does not listen must not hold up the service
                sender.sendto("\n".join(lines).encode(), self._address)
        except OSError as exc:
            logger.debug("the service manager was not told %s: %s", lines[0], exc)


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())  # a line break would begin another assignment
