"""Owns what signals do to a process that stays: they are calls on its event loop, and in the end nothing.

Theory of operation: an event loop's own `remove_signal_handler`, which its `close` calls too, puts the
default action in force, and a second SIGTERM in that moment kills the process in the middle of its
farewell. Here each signal goes from its handler to SIG_IGN in one step, and stays ignored to the end of
the process. A signal may come to any thread, or just before the event loop goes to sleep: a byte in a
socket wakes it each time.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType


class Signals:
    """Signals that are calls on the running event loop; to be made in the main thread.

    Args:
        calls: what is called, by signal.
    """

    def __init__(self, calls: Mapping[signal.Signals, Callable[[], object]]) -> None:
        self._calls = calls
        self._loop = asyncio.get_running_loop()
        self._woken, self._wakes = socket.socketpair()
        for end in (self._woken, self._wakes):
            end.settimeout(0)
        self._loop.add_reader(self._woken, self._drain)
        self._waker = signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._call) for number in calls}

    def ignore(self) -> None:
        """Ignore them from now on, to the end of the process."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)
        self._before.clear()

    def close(self) -> None:
        """Give those that are not ignored back to whom they belonged."""
        for number, before in self._before.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
        signal.set_wakeup_fd(self._waker)
        self._loop.remove_reader(self._woken)
        self._woken.close()
        self._wakes.close()

    def _call(self, number: int, _: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._calls[signal.Signals(number)])

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)


@contextmanager
def heeded(calls: Mapping[signal.Signals, Callable[[], object]]) -> Iterator[Signals]:
    """Have signals be calls on the running event loop.

    Args:
        calls: what is called, by signal.
    """
    signals = Signals(calls)
    try:
        yield signals
    finally:
        signals.close()
