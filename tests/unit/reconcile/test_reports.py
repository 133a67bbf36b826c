"""Reports under a watchdog, in virtual time: what the peer has by them, until they expire, over restarts and clocks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from policy.intent import Mode
from policy.report import AppReport, ReportState
from speaker import config
from speaker.control.reports import ReportRecorder
from speaker.reconcile import status
from speaker.reconcile.report_ends import note_ends
from speaker.state.reports import Given
from speaker.state.store import StoreError
from tests.support.fakes import virtual_time
from tests.support.fakes.site import SECOND, V4, running, write_config
from tests.support.fakes.virtual_time import VirtualClock
from tests.unit.reconcile.test_recording import unwritable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.fakes.site import Site

RULE = """rule = { all = ["ipvs", "report/shop"] }
[report.shop]
drain = true
"""
DEAD = RULE + 'expired = "down"\n'
TWO = DEAD + "[report.db]\n"


def play(
    directory: Path, scene: Callable[[Site, VirtualClock], Awaitable[None]], more: str = RULE
) -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, clock=clock, more=more) as site:
            await scene(site, clock)

    virtual_time.run(main())


def report(
    site: Site, clock: VirtualClock, state: str, ttl: float, reason: str = "", *, wake: bool = True
) -> None:
    """Report, as the API does."""
    said = AppReport(ReportState(state), "app", clock.wall(), ttl, reason)
    site.store.report([("shop", Given(said, (SECOND,) if state == "drain" else ()))])
    if wake:
        site.reconciler.wake()


def why(site: Site) -> str:
    """Return what status has as the reason for the prefix."""
    (told,) = (r for r in status.status(site.reconciler).routes if r.prefix == str(SECOND))
    return told.reason


def test_down_and_up(tmp_path: Path) -> None:
    """The peer loses what is reported down, and only that; and has it again when it is up."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "up", 300)
        await asyncio.sleep(5)
        assert {str(V4), str(SECOND)} <= site.table()
        report(site, clock, "down", 300, "disk full")
        await asyncio.sleep(1)
        assert str(SECOND) not in site.table()
        assert str(V4) in site.table()
        assert "report/shop is down (by app: disk full)" in why(site)
        report(site, clock, "up", 300)
        await asyncio.sleep(5)
        assert str(SECOND) in site.table()

    play(tmp_path, scene)


def test_expires(tmp_path: Path) -> None:
    """What expired is unknown, and holds what is announced; a report of down that expired lets nothing back by itself."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "up", 30)
        await asyncio.sleep(60)
        assert str(SECOND) in site.table()
        assert "expired at" in why(site)
        report(site, clock, "down", 30)
        await asyncio.sleep(60)
        assert str(SECOND) not in site.table()
        assert "expired at" in why(site)

    play(tmp_path, scene)


def test_expires_to_down(tmp_path: Path) -> None:
    """Where `expired` is down, the peer loses it when the report ends, and not before; a renewal keeps it."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "up", 30)
        await asyncio.sleep(25)
        report(site, clock, "up", 30, wake=False)
        await asyncio.sleep(25)
        assert str(SECOND) in site.table()
        await asyncio.sleep(4.9)
        assert str(SECOND) in site.table()
        await asyncio.sleep(0.4)
        assert str(SECOND) not in site.table()

    play(tmp_path, scene, DEAD)


