"""An inverter of ours as a command: where it listens is said, and who can reach it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import ip_address

import click

from rct_tools.address import show_address
from rct_tools.errors import RctError
from rct_tools.listening import cannot_listen
from rct_tools.simulator.server import LineServer


async def serve(server: LineServer, describe: Callable[[], str], exposed: str) -> None:
    """Serve to the end or until cancelled, and say what it is; ``exposed`` is said when others can reach it."""
    try:
        await server.start()
    except OSError as exc:
        raise RctError(cannot_listen(server.host, server.port, exc, "choose another port")) from exc
    try:
        click.echo(f"{show_address(server.host, server.port)}: {describe()}; Ctrl-C ends it")
        if not _is_loopback(server.host):
            click.echo(f"Others in your network can reach it too: {exposed}", err=True)
        await server.serve()
    finally:
        await server.close()


def _is_loopback(host: str) -> bool:
    addresses = socket.getaddrinfo(host or None, 0, flags=socket.AI_PASSIVE)  # none is any
    return all(ip_address(address[4][0]).is_loopback for address in addresses)
