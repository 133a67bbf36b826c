"""An event loop whose time passes at once: waits take no time, and happen in the order of their ends."""

from __future__ import annotations

import asyncio
import selectors
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class _Selector(selectors.DefaultSelector):
    """Passes the time that it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits for something that never comes")
        if not ready and timeout is not None:
            self.now += max(timeout, 0.0)
        return ready


class _AtOnce(ThreadPoolExecutor):
    """Does what is submitted in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            future.set_exception(error)
        return future


BESIDE = _AtOnce.submit.__code__
"""What it calls runs in a thread of its own elsewhere."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Everything of one loop in one thread, in virtual time: the same each time it runs."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self.set_default_executor(_AtOnce())

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's
        """Do nothing: it has no thread; and asyncio's would end in another one, for which we don't wait."""
        del timeout

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._virtual.now


class VirtualClock:
    """Both clocks of the machine, as the running loop's time; `jump` sets the wall clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: float = 1_700_000_000.0) -> None:
        self._loop = loop
        self._epoch = epoch - loop.time()

    def jump(self, seconds: float) -> None:
        """Set the wall clock, forth or back."""
        self._epoch += seconds

    def wall(self) -> float:
        """See `Clock.wall`."""
        return self._epoch + self._loop.time()

    def steady(self) -> float:
        """See `Clock.steady`."""
        return self._loop.time()


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Do as asyncio.run does, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
