"""Why nobody can listen somewhere, in one line for people."""

from __future__ import annotations

import os
import socket

from rct_tools.address import show_address


def cannot_listen(host: str, port: int, exc: OSError | UnicodeError) -> str:
    """Return what is wrong with an address, and which; the system's own text says it twice, or not at all."""
    return f"cannot listen on {show_address(host, port)}: {_reason(exc)}"


def _reason(exc: OSError | UnicodeError) -> str:
    if isinstance(exc, socket.gaierror | UnicodeError):  # UnicodeError: a name that no host can have
        return "no such host"
    if not exc.errno:  # asyncio has tried several, and knows no more since Python 3.13
        return "this machine does not have it"
    text = os.strerror(exc.errno)
    return text[:1].lower() + text[1:]
