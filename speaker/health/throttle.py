"""Rate-limits wake-ups: one at once, one 20 ms later, at most 50 a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AGAIN = 0.02
"""How long after an event to look once more, in seconds, and the least time between two looks.

Who tells of something may do so before it is done, and a flood is no reason to look more often.
"""


class Throttle:
    """Wakes for events.

    Args:
        wake: look now.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._timer: asyncio.TimerHandle | None = None
        self._more = False

    @property
    def resting(self) -> bool:
        """Whether no look is to come."""
        return self._timer is None

    def event(self) -> None:
        """Look now, and once more a moment later; where one just did, only then."""
        if self._timer is not None:
            self._more = True
            return
        self._wake()
        self._wait()

    def stop(self) -> None:
        """Stop waking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(AGAIN, self._again)

    def _again(self) -> None:
        self._timer = None
        self._wake()
        if self._more:
            self._more = False
            self._wait()
