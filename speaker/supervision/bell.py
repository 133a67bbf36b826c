"""What many wait for at once, again and again: that something is another."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Bell:
    """Rings for all who wait."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Let all go on who wait now."""
        rung, self._next = self._next, asyncio.Event()
        rung.set()

    async def rings(self, within: float | None = None) -> None:
        """Wait until it rings, or for some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._next.wait()
