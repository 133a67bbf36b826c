"""A thread that sees what an event loop can't say of itself: that nothing moves, or that the end does not come.

Theory of operation: the process that ExaBGP or systemd has started is started again when it ends, and
routes stay meanwhile. So a watchdog that looks at nothing any more is better ended. But ExaBGP ends, and
all routes with it, when its process ends 5 times within 64 s: who was started only just now does not end
itself. That bounds the ends to one in YOUNG seconds, whatever happens, without a file to count them in.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

YOUNG = 150.0
"""For so long after its start, in seconds, a process does not end itself."""
ENDING = 5.0
"""How long an orderly end may take, in seconds: more than its parts are given."""
CHECK = 1.0
AGAIN = 60.0
"""How often to say again that nothing moves, in seconds."""
LAST_WORDS = 1.0
"""How long the log has, in seconds, to write what was said last."""


def leave() -> None:
    """End this process, whatever it is doing."""
    time.sleep(LAST_WORDS)
    os._exit(1)


class Sentinel:
    """Watches one process.

    Args:
        still: tells for how many seconds nothing has moved, where that is too long.
        leave: ends this process, whatever it is doing.
        started_again: who starts it again when it ends; nothing where none is known to.
        alive: is called at each look: that this thread runs is all that it says.
        steady: a clock.
    """

    def __init__(
        self,
        still: Callable[[], float | None],
        leave: Callable[[], object],
        *,
        started_again: str,
        alive: Callable[[], object] = lambda: None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._still = still
        self._leave = leave
        self._started_again = started_again
        self._alive = alive
        self._steady = steady
        self._started = steady()
        self._ends_by: float | None = None
        self._say_at = self._started

    def start(self) -> None:
        """Look every second, from a thread that holds up no end."""
        threading.Thread(target=self._run, name="sentinel", daemon=True).start()

    def ending(self) -> None:
        """Note that the process is to end, by now."""
        self._ends_by = self._steady() + ENDING

    def _run(self) -> None:
        while True:
            time.sleep(CHECK)
            self.look()

    def look(self) -> None:
        """Look once."""
        self._alive()
        now = self._steady()
        if self._ends_by is not None:
            if now >= self._ends_by:
                log.critical(
                    "shutdown takes longer than %g s: ended without it; %s", ENDING, _place()
                )
                self._leave()
            return
        seconds = self._still()
        if seconds is None:
            return
        remedy = self._remedy(now - self._started)
        if remedy and now < self._say_at:
            return
        self._say_at = now + AGAIN
        log.critical(
            "cycles make no progress for %.0f s: dead VIPs are not withdrawn; %s; %s",
            seconds,
            _place(),
            remedy or f"ended, {self._started_again} starts it again",
        )
        if not remedy:
            self._leave()

    def _remedy(self, age: float) -> str:
        """Return what an operator is to do, or nothing where it is safe to end."""
        if not self._started_again:
            return "not ended, because nothing is known to start it again: restart it"
        if age < YOUNG:
            return (
                f"not ended yet, because it was started {age:.0f} s ago and {self._started_again} "
                "gives up after a few ends in a short time"
            )
        return ""


def _place() -> str:
    """Return what the main thread is doing, in words."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - documented in sys
    if frame is None:
        return "the main thread has ended"
    return f"the main thread is at {frame.f_code.co_filename}:{frame.f_lineno}"
