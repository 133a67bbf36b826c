"""Threads beside the event loop: short in the interpreter, and not waited for at the end."""

from __future__ import annotations

import errno
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SWITCH = 0.0005
"""How long a thread that computes keeps the interpreter from the event loop, in seconds.

By default that is 5 ms, and again after each of the loop's own system calls: a withdrawal that
makes some dozens of these while thousands of VIPs are loaded would take most of a second.
"""


def share_interpreter() -> None:
    """Have threads that compute leave the event loop its turns."""
    sys.setswitchinterval(SWITCH)


class Threads(ThreadPoolExecutor):
    """Runs each call in a thread of its own.

    asyncio's executor holds up the end of the process until its threads have ended: one that waits
    for a locked file, or loads thousands of VIPs, takes seconds. ExaBGP kills what has not ended in 2.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `concurrent.futures.Executor.submit`."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - the caller that waits for it gets it
                future.set_exception(error)
            else:
                future.set_result(result)

        try:
            threading.Thread(target=run, daemon=True).start()
        except RuntimeError:  # the limit of processes, such as systemd's TasksMax
            why = "no thread can be started; raise TasksMax of its unit"
            future.set_exception(BlockingIOError(errno.EAGAIN, why))
        return future
