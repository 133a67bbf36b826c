"""What is said and done when ExaBGP's neighbours list our process otherwise, or lack a family; in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from speaker.api import IntentOutcome
from speaker.backends.exabgp.neighbors import ConfiguredNeighbors
from speaker.backends.exabgp.sessions import Sessions
from speaker.reconcile import status
from speaker.reconcile.intents import apply_intent
from tests.support.fakes import virtual_time
from tests.support.fakes.exabgp import DIALECTS
from tests.support.fakes.site import INSIDE, NEIGHBORS, PEER, V4, running
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from speaker.api import PrefixStatus
    from tests.support.fakes.exabgp import Dialect
    from tests.support.fakes.site import Site

NOBODY = frozenset[str]()
LOST = f"neighbor {PEER} has it, and its api does not list this process"
dialects = pytest.mark.parametrize("dialect", DIALECTS)


def play(directory: Path, dialect: Dialect, scene: Callable[[Site], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, dialect=dialect, clock=clock) as site:
            await asyncio.sleep(60.0)
            assert str(V4) in site.table()
            await scene(site)

    virtual_time.run(main())


async def reload(site: Site, processes: frozenset[str], *peers: str) -> None:
    """Have ExaBGP's neighbours list other processes, and wait until that was read back."""
    for peer in peers:
        session = site.exabgp.daemon.sessions[peer]
        session.reload(replace(session.neighbor, processes=processes))
    await asyncio.sleep(40.0)


async def flap(site: Site, *peers: str) -> None:
    """Drop sessions and bring them up again."""
    for peer in peers:
        site.exabgp.down(peer)
    await asyncio.sleep(5.0)
    for peer in peers:
        site.exabgp.up(peer)
    await asyncio.sleep(40.0)


def shown(site: Site) -> PrefixStatus:
    """Return what `status` has of the prefix."""
    (route,) = status.routes(site.reconciler, [V4])
    return route


def alarms(site: Site) -> str:
    """Return what is wrong, in words."""
    return " | ".join(status.status(site.reconciler).trouble)


async def drain(site: Site) -> IntentOutcome:
    """Drain the prefix, as `vip_mgmt -d` has it done, and return what is reported."""
    (route,) = await apply_intent(
        site.reconciler, [V4], Intent(Mode.DRAINED, "test", 0.0), dry_run=False
    )
    assert isinstance(route, IntentOutcome)
    return route


@dialects
def test_no_neighbour_is_ours_any_more(tmp_path: Path, dialect: Dialect) -> None:
    """What peers have is unknown, not absent, and is named; the dead VIP goes as soon as that is possible."""

    async def scene(site: Site) -> None:
        await reload(site, NOBODY, PEER, INSIDE)
        await flap(site, PEER, INSIDE)  # 4.2 goes by the new configuration from here on
        assert shown(site).announced is None
        assert not shown(site).as_wanted
        assert "no neighbor of ExaBGP has this process" in alarms(site)
        assert f"neighbor {PEER} has 3 of our prefixes" in alarms(site)
        site.source.live[V4] = 0
        await asyncio.sleep(100.0)
        assert str(V4) in site.table()
        assert shown(site).announced is None
        assert shown(site).reason.endswith(f"; not done: {LOST}")
        assert "list it" not in shown(site).reason, "that is told once, as an alarm"
        drained = await drain(site)
        assert drained.announced is None
        assert not drained.as_wanted
        assert "list it" not in drained.reason
        assert "list it" in "".join(drained.trouble)
        await reload(site, frozenset({"speaker", "other"}), PEER, INSIDE)
        if dialect == 4:
            await flap(site, PEER, INSIDE)
        assert str(V4) not in site.table()
        assert str(V4) not in site.table(INSIDE)
        assert shown(site).announced is False
        assert shown(site).as_wanted
        assert alarms(site) == ""

    play(tmp_path, dialect, scene)


def test_42_still_takes_a_withdrawal(tmp_path: Path) -> None:
    """Until the session starts again 4.2 takes lines of a process that is not listed: a dead VIP is withdrawn."""

    async def scene(site: Site) -> None:
        await reload(site, NOBODY, PEER, INSIDE)
        site.source.live[V4] = 0
        await asyncio.sleep(5.0)
        assert str(V4) not in site.table()
        assert str(V4) not in site.table(INSIDE)
        assert shown(site).announced is False
        assert (await drain(site)).as_wanted

    play(tmp_path, 4, scene)


