"""What comes over a connection: handed on in small pieces, and closed where more comes than an answer may have.

What is cheap to send may be dear to read: of ten thousand interim answers of HTTP, or frames of HTTP/2, that come at once, reading
takes a fifth of a second or more, in which nothing else is asked. Between small pieces others have their turn.
"""

from __future__ import annotations

import asyncio
from math import inf

PIECE = 8 * 1024
"""Bytes that are handed on at once."""


class Stream(asyncio.BufferedProtocol):
    """Stands between a connection and who reads it.

    Args:
        reader: who does.
        most: bytes that may come until it is asked the next time.
        made: when the connection was made, by the reader's clock.
    """

    def __init__(self, reader: asyncio.Protocol, most: float = inf, made: float = 0.0) -> None:
        self._reader, self._most, self.made = reader, most, made
        self._piece = bytearray()
        self._transport: asyncio.Transport | None = None
        self._came = 0

    @property
    def is_too_much(self) -> bool:
        """Whether it was closed because more came than may."""
        return self._came > self._most

    def asked(self, transport: asyncio.Transport) -> None:
        """Note that something is asked over its connection: what came until now counts no more."""
        self._transport, self._came = transport, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream there is no other
        self.asked(transport)
        self._reader.connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        del sizehint
        self._piece = bytearray(
            PIECE
        )  # while something comes: of a thousand connections most are silent
        return memoryview(self._piece)

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what came."""
        piece, self._piece = bytes(memoryview(self._piece)[:nbytes]), bytearray()
        self._came += nbytes
        if not self.is_too_much:
            self._reader.data_received(piece)
        elif self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> bool | None:
        """See `asyncio.BufferedProtocol`."""
        return self._reader.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._reader.connection_lost(exc)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._reader.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._reader.resume_writing()