def test_silence_while_nobody_can_report(tmp_path: Path) -> None:
    """What expires while reports can't be taken is not down; it is once there was as long again to report, and nothing came."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        hindered = site.reconciler.durable.intents.hindered
        report(site, clock, "up", 30)
        await asyncio.sleep(10)
        hindered.add("the port is taken")
        await asyncio.sleep(300)
        assert "report/shop is unknown (expired at" in why(site)
        assert str(SECOND) in site.table()
        hindered.clear()
        await asyncio.sleep(25)
        assert str(SECOND) in site.table()
        await asyncio.sleep(6.5)
        assert str(SECOND) not in site.table()

    play(tmp_path, scene, DEAD)


def test_silence_after_a_report_that_could_not_be_recorded(tmp_path: Path) -> None:
    """Who could not report has as long again to do so; who never tries again is silent from then on, and that counts."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        durable = site.reconciler.durable
        recorder = ReportRecorder(site.store, durable.intents.hindered)
        report(site, clock, "up", 30)
        await asyncio.sleep(25)
        with unwritable(site), pytest.raises(StoreError):
            await recorder.record("shop", Given(AppReport(ReportState.UP, "app", clock.wall(), 30)))
        await asyncio.sleep(25)
        assert "report/shop is unknown (expired at" in why(site)
        assert str(SECOND) in site.table()
        await asyncio.sleep(20)
        assert str(SECOND) not in site.table()

    play(tmp_path, scene, DEAD)


def test_never_reported(tmp_path: Path) -> None:
    """Nothing that was never reported takes anything from a peer, not even where `expired` is down."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        site.reconciler.wake()
        await asyncio.sleep(60)
        assert "nothing was reported" in why(site)
        assert clock.wall()

    play(tmp_path, scene, DEAD)


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_the_clock_is_set(tmp_path: Path, jump: float) -> None:
    """A clock that is set ends no report, and keeps none."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "up", 30)
        await asyncio.sleep(5)
        clock.jump(jump)
        await asyncio.sleep(20)
        assert "expired" not in why(site)
        assert str(SECOND) in site.table()
        await asyncio.sleep(10)
        assert str(SECOND) not in site.table()

    play(tmp_path, scene, DEAD)


@pytest.mark.parametrize("what", ["another report", "reload"])
def test_the_clock_is_set_ahead_and_reports_are_read_again(tmp_path: Path, what: str) -> None:
    """Whatever has reports read again after the clock was set ahead: what is known of a report's end stays so."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "up", 300)
        await asyncio.sleep(5)
        clock.jump(3600.0)
        if what == "reload":
            loaded = config.load(write_config(tmp_path, more=TWO), {})
            await site.reconciler.configure(loaded, site.source, site.life.configure)
        else:
            other = AppReport(ReportState.UP, "db", clock.wall(), 300)
            site.store.report([("db", Given(other))])
            site.reconciler.wake()
        await asyncio.sleep(200)
        assert "expired" not in why(site)
        assert str(SECOND) in site.table()
        await asyncio.sleep(100)
        assert str(SECOND) not in site.table()

    play(tmp_path, scene, TWO)


@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_an_end_is_told_once(tmp_path: Path, jump: float) -> None:
    """History has that a report expired: once, whatever the clock was set to; and then it holds no more, over a restart too."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "up", 30, "ready")
        await asyncio.sleep(5)
        clock.jump(jump)
        await note_ends(site.reconciler)
        assert ends(site) == []
        await asyncio.sleep(30)
        for _ in range(3):
            await note_ends(site.reconciler)
            await asyncio.sleep(2)
        (told,) = ends(site)
        assert told.endswith("; was up by app: ready")

    play(tmp_path, scene)

    async def again(site: Site, clock: VirtualClock) -> None:
        clock.jump(-86400.0)
        await asyncio.sleep(2)
        assert "expired at" in why(site)
        await note_ends(site.reconciler)
        assert len(ends(site)) == 1

    play(tmp_path, again)


def ends(site: Site) -> list[str]:
    """Return what history has of reports that expired."""
    return [each.reason for each in site.store.history(()) if each.event == "expired"]


