"""Tries again what etcd did not do: later each time, and not all machines at the same moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from zlib import crc32

from speaker.site.base import EtcdError
from speaker.supervision.cancellation import heed_cancellation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FIRST, LAST = 0.1, 5.0
"""How long to wait for another try, in seconds: at first, and where it fails again and again."""


class Pauses:
    """How long each wait is. A machine waits a share of its own: those of a site come one after the other."""

    def __init__(self, name: str) -> None:
        self._share = 0.5 + crc32(name.encode()) / (1 << 33)
        self._next = FIRST

    def next(self) -> float:
        """Return how long to wait now, in seconds."""
        now, self._next = self._next, min(2 * self._next, LAST)
        return now * self._share

    def over(self) -> None:
        """Note that it was done: the next wait is short again."""
        self._next = FIRST


async def for_ever(
    step: Callable[[], Awaitable[object]], name: str, note: Callable[[str | EtcdError], object]
) -> None:
    """Do something again and again; what etcd does not do, after a pause.

    Args:
        step: waits until there is something to do, and does it.
        name: of the machine.
        note: is told what is wrong; an empty text where all is well.
    """
    pauses = Pauses(name)
    while True:
        try:
            await step()
        except EtcdError as error:
            heed_cancellation()
            note(error)
            await asyncio.sleep(pauses.next())
        else:
            note("")
            pauses.over()
