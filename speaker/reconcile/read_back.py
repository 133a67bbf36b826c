"""When the daemon is read back: a moment after a change, when it is asked for, and now and then."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speaker.clock import Clock

# In seconds: this long after a change, so that one reading serves many, and longer after many
# changes, which the daemon is still sending then; ...
QUIET = 0.5
QUIET_EACH = 0.0005
# ... where change follows on change, this long after the first; and after a reading that failed.
LATEST = 5.0
AGAIN = 1.0


class ReadBackSchedule:
    """The time of the next reading."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked = True
        self._at = self._latest = inf

    @property
    def at(self) -> float:
        """When it is due (steady clock)."""
        return -inf if self._asked else min(self._at, self._latest)

    @property
    def asked(self) -> bool:
        """Whether one was asked for, and has not begun."""
        return self._asked

    @property
    def due(self) -> bool:
        """Whether it is due now."""
        return self._clock.steady() >= self.at

    def ask(self) -> None:
        """Have one at once: after the one that is under way, if one is."""
        self._asked = True

    def changed(self, count: int) -> None:
        """Have one when that many changes are likely to have been sent, and none has followed."""
        now = self._clock.steady()
        self._at = now + QUIET + QUIET_EACH * count
        self._latest = min(self._latest, self._at + LATEST)

    def begin(self) -> None:
        """Note that one begins: who asks from now on wants to see what this one may not."""
        self._asked = False
        self.failed()

    def failed(self) -> None:
        """Note that it failed: have another a little later."""
        self._at, self._latest = self._clock.steady() + AGAIN, inf

    def done(self, read_interval: float) -> None:
        """Note that it succeeded, and how often there is to be one although nothing changes."""
        self._at = self._clock.steady() + read_interval
