"""Realservers: small TCP listeners that can be killed and brought back."""

from __future__ import annotations

import asyncio


class Realserver:
    """A listener on loopback that accepts and hangs up."""

    def __init__(self, host: str) -> None:
        """Listen on a free port of an address, once started."""
        self._host = host
        self._port = 0
        self._server: asyncio.Server | None = None

    @property
    def endpoint(self) -> str:
        """Where it listens, as vip.toml names it. It stays the same when it is brought back."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(_hang_up, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
