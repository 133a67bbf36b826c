"""What is said of a watchdog that looks at nothing any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from speaker.cli.tables import status_table
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
    """A source of health with a fault that nobody has foreseen."""

    async def observe(self) -> Observation:
        raise ZeroDivisionError

    async def close(self) -> None: ...


def test_old(tmp_path: Path) -> None:
    """Once cycles stand still, status says for how long; nothing is `up`, nor as wanted, and that ends with it."""

    async def main() -> tuple[Any, ...]:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            await asyncio.sleep(5)
            fresh = status.status(site.watchdog)
            healthy, site.watchdog.source = site.watchdog.source, Hanging()
            await asyncio.sleep(10 * 1.0 + SHORTEST)
            old = status.status(site.watchdog)
            still = site.watchdog.pulse.still(1.0, 3)
            await asyncio.sleep(100)
            still_later = site.watchdog.pulse.still(1.0, 3)
            site.life.tasks.pop().cancel()
            site.watchdog.source = healthy
            site.life.watch()
            await asyncio.sleep(1)
            return fresh, old, status.status(site.watchdog), still, still_later

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


def test_faults_are_no_standstill(tmp_path: Path) -> None:
    """Cycles that fail complete nothing, which status says; but they move, and ending would not help."""

    async def main() -> tuple[Any, float | None]:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            await asyncio.sleep(5)
            site.watchdog.source = Failing()
            await asyncio.sleep(200)
            return status.status(site.watchdog), site.watchdog.pulse.still(1.0, 3)

    answer, still = run(main())
    assert answer.last_cycle > 190
    assert answer.trouble == (
        f"cycle: none completed for {answer.last_cycle:.0f} s",
        "cycle: ZeroDivisionError: ; the next one tries again",
    )
    assert still is None
