"""Calls in threads, of which those of the same thing share one: while it hangs, no other is begun beside it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class SharedCalls(Generic[T]):
    """Calls a function in a thread, once at a time with the same arguments.

    Args:
        function: it may hang, as may disks, and directories of users.
    """

    def __init__(self, function: Callable[..., T]) -> None:
        self._function = function
        self._running: dict[Hashable, asyncio.Task[T]] = {}

    async def __call__(self, *arguments: Any) -> T:
        """Call it, or wait for a call that is under way, which goes on where this is cancelled."""
        if (task := self._running.get(arguments)) is None:
            task = asyncio.create_task(asyncio.to_thread(self._function, *arguments))
            self._running[arguments] = task
            task.add_done_callback(lambda ended: self._ended(arguments, ended))
        await asyncio.wait({task})
        return task.result()

    def _ended(self, arguments: Hashable, task: asyncio.Task[T]) -> None:
        del self._running[arguments]
        if not task.cancelled():
            task.exception()  # which nobody may wait for any more
