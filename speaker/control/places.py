"""Places for what takes much memory: few of it are under way at a time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LARGE = 2
"""How many large requests, and how many large answers, there are at a time, on each socket."""


class Places:
    """As many as LARGE.

    Args:
        what: what they are for, in words.
        within: how long one is waited for, in seconds.
    """

    def __init__(self, what: str, within: float) -> None:
        self._what = what
        self._within = within
        self._free = asyncio.Semaphore(LARGE)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Keep a place while the context lasts.

        Raises:
            HTTPException: there was none in time.
        """
        try:
            async with asyncio.timeout(self._within):
                await self._free.acquire()
        except TimeoutError:
            raise web.HTTPServiceUnavailable(
                text=f"control: busy: {LARGE} {self._what} are under way; try again"
            ) from None
        try:
            yield
        finally:
            self._free.release()
