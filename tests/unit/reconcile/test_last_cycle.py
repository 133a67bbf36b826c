"""What is said of a watchdog that looks at nothing any more."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any

import pytest

from speaker.cli.status_rows import Attention, head
from speaker.cli.tables import status_table
from speaker.errors import SpeakerError
from speaker.reconcile import status
from speaker.supervision.pulse import SHORTEST
from tests.support.fakes.site import running
from tests.support.fakes.virtual_time import VirtualClock, run

if TYPE_CHECKING:
    from pathlib import Path

    from policy.health import Observation


class Hanging:
    """A source of health whose look does not end."""

    async def observe(self) -> Observation:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None: ...


class Failing:
    """A source of health with a fault."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    async def observe(self) -> Observation:
        raise self._fault

    async def close(self) -> None: ...


def test_old(tmp_path: Path) -> None:
    """Once cycles stand still, status says for how long; nothing is `up`, nor as wanted, and that ends with it."""

    async def main() -> tuple[Any, ...]:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            await asyncio.sleep(5)
            fresh = status.status(site.reconciler)
            healthy, site.reconciler.source = site.reconciler.source, Hanging()
            await asyncio.sleep(10 * 1.0 + SHORTEST)
            old = status.status(site.reconciler)
            still = site.reconciler.pulse.still(1.0, 3)
            await asyncio.sleep(100)
            still_later = site.reconciler.pulse.still(1.0, 3)
            site.life.tasks.pop().cancel()
            site.reconciler.source = healthy
            site.life.watch()
            await asyncio.sleep(1)
            return fresh, old, status.status(site.reconciler), still, still_later

    fresh, old, again, still, still_later = run(main())
    for answer in (fresh, again):
        assert answer.last_cycle <= 1
        assert answer.trouble == ()
        assert {(each.health, each.as_wanted) for each in answer.routes} == {("up", True)}
    assert 10 < old.last_cycle < 20
    assert old.trouble == (f"cycle: none completed for {old.last_cycle:.0f} s",)
    assert {(each.health, each.as_wanted) for each in old.routes} == {("unknown", False)}
    assert {each.announced for each in old.routes} == {True}  # which is still so
    assert f"TROUBLE: {old.trouble[0]}" in status_table(old)
    assert (still, still_later > 100) == (None, True)


@pytest.mark.parametrize(
    ("fault", "is_still"),
    [
        (ZeroDivisionError(), True),
        (OSError(errno.EAGAIN, "no thread"), False),
        (SpeakerError("x"), False),
    ],
)
def test_faults(tmp_path: Path, fault: Exception, *, is_still: bool) -> None:
    """Cycles that fail complete nothing, which status says.

    Where nobody has foreseen why, that is a standstill too: a new process may do better. Without
    threads or descriptors none would start, so the old one is better than none.
    """

    async def main() -> tuple[Any, ...]:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            await asyncio.sleep(5)
            healthy, site.reconciler.source = site.reconciler.source, Failing(fault)
            await asyncio.sleep(200)
            answer, still = status.status(site.reconciler), site.reconciler.pulse.still(1.0, 3)
            site.reconciler.source = healthy
            await asyncio.sleep(3)
            return answer, still, site.reconciler.pulse.still(1.0, 3)

    answer, still, later = run(main())
    assert answer.last_cycle > 190
    old, failed = answer.trouble
    assert old == f"cycle: none completed for {answer.last_cycle:.0f} s"
    assert failed.startswith("cycle: ")
    assert (still is not None) is is_still
    assert later is None


def test_the_first(tmp_path: Path) -> None:
    """Until the first cycle of those that run by themselves has ended, status says so; then no more."""

    async def main() -> tuple[Any, ...]:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock, cycles=False) as site:
            healthy, site.reconciler.source = site.reconciler.source, Hanging()
            none = status.status(site.reconciler)
            site.life.watch()
            await asyncio.sleep(2)
            first = status.status(site.reconciler)
            site.life.tasks.pop().cancel()
            site.reconciler.source = healthy
            site.life.watch()
            await asyncio.sleep(2)
            return none, first, status.status(site.reconciler)

    none, first, later = run(main())
    assert (none.starting, none.last_cycle) == ("", None)  # nobody looks by itself
    said = "the first cycle has not ended, 2 s after the start: little is known yet"
    assert (first.starting, first.trouble) == (said, ())
    assert f"STARTING: {said}" in status_table(first)
    assert (Attention.UNKNOWN, f"STARTING: {said}") in head(first)
    assert Attention.WRONG not in dict(head(first))
    assert (later.starting, later.trouble) == ("", ())