def test_outlives_a_restart(tmp_path: Path) -> None:
    """A watchdog that starts knows what was reported before, for what is left of its time."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "down", 100)
        await asyncio.sleep(5)
        assert str(SECOND) not in site.table()

    play(tmp_path, scene)

    async def again(site: Site, clock: VirtualClock) -> None:
        await asyncio.sleep(2)
        assert clock.wall()
        assert "report/shop is down (by app)" in why(site)
        assert str(SECOND) not in site.table()

    play(tmp_path, again)


def test_a_drain(tmp_path: Path) -> None:
    """`drain` begins a soft drain of what the rule is of; `up` ends it softly."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "up", 300)
        await asyncio.sleep(5)
        report(site, clock, "drain", 2000, "deploy")
        await asyncio.sleep(2)
        assert str(SECOND) in site.table()
        assert site.store.intents().of[SECOND].mode is Mode.DRAINING
        assert V4 not in site.store.intents().of
        await asyncio.sleep(1000)
        assert site.store.intents().of[SECOND].mode is Mode.DRAINED
        assert str(SECOND) not in site.table()
        report(site, clock, "up", 300)
        await asyncio.sleep(2)
        assert str(SECOND) in site.table()
        assert site.store.intents().of[SECOND].mode is Mode.RETURNING
        report(site, clock, "drain", 2000, "deploy again")
        await asyncio.sleep(1000)
        assert str(SECOND) not in site.table()

    play(tmp_path, scene)


def test_while_nothing_changes(tmp_path: Path) -> None:
    """While no report changes, nothing is decided again: renewals cost no decision."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "up", 30)
        await asyncio.sleep(10)
        before = site.reconciler.assessment
        for _ in range(20):
            report(site, clock, "up", 30)
            await asyncio.sleep(1)
        assert site.reconciler.assessment is before

    play(tmp_path, scene)


def test_reload(tmp_path: Path) -> None:
    """A rule that names no report any more does without it, at once."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "down", 300)
        await asyncio.sleep(5)
        assert str(SECOND) not in site.table()
        loaded = config.load(write_config(tmp_path), {})
        await site.reconciler.configure(loaded, site.source, site.life.configure)
        await asyncio.sleep(5)
        assert str(SECOND) in site.table()

    play(tmp_path, scene)


def test_a_drain_that_is_not_renewed(tmp_path: Path) -> None:
    """Where the application falls silent, the drain ends with its `ttl`, and the VIP comes back softly; a new one drains again."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        report(site, clock, "up", 300)
        await asyncio.sleep(5)
        report(site, clock, "drain", 100, "deploy")
        await asyncio.sleep(95)
        assert "draining by report/shop" in why(site) or "drained by report/shop" in why(site)
        await asyncio.sleep(10)
        assert "returning by report/shop" in why(site)
        report(site, clock, "drain", 100, "deploy")
        await asyncio.sleep(2)
        assert "draining by report/shop" in why(site)
        await asyncio.sleep(165)
        report(site, clock, "up", 300)
        await asyncio.sleep(65)
        assert "report/shop (app)" not in why(site)
        assert str(SECOND) in site.table()

    play(tmp_path, scene)


SHARED = """rule = { share_up = "50%", of = ["report/shop", "report/db"] }
[report.shop]
[report.db]
"""


def test_a_weight(tmp_path: Path) -> None:
    """Where a rule wants a share, a report that is up counts by its weight, and the reason has it."""

    async def scene(site: Site, clock: VirtualClock) -> None:
        def says(state: str, weight: float = 1.0) -> AppReport:
            return AppReport(ReportState(state), "app", clock.wall(), 300, weight=weight)

        site.store.report([("shop", Given(says("up"))), ("db", Given(says("down")))])
        site.reconciler.wake()
        await asyncio.sleep(5)
        assert str(SECOND) in site.table()
        site.store.report([("shop", Given(says("up", 0.9)))])
        site.reconciler.wake()
        await asyncio.sleep(1)
        assert str(SECOND) not in site.table()
        assert "(0.9 of it, by app) and report/db is down (by app), and 0.5 of 2 must be" in why(
            site
        )
        site.store.report([("db", Given(says("up", 0.1)))])
        site.reconciler.wake()
        await asyncio.sleep(5)
        assert str(SECOND) in site.table()

    play(tmp_path, scene, SHARED)
