"""When each probe is asked: in its own time, spread over the interval, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speaker.health.checks.probe import Tally

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from speaker.config.settings_checks import CheckSettings
    from speaker.health.checks.probe import Probe, ProbeAnswer

_GOLDEN = 0.6180339887498949
"""Multiples of it, without their whole parts, lie evenly however many there are (Weyl, 1916)."""

LEAST = 0.05
"""How long to wait at least before the same is asked again, in seconds."""


class Watch:
    """A probe, what is known of it, and when it is asked next (steady clock; None: not planned yet).

    Of two schedules that have it, before and after a reload, the one that began it last asks.
    """

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.tally = Tally()
        self.due: float | None = None
        self.keeper: Schedule | None = None


class Schedule:
    """Asks probes for ever.

    Args:
        watches: what to ask.
        ask: asks one.
        steady: a clock.
        changed: called with what is told otherwise than before.
    """

    def __init__(
        self,
        watches: Iterable[Watch],
        ask: Callable[[Probe], Awaitable[ProbeAnswer]],
        steady: Callable[[], float],
        changed: Callable[[Watch], object],
    ) -> None:
        self._watches = tuple(watches)
        self._ask, self._steady, self._changed = ask, steady, changed
        self._within: float | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, within: float | None = None) -> None:
        """Begin, with each somewhere in its interval; what was asked before goes on in its time.

        Args:
            within: in how many seconds all is to be known: it begins with all at once then, and asks as often as that takes.
                None where there is time.
        """
        now, self._within = self._steady(), within
        for index, watch in enumerate(self._watches):
            interval = watch.probe.check.interval
            if watch.due is None or not now <= watch.due <= now + interval:
                watch.due = now + (interval * (index * _GOLDEN % 1) if within is None else 0.0)
            watch.keeper = self
            name = f"check {watch.probe}"
            self._tasks.append(asyncio.create_task(self._keep(watch, watch.due), name=name))

    async def stop(self) -> None:
        """Ask no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _keep(self, watch: Watch, due: float) -> None:
        check = watch.probe.check
        interval = self._interval(check)
        while watch.keeper is self:
            await asyncio.sleep(max(due - self._steady(), 0.0))
            answer = await self._ask(watch.probe)
            now = self._steady()
            if watch.keeper is not self:
                return
            before, watch.tally = watch.tally, watch.tally.after(answer, check, now)
            # What was missed is not made up for: the next one is the next in its time.
            due = watch.due = due + interval * (1 + max(now - due, 0.0) // interval)
            if watch.tally.said is not before.said:
                self._changed(watch)

    def _interval(self, check: CheckSettings) -> float:
        """Return how often a check is asked, in seconds."""
        if self._within is None:
            return check.interval
        return max(min(check.interval, self._within / (max(check.rise, check.fall) + 1)), LEAST)
