"""Has an application speak HTTP over connections that something else accepts, with bounds on what is read of each."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from traceback import walk_tb
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import streams, web
from aiohttp.http import HttpProcessingError

from speaker.control.connections import IDLE, Door

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable

    from speaker.control.connections import Connections

_http = logging.getLogger(f"{__name__}.http")

PARTING = 0.2
"""Seconds that shutdown waits for responses in progress. The intent is already on disk."""


class LineLimits(NamedTuple):
    """Bytes of the first line of a request, how many more lines it may have before its body, and bytes of each."""

    line: int
    headers: int
    header: int


def _is_ours(record: logging.LogRecord) -> bool:
    """Leave out of the log, with a traceback each, that a client speaks no HTTP, or is gone while it is read from."""
    error = record.exc_info[1] if record.exc_info else None
    frames = [frame for frame, _ in walk_tb(error.__traceback__)] if error else []
    is_read = bool(frames) and frames[-1].f_globals.get("__name__") == streams.__name__
    return not (isinstance(error, HttpProcessingError) or is_read)


_http.addFilter(_is_ours)


@asynccontextmanager
async def speaking(
    application: web.Application, connections: Connections, limits: LineLimits
) -> AsyncIterator[Callable[[], asyncio.Protocol]]:
    """Yield what makes the protocol of a connection, while the context lasts. No body is decompressed.

    Raises:
        OSError: it can't be had.
    """
    runner = web.AppRunner(
        application,
        access_log=None,
        keepalive_timeout=IDLE,
        logger=_http,
        max_line_size=limits.line,
        max_headers=limits.headers,
        max_field_size=limits.header,
        auto_decompress=False,
        shutdown_timeout=PARTING,
    )
    await runner.setup()
    try:
        server = runner.server
        if server is None:
            raise OSError(0, "no server")
        yield lambda: Door(connections, server)
    finally:
        await runner.cleanup()
