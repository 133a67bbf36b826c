"""Planned drains under a watchdog, in virtual time: begun at their time, ended at theirs, or missed and told of."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.window import LATE, Window
from speaker.reconcile import status
from speaker.reconcile.windows import run_windows
from tests.support.fakes import virtual_time
from tests.support.fakes.runs import FIRST, Runs
from tests.support.fakes.site import V4, V6, running
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.fakes.site import Site

HOUR = 3600.0
YEAR = 365 * 24 * HOUR


def play(directory: Path, scene: Callable[[Site, VirtualClock], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, clock=clock) as site:
            task = asyncio.create_task(run_windows(site.reconciler))
            try:
                await asyncio.sleep(20.0)
                await scene(site, clock)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    virtual_time.run(main())


def plan(site: Site, clock: VirtualClock, after: float, seconds: float | None = None) -> Window:
    """Plan a drain of a prefix, as another process does."""
    now = clock.wall()
    window = Window(0, frozenset({V4}), Mode.DRAINED, "alice", now, now + after, "", seconds)
    return site.store.schedule(window)


def missed(site: Site) -> str:
    """Return what `status` has of windows that were missed."""
    return " | ".join(t for t in status.status(site.reconciler).trouble if t.startswith("windows"))


def test_begins_and_ends(tmp_path: Path) -> None:
    """It is shown before; the peer loses the prefix at its time, and not before, and has it again at its end."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        window = plan(site, clock, 60.0, 120.0)
        await asyncio.sleep(58.0)
        (route, other) = status.routes(site.reconciler, [V4, V6])
        assert route.planned == str(window)
        assert route.reason.endswith(f"; planned: {window}")
        assert (other.planned, str(V4) in site.table()) == ("", True)
        await asyncio.sleep(3.0)
        (route,) = status.routes(site.reconciler, [V4])
        assert (route.intent, route.planned, str(V4) in site.table()) == ("drained", "", False)
        assert not missed(site)
        await asyncio.sleep(120.0)
        assert str(V4) in site.table()
        await site.reconciler.record()
        events = [entry.event for entry in site.store.history([V4])]
        assert [e for e in events if e != "announced"] == [
            *("scheduled", "started", "drained", "withdrawn", "expired")
        ]

    play(tmp_path, scene)


@pytest.mark.parametrize("jump", [HOUR, YEAR])
def test_the_clock_is_set_beyond_it(tmp_path: Path, jump: float) -> None:
    """What nothing ran for in time is not begun late: that is an alarm until somebody says that he has seen it."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        plan(site, clock, 60.0)
        await asyncio.sleep(5.0)
        clock.jump(jump)
        await asyncio.sleep(5.0)
        assert str(V4) in site.table()
        assert "window 1 of alice was missed: 192.0.2.1/32 was to be drained from " in missed(site)
        clock.jump(-jump)
        await asyncio.sleep(120.0)
        assert str(V4) in site.table()
        site.store.cancel(1, "alice", clock.wall())
        await asyncio.sleep(5.0)
        assert not missed(site)

    play(tmp_path, scene)


@pytest.mark.parametrize("jump", [-300.0, 55.0, LATE])
def test_the_clock_is_set(tmp_path: Path, jump: float) -> None:
    """It begins when the clock that people live by says so, within `late` of it, wherever that was set meanwhile; once."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        window = plan(site, clock, 60.0)
        await asyncio.sleep(5.0)
        clock.jump(jump)
        while (left := window.at - clock.wall()) > 0:
            assert str(V4) in site.table()
            await asyncio.sleep(min(left, 50.0))
        await asyncio.sleep(5.0)
        assert str(V4) not in site.table()
        now = clock.wall()
        await site.reconciler.operator.apply({V4: Intent(Mode.AUTO, "bob", now)})
        clock.jump(window.at - now)
        await asyncio.sleep(30.0)
        assert str(V4) in site.table(), "it does not begin again"

    play(tmp_path, scene)


def test_the_state_file_is_held(tmp_path: Path) -> None:
    """While it can't be written nothing begins, which is an alarm; it begins as soon as it can, if that is in time."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        plan(site, clock, 10.0)
        await asyncio.sleep(5.0)
        path = site.reconciler.config.settings.state
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(30.0)
            assert str(V4) in site.table()
            assert "can't begin: drained from " in missed(site)
            other.execute("ROLLBACK")
        await asyncio.sleep(5.0)
        assert str(V4) not in site.table()
        assert not missed(site)

    play(tmp_path, scene)


def test_a_pass_of_cron(tmp_path: Path) -> None:
    """Where no daemon runs, the pass that comes next begins it."""

    async def free(_: str, __: str) -> None:
        pass

    async def main() -> None:
        runs = Runs(tmp_path, free)
        assert await runs.run_pass()
        store = runs.stores[0]
        now = runs.clock.wall()
        store.schedule(Window(0, frozenset({FIRST}), Mode.DRAINED, "alice", now, now + 90))
        await asyncio.sleep(60.0)
        assert await runs.run_pass()
        assert FIRST in runs.bgpd.networks
        await asyncio.sleep(60.0)
        assert await runs.run_pass()
        assert FIRST not in runs.bgpd.networks
        for each in runs.stores:
            each.close()

    virtual_time.run(main())
