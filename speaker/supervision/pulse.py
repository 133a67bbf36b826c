"""Whether cycles are completed: the age of the last one, and for how long nothing has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speaker.clock import Clock

MISSED = 10
"""This many intervals without a completed cycle are too many; ..."""
SHORTEST = 5.0
"""... and never fewer seconds than these."""
STILL = 60.0
STILL_EACH = 0.01
"""For how long one step of a cycle may take, in seconds, and how much more for each prefix.

A reading waits 5 s for its turn and 20 s for vtysh, and 10,000 prefixes take a busy ExaBGP a minute.
"""


class Pulse:
    """The pulse of one watchdog, on the steady clock. It is read by another thread, too."""

    def __init__(self, clock: Clock) -> None:
        """Have none: it begins with `start`, because a single look has none."""
        self._clock = clock
        self._since: float | None = None
        self._completed: float | None = None
        self._moved = 0.0
        self._failing_since: float | None = None

    def start(self) -> None:
        """Begin: cycles run from now on."""
        self._since = self._moved = self._clock.steady()

    def moved(self) -> None:
        """Note that a step of a cycle has ended, whatever came of it."""
        self._moved = self._clock.steady()

    def failed(self) -> None:
        """Note that a cycle met an unexpected error: what it did before is no progress."""
        if self._failing_since is None:
            self._failing_since = self._clock.steady()

    def completed(self) -> None:
        """Note that a cycle has looked at everything and acted on it."""
        self._completed = self._moved = self._clock.steady()
        self._failing_since = None

    @property
    def age(self) -> float | None:
        """Seconds since the last cycle was completed. None where none was, or cycles do not run."""
        if self._completed is None or self._since is None:
            return None
        return max(self._clock.steady() - self._completed, 0.0)

    def old(self, interval: float) -> str:
        """Return, in words, that what is known is old; nothing where it is not.

        Args:
            interval: that of the configuration, in seconds.
        """
        if self._since is None:
            return ""
        last = self._since if self._completed is None else self._completed
        seconds = self._clock.steady() - last
        if seconds <= max(MISSED * interval, SHORTEST):
            return ""
        if self._completed is None:
            return f"none completed since the start, {seconds:.0f} s ago"
        return f"none completed for {seconds:.0f} s"

    def first(self, interval: float) -> str:
        """Return, in words, that the first cycle has not ended; nothing once it has, or where that takes too long: see `old`.

        Args:
            interval: that of the configuration, in seconds.
        """
        if self._since is None or self._completed is not None or self.old(interval):
            return ""
        seconds = self._clock.steady() - self._since
        return (
            f"the first cycle has not ended, {seconds:.0f} s after the start: little is known yet"
        )

    def still(self, interval: float, prefixes: int) -> float | None:
        """Return for how many seconds nothing has moved, where that is too long; else None.

        Args:
            interval: that of the configuration, in seconds.
            prefixes: how many there are.
        """
        if self._since is None:
            return None
        failing = self._failing_since
        seconds = self._clock.steady() - (self._moved if failing is None else failing)
        return seconds if seconds > max(MISSED * interval, STILL + STILL_EACH * prefixes) else None
