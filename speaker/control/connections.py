"""The connections of a socket: as many as allowed; the one that is idle longest makes room for another.

A connection is idle while no request of it is under way: before its first one is there as a whole, body
included, and from when the answer to it was handed to the kernel.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web

from speaker.control.reserve import too_few_are_left

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = 10.0
"""How long a connection, or a request, may say nothing, in seconds."""
RATE = 1 << 20
"""Bytes of an answer that a caller must read in each second, in the mean of IDLE."""

TLS_WAITING = 1 << 16
"""Bytes that may wait to be encrypted and sent, of a connection over TLS."""


class Connections:
    """Those of one socket.

    Args:
        most: how many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._idle: dict[web.RequestHandler, None] = {}  # the one that is idle longest first
        self._busy: set[web.RequestHandler] = set()

    def accept(self, handler: web.RequestHandler) -> str:
        """Have another one, closing the one that is idle longest where there are too many.

        Returns:
            why there is no room, or "".
        """
        self._idle = {each: None for each in self._idle if each.connected}
        count = len(self._idle) + len(self._busy)
        if count >= self._most:
            full = f"busy: requests are under way on all {self._most} connections; try again"
        elif too_few_are_left(count):
            full = "busy: too few descriptors are left; raise its limit (LimitNOFILE=)"
        else:
            full = ""
        if full and not self._idle:
            return full
        if full:
            self._close(next(iter(self._idle)))
        self._idle[handler] = None
        return ""

    def _close(self, handler: web.RequestHandler) -> None:
        del self._idle[handler]
        if handler.transport is not None:
            handler.transport.abort()
        handler.force_close()

    def begin(self, handler: web.RequestHandler) -> None:
        """Note that a request is there, and is being answered."""
        self._idle.pop(handler, None)
        self._busy.add(handler)

    def rest(self, handler: web.RequestHandler) -> None:
        """Note that a request was answered, or that a part of it has come."""
        self._busy.discard(handler)
        self._idle.pop(handler, None)
        if handler.connected:
            self._idle[handler] = None

    @web.middleware
    async def answered(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Send the answer, and close the connection of a caller who does not read it, or too slowly."""
        self.begin(request.protocol)
        try:
            response: web.StreamResponse = await handler(request)
            await sent(request, response)
        finally:
            self.rest(request.protocol)
        return response


async def sent(request: web.Request, response: web.StreamResponse) -> None:
    """Send an answer, once, and hang up on a caller who does not read it at RATE."""
    sending = asyncio.ensure_future(_send(request, response))
    await asyncio.sleep(0)  # it is in the buffer then
    try:
        while not sending.done() and (transport := request.transport) is not None:
            left = transport.get_write_buffer_size()
            await asyncio.wait({sending}, timeout=IDLE)
            if not sending.done() and transport.get_write_buffer_size() > left - RATE * IDLE:
                transport.abort()
                break
        with suppress(ConnectionError):  # the library hears of it by itself
            await sending
    finally:
        sending.cancel()


async def _send(request: web.Request, response: web.StreamResponse) -> None:
    await response.prepare(request)
    await response.write_eof()


class Door(asyncio.Protocol):
    """Who has just connected: handed on to what speaks HTTP where there is room, else told that there is none."""

    def __init__(self, connections: Connections, speak: Callable[[], web.RequestHandler]) -> None:
        self._connections = connections
        self._speak = speak

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand it on, or refuse it."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        handler = self._speak()
        if full := self._connections.accept(handler):
            body = json.dumps({"error": f"control: {full}"})
            head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
            transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            transport.close()
            return
        # What is not handed to the kernel yet keeps a connection open that is to be closed. TLS, which always has something
        # of its own to send, would never be done with nothing.
        is_plain = transport.get_extra_info("ssl_object") is None
        transport.set_write_buffer_limits(0 if is_plain else TLS_WAITING)
        transport.set_protocol(handler)
        handler.connection_made(transport)