@dialects
def test_one_neighbour_is_ours_no_longer(tmp_path: Path, dialect: Dialect) -> None:
    """The other one is served; a drain is not done while the lost one has the route, and says who has it."""

    async def scene(site: Site) -> None:
        await reload(site, NOBODY, PEER)
        await flap(site, PEER)
        assert f"neighbor {PEER} has 3 of our prefixes" in alarms(site)
        assert shown(site).announced is True
        drained = await drain(site)
        assert str(V4) not in site.table(INSIDE)
        assert str(V4) in site.table()
        assert drained.announced is None
        assert not drained.as_wanted
        assert f"neighbor {PEER} has it" in drained.reason
        await reload(site, frozenset({"speaker"}), PEER)
        if dialect == 4:
            await flap(site, PEER)
        assert str(V4) not in site.table()
        assert shown(site).as_wanted

    play(tmp_path, dialect, scene)


@dialects
def test_refused_lines_are_few(tmp_path: Path, dialect: Dialect) -> None:
    """While ExaBGP refuses our lines, it gets few of them: it logs each."""

    async def scene(site: Site) -> None:
        await reload(site, NOBODY, PEER, INSIDE)
        await flap(site, PEER, INSIDE)
        site.source.live = dict.fromkeys(site.source.live, 0)
        await asyncio.sleep(60.0)
        site.exabgp.commands.clear()
        await asyncio.sleep(600.0)
        refused = [line for line in site.exabgp.commands if "withdraw" in line]
        assert 20 <= len(refused) <= 100, "each neighbour and family about every 30 s"

    play(tmp_path, dialect, scene)


MANY = [f"198.51.100.{n}" for n in range(250)]
VIPS = "\n".join(f'[vip."{a}.tld"]\naddresses = ["{a}"]' for a in MANY)


@pytest.mark.slow
@dialects
def test_drained_prefixes_are_not_withdrawn_all_the_time(tmp_path: Path, dialect: Dialect) -> None:
    """ExaBGP logs each prefix of a withdrawal: over hours there are few, and none for who lacks the family."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, more=VIPS, dialect=dialect, clock=clock) as site:
            # Of the first one ExaBGP tells when its session comes up; the second one's may have come up unnoticed.
            for session, near, family in zip(
                site.exabgp.daemon.sessions.values(), NEIGHBORS, (6, 4), strict=True
            ):
                session.neighbor = replace(near, families=frozenset({family}))
            site.source.live = dict.fromkeys(site.source.live, 0)
            await asyncio.sleep(100.0)
            site.exabgp.commands.clear()
            site.exabgp.daemon.log.clear()
            await asyncio.sleep(4 * 3600.0)
            withdrawn = [line for line in site.exabgp.commands if "withdraw" in line]
            often = sum(line.count("/32") for line in withdrawn) / (len(MANY) + 2)
            assert 3 <= often <= 5, "about every hour"
            assert site.exabgp.daemon.log == []
            await flap(site, PEER)
            assert any("withdraw" in line for line in site.exabgp.commands[-30:])
            assert site.exabgp.daemon.log == []

    virtual_time.run(main())


@dialects
def test_a_session_that_came_up_unnoticed(tmp_path: Path, dialect: Dialect) -> None:
    """Without neighbor-changes ExaBGP does not tell it; that a session is young is seen, and all is sent again."""

    async def scene(site: Site) -> None:
        await drain(site)
        await asyncio.sleep(200.0)
        site.exabgp.commands.clear()
        session = site.exabgp.daemon.sessions[PEER]
        session.drop()
        site.exabgp.daemon.establish(PEER)
        await asyncio.sleep(60.0)
        assert any(str(V4) in line for line in site.exabgp.commands if "withdraw" in line)
        assert "flush adj-rib out" in site.exabgp.commands

    play(tmp_path, dialect, scene)


def test_told_while_asked() -> None:
    """What ExaBGP tells of a session while it lists them all is newer than the list."""
    ends = NEIGHBORS[0].ends
    sessions = Sessions()
    sessions.ask()
    sessions.is_told(ends, 100.0, up=False)
    assert sessions.shown({ends: 50.0}, 100.0) == [ends]
    known = ConfiguredNeighbors(NEIGHBORS)
    assert sessions.of(known) == {NEIGHBORS[0]: False}
    sessions.ask()
    assert sessions.shown({ends: 51.0}, 101.0) == []
    assert sessions.of(known) == {NEIGHBORS[0]: True}
    sessions.is_told(ends, 150.0, up=True)
    sessions.ask()
    assert sessions.shown({ends: 10.0}, 161.0) == [], "it was told of"
    sessions.ask()
    assert sessions.shown({ends: 5.0}, 200.0) == [ends], "it came up between, and was not told of"
