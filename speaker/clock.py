"""The two clocks: handed in, so that a test can turn them."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, in seconds since the epoch."""

    def wall(self) -> float:
        """Return the time that people live by; it may be set. For expiry and for history."""

    def steady(self) -> float:
        """Return a time that is never set, comparable with that of an earlier process. For waits."""


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def wall(self) -> float:
        """See `Clock.wall`."""
        return time.time()

    def steady(self) -> float:
        """See `Clock.steady`."""
        return time.monotonic() + self._offset
