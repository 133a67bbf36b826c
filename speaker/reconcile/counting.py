"""Connections counted beside the cycles: a table that is slow to read holds no withdrawal up."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Protocol

from policy.connections import Counted
from speaker.printable import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY, OLD = 1.0, 5.0
"""How often to count, and from when on a count says nothing any more, in seconds."""


class Counter(Protocol):
    """What counts the connections of VIPs."""

    async def count(self) -> Counted:
        """Count once. What can't be counted is not in it."""


class BackgroundCount:
    """One count at a time.

    Args:
        make: makes what counts, when it is first needed; None where nothing can.
    """

    def __init__(self, make: Callable[[], Counter] | None) -> None:
        self._make = make
        self._counter: Counter | None = None
        self._task: asyncio.Future[Counted] | None = None
        self._began = self._counted_at = -inf
        self._counted = Counted(0.0)

    def begin(self, now: float) -> None:
        """Have another count begun, where none is under way and the last is not of just now (steady clock)."""
        self._take()
        if self._make is None or self._task is not None or self._began <= now < self._began + EVERY:
            return
        self._began = now
        try:
            self._counter = self._counter or self._make()
        except Exception as error:  # noqa: BLE001 - as in _take: no cycle fails for it
            self._not_counted(error)
            return
        self._task = asyncio.ensure_future(self._counter.count())
        self._task.add_done_callback(_heeded)

    async def ended(self) -> None:
        """Wait for the count that is under way."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=OLD)

    def last(self, now: float) -> Counted:
        """Return the last count; nothing is known where that is too old."""
        self._take()
        if now - self._counted_at <= OLD:
            return self._counted
        return Counted(0.0, {}, "IPVS: not counted yet" if self._make else "")

    def _take(self) -> None:
        """Take over a count that ended: what it says was so when it began."""
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            self._counted_at = self._began
            try:
                self._counted = task.result()
            except Exception as error:  # noqa: BLE001 - whatever it is: the count alone is not known
                self._not_counted(error)

    def _not_counted(self, error: Exception) -> None:
        self._counted_at = self._began
        self._counted = Counted(0.0, {}, f"not counted: {cause_of(error)}")


def _heeded(task: asyncio.Future[Counted]) -> None:
    """Have nothing said of how a count failed that ends when nobody asks for it any more: who takes it says it."""
    if not task.cancelled():
        task.exception()
