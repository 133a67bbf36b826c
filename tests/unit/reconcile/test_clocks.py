"""The machine's clock is set: what waits goes by a clock that never is; drains and history hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from tests.support.fakes import virtual_time
from tests.support.fakes.site import V4, running
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.fakes.site import Site

HOUR = 3600.0
YEAR = 365 * 24 * HOUR
JUMPS = pytest.mark.parametrize("seconds", [-YEAR, -HOUR, -1.0, 1.0, HOUR, YEAR])


def play(directory: Path, scene: Callable[[Site, VirtualClock], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, more=HEALTH, clock=clock) as site:
            await asyncio.sleep(20.0)
            await scene(site, clock)

    virtual_time.run(main())


HEALTH = '[health]\nfall = "10s"\nrise = "10s"\n'


async def drain(site: Site, clock: VirtualClock, seconds: float | None) -> None:
    now = clock.wall()
    until = None if seconds is None else now + seconds
    await site.reconciler.operator.apply({V4: Intent(Mode.DRAINED, "alice", now, "", until)})


@JUMPS
def test_waits_do_not_go_by_it(tmp_path: Path, seconds: float) -> None:
    """`fall` and `rise` take the seconds that they say, wherever the clock is set meanwhile."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        site.source.live[V4] = 0
        await asyncio.sleep(5.0)
        clock.jump(seconds)
        await asyncio.sleep(3.0)
        assert str(V4) in site.table()
        await asyncio.sleep(4.0)
        assert str(V4) not in site.table()
        site.source.live[V4] = 2
        await asyncio.sleep(5.0)
        clock.jump(-seconds)
        await asyncio.sleep(3.0)
        assert str(V4) not in site.table()
        await asyncio.sleep(4.0)
        assert str(V4) in site.table()

    play(tmp_path, scene)


@JUMPS
def test_a_drain_without_an_end(tmp_path: Path, seconds: float) -> None:
    """It holds wherever the clock is set, over the watchdog's cycles."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        await drain(site, clock, None)
        clock.jump(seconds)
        await asyncio.sleep(60.0)
        assert str(V4) not in site.table()

    play(tmp_path, scene)


@JUMPS
def test_a_drain_with_an_end(tmp_path: Path, seconds: float) -> None:
    """It ends at the time of day that it was given: a clock set forth past that ends it, one set back does not."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        await drain(site, clock, 2 * HOUR)
        end = clock.wall() + 2 * HOUR
        clock.jump(seconds)
        await asyncio.sleep(30.0)
        assert (str(V4) in site.table()) is (clock.wall() >= end)
        clock.jump(end - clock.wall())
        await asyncio.sleep(30.0)
        assert str(V4) in site.table()

    play(tmp_path, scene)


def test_the_end_of_a_drain_is_told(tmp_path: Path) -> None:
    """History has a line for the end of `--for`, at its time, and why the VIP is announced again."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        await drain(site, clock, 600.0)
        end = clock.wall() + 600.0
        await asyncio.sleep(660.0)
        assert str(V4) in site.table()
        done = site.store.history([V4])[-4:]
        assert [entry.event for entry in done] == ["drained", "withdrawn", "expired", "announced"]
        assert done[2].time == pytest.approx(end)
        assert done[2].reason.startswith("drained by alice at ")

    play(tmp_path, scene)


@JUMPS
def test_history(tmp_path: Path, seconds: float) -> None:
    """What was done later stands later, whatever the clock said."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        await drain(site, clock, None)
        await asyncio.sleep(10.0)
        clock.jump(seconds)
        await site.reconciler.operator.apply({V4: Intent(Mode.AUTO, "bob", clock.wall())})
        await asyncio.sleep(10.0)
        done = [entry.event for entry in site.store.history([V4])]
        assert done[-4:] == ["drained", "withdrawn", "auto", "announced"]

    play(tmp_path, scene)
