"""Why nobody can listen somewhere, in one line for people."""

from __future__ import annotations

import os
import socket
from errno import EADDRINUSE

from rct_tools.address import show_address


def cannot_listen(host: str, port: int, exc: OSError | UnicodeError, if_taken: str) -> str:
    """Return what is wrong with an address, and which; ``if_taken`` is what to do when somebody else listens there.

    The system's own text says it twice, or not at all.
    """
    hint = f"; {if_taken}" if isinstance(exc, OSError) and exc.errno == EADDRINUSE else ""
    return f"cannot listen on {show_address(host, port)}: {_reason(exc)}{hint}"


def _reason(exc: OSError | UnicodeError) -> str:
    if isinstance(exc, socket.gaierror | UnicodeError):  # UnicodeError: a name that no host can have
        return "no such host"
    if not exc.errno:  # asyncio has tried several, and knows no more since Python 3.13
        return "this machine does not have it"
    text = os.strerror(exc.errno)
    return text[:1].lower() + text[1:]
