"""Connections to the page: what is no HTTP gets one line, and nothing of what was sent comes back."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from rct_tools.web.answers import error
from rct_tools.web.door import HEADERS

logger = logging.getLogger(__name__)

SERVER: Final = "rct"  # which version of what is nobody's business
IDLE: Final = 150.0  # seconds for a request to come, and for the next one; longer than reverse proxies keep connections
LINGERING: Final = 2.0  # seconds for the rest of what was not wanted, so that the answer to it arrives


class Connection(web.RequestHandler):
    """One connection."""

    def __init__(self, server: web.Server) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=logger,
            access_log=None,  # type: ignore[arg-type]  # or none
            keepalive_timeout=IDLE,
            lingering_time=LINGERING,
            auto_decompress=False,  # what browsers send here is short
        )

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # which has what was sent
    ) -> web.StreamResponse:
        """Return the answer to what is no HTTP, or to what we did wrong."""
        self.log_exception("%s: a mistake of ours", request.remote, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        text = "this is not HTTP as it is understood here" if status < 500 else "a mistake of ours; the log says more"
        response = error(status, text, {**HEADERS, "Server": SERVER})
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Log a mistake of ours: rubbish from others is answered, and nothing to tell."""
        if not isinstance(kw.get("exc_info"), HttpProcessingError | web.RequestPayloadError):
            super().log_exception(*args, **kw)


class Full(asyncio.Protocol):
    """What those get who come when all places are taken."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # as TCP has
        transport.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        transport.close()
