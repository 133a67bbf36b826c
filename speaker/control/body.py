"""Bodies of requests: each has its bound, and few large ones are in memory at a time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from policy.errors import PolicyError
from speaker.control.connections import IDLE
from speaker.control.places import Places

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speaker.control.connections import Connections

SMALL = 1 << 16
"""Bytes of a body for which there is always a place: that of every connection."""
PLACE_WITHIN = 2.0
"""How long a larger one waits for its place, in seconds."""


class Bodies:
    """Those of one socket.

    Args:
        most: bytes of one.
        connections: those of the socket.
    """

    def __init__(self, most: int, connections: Connections) -> None:
        self._most = most
        self._connections = connections
        self._places = Places(f"requests of more than {SMALL} bytes", PLACE_WITHIN)

    @asynccontextmanager
    async def read(self, request: web.Request) -> AsyncIterator[bytes]:
        """Read the body of a request, and keep its place while the context lasts.

        Raises:
            HTTPException: it is too large, or there is no place.
            PolicyError: it is not complete in time, or not at all.
        """
        size = request.content_length
        if size is not None and size > self._most:
            raise web.HTTPRequestEntityTooLarge(
                self._most, size, text=f"request: {size} bytes; {self._most} at most: send less"
            )
        async with AsyncExitStack() as stack:
            self._connections.rest(request.protocol)
            if size is None or size > SMALL:
                await stack.enter_async_context(self._places.one())
            body = await self._whole(request)
            self._connections.begin(request.protocol)
            yield body

    async def _whole(self, request: web.Request) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(IDLE):
                async for part in request.content.iter_any():
                    self._connections.rest(request.protocol)
                    body += part
                    if len(body) > self._most:
                        raise web.HTTPRequestEntityTooLarge(self._most, len(body))
        except TimeoutError:
            raise PolicyError(f"control: the request is not complete after {IDLE:g} s") from None
        except (ConnectionError, web.PayloadAccessError, web.RequestPayloadError) as error:
            raise PolicyError(
                "control: the request is not complete, or its coding is wrong"
            ) from error
        return bytes(body)
