"""What happened since this process started, in numbers: changes, reactions, cycles, readings.

It is counted where it happens, on the event loop, and costs an addition; who wants to see it copies it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING

from policy.differing import differing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.route import Prefix
    from speaker.clock import Clock
    from speaker.reconcile.daemon_state import Seen

REACTIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CYCLES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often a time was at most so long, by bound (the last one has none); and all times together, in seconds."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Times:
    """Counts times by their length.

    Args:
        bounds: the longest of each kind, in seconds, rising.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """Count a time, or several that are as long. The clock may have been set back."""
        seconds = max(seconds, 0.0)
        if count and isfinite(seconds):
            self._counts[bisect_left(self._bounds, seconds)] += count
            self._total += seconds * count

    def read(self) -> Distribution:
        """Return what was counted until now."""
        return Distribution(self._bounds, tuple(self._counts), self._total)


SINKS = ("webhook", "exec")
"""Where events may be sent."""


@dataclass(slots=True)
class SentEvents:
    """What became of the events for one sink."""

    sent: int = 0
    lost: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What a meter has counted until now.

    `changes` are by action and cause; `last_cycle` is in seconds since the epoch, 0 where none was completed.
    """

    changes: Mapping[tuple[str, str], int]
    failures: int
    mismatches: int
    reactions: Distribution
    cycles: Distribution
    last_cycle: float
    sent: Mapping[str, SentEvents]


class Meter:
    """Counts for one reconciler. It neither waits nor raises.

    A reaction lasts from what woke a cycle, or from its start where only its interval was over, to
    when the daemon acknowledged the change; for what an operator asks, from when that came.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin now: a single look has no cycle that begins."""
        self._clock = clock
        self._woken: float | None = None
        self._began = self._asked = clock.steady()
        self._changes: Counter[tuple[str, str]] = Counter()
        self._failures = self._mismatches = 0
        self._reactions, self._cycles = Times(REACTIONS), Times(CYCLES)
        self._last_cycle = 0.0
        self.sent = {sink: SentEvents() for sink in SINKS}

    def woken(self) -> None:
        """Note that something happened, which a cycle is to look at."""
        if self._woken is None:
            self._woken = self._clock.steady()

    def asked(self) -> None:
        """Note that an operator asks for something."""
        self._asked = self._clock.steady()

    def began(self) -> None:
        """Note that a cycle begins, which looks at all that happened until now."""
        now = self._clock.steady()
        self._began, self._woken = (now if self._woken is None else self._woken), None

    def completed(self, started: float) -> None:
        """Note that a cycle has looked at everything and acted on it.

        Args:
            started: when it began (steady clock).
        """
        self._cycles.add(self._clock.steady() - started)
        self._last_cycle = self._clock.wall()

    def acknowledged(
        self, accepted: Mapping[tuple[str, str], int], failed: int, *, at_once: bool
    ) -> None:
        """Note that the daemon has answered.

        Args:
            accepted: how many changes it took, by action and cause.
            failed: how many it did not take.
            at_once: whether an operator waits for them.
        """
        since = self._asked if at_once else self._began
        self._reactions.add(self._clock.steady() - since, sum(accepted.values()))
        self._changes.update(accepted)
        self._failures += failed

    def read_back(
        self,
        believed: Mapping[Prefix, Seen],
        read: Mapping[Prefix, Seen],
        doubtful: Collection[Prefix],
    ) -> None:
        """Note what was read, beside what the daemon was believed to have.

        Args:
            believed: what it had taken.
            read: what it has.
            doubtful: of which its word is no proof.
        """
        self._mismatches += sum(
            1
            for prefix in differing(believed, read)
            if prefix in believed
            and prefix in read
            and prefix not in doubtful
            and read[prefix] != believed[prefix]
        )

    def counts(self) -> Counts:
        """Return what was counted until now."""
        return Counts(
            dict(self._changes),
            self._failures,
            self._mismatches,
            self._reactions.read(),
            self._cycles.read(),
            self._last_cycle,
            {sink: replace(counts) for sink, counts in self.sent.items()},
        )
