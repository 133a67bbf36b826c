"""When End-of-RIB goes out, where the configuration leaves that to us; in virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from speaker.reconcile.intents import apply_intent
from tests.support.fakes import virtual_time
from tests.support.fakes.exabgp import DIALECTS
from tests.support.fakes.site import INSIDE, PEER, SECOND, V4, V6, Life, running
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from policy.route import Prefix
    from tests.support.fakes.exabgp import Daemon, Dialect
    from tests.support.fakes.site import Site

dialects = pytest.mark.parametrize("dialect", DIALECTS)
ALL = frozenset({V4, V6, SECOND})
FAMILIES = ["ipv4 unicast", "ipv6 unicast"]
A_WHILE = 60.0


def manual(daemon: Daemon) -> None:
    """Have the first neighbour's End-of-RIB left to a process."""
    session = daemon.sessions[PEER]
    session.neighbor = replace(session.neighbor, manual_eor=True)


def play(directory: Path, dialect: Dialect, scene: Callable[[Site], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, dialect=dialect, clock=clock, other=manual) as site:
            await asyncio.sleep(A_WHILE)
            await scene(site)

    virtual_time.run(main())


def ends(site: Site) -> list[tuple[str, frozenset[Prefix]]]:
    """Return each End-of-RIB since this was asked: its family, and what had been sent before it."""
    sent = site.exabgp.daemon.sessions[PEER].ends
    found = [*sent]
    sent.clear()
    return found


async def flap(site: Site) -> None:
    site.exabgp.down(PEER)
    await asyncio.sleep(5.0)
    site.exabgp.up(PEER)
    await asyncio.sleep(A_WHILE)


@dialects
def test_behind_all_that_is_wanted_once_for_each_session(tmp_path: Path, dialect: Dialect) -> None:
    """Each time a session comes up it is sent one for each family, when it has all that is wanted, and no more."""

    async def scene(site: Site) -> None:
        assert ends(site) == [(family, ALL) for family in FAMILIES]
        await asyncio.sleep(A_WHILE)
        assert not ends(site)
        await flap(site)
        assert ends(site) == [(family, ALL) for family in FAMILIES]
        assert not site.exabgp.daemon.sessions[INSIDE].ends, "ExaBGP sends it there"

    play(tmp_path, dialect, scene)


@dialects
def test_a_session_that_ends_while_it_is_asked_for(tmp_path: Path, dialect: Dialect) -> None:
    """What the session before was sent is not what the next one needs."""

    async def scene(site: Site) -> None:
        site.exabgp.down(PEER)
        await asyncio.sleep(5.0)
        site.exabgp.commands.clear()
        site.exabgp.up(PEER)
        while not any(  # noqa: ASYNC110 - the fake ExaBGP, in virtual time
            line.endswith("announce eor ipv4 unicast") for line in site.exabgp.commands
        ):
            await asyncio.sleep(0.0001)
        site.exabgp.down(PEER)
        site.exabgp.up(PEER)
        before = len(site.exabgp.commands)
        await asyncio.sleep(A_WHILE)
        asked = [line for line in site.exabgp.commands[before:] if " announce eor " in line]
        assert [" ".join(line.split()[-2:]) for line in asked][-2:] == FAMILIES

    play(tmp_path, dialect, scene)


@dialects
def test_a_session_that_came_up_unnoticed(tmp_path: Path, dialect: Dialect) -> None:
    """Of one that ExaBGP does not tell of it is seen when it is read back."""

    async def scene(site: Site) -> None:
        ends(site)
        site.exabgp.daemon.drop(PEER)
        await asyncio.sleep(5.0)
        site.exabgp.daemon.establish(PEER)
        await asyncio.sleep(A_WHILE)
        assert ends(site) == [(family, ALL) for family in FAMILIES]

    play(tmp_path, dialect, scene)


@dialects
def test_the_watchdog_is_killed(tmp_path: Path, dialect: Dialect) -> None:
    """Its successor does not know what was sent, and has it sent again, behind all that is wanted."""

    async def scene(site: Site) -> None:
        ends(site)
        await site.life.kill()
        loaded, path = site.reconciler.config, site.reconciler.config.settings.state
        clock = VirtualClock(asyncio.get_running_loop())
        site.life = Life(site.exabgp, loaded, site.source, clock, path)
        site.life.listen()
        site.life.watch()
        await asyncio.sleep(A_WHILE)
        assert ends(site) == [(family, ALL) for family in FAMILIES]

    play(tmp_path, dialect, scene)


@dialects
def test_what_is_drained_or_dead_is_not_before_it(tmp_path: Path, dialect: Dialect) -> None:
    """A prefix that is drained, or whose realservers are gone, is not among what comes before it."""

    async def scene(site: Site) -> None:
        drain = Intent(Mode.DRAINED, "test", 0.0)
        await apply_intent(site.reconciler, [V4], drain, dry_run=False)
        site.source.live[SECOND] = 0
        await asyncio.sleep(A_WHILE)
        ends(site)
        await flap(site)
        assert {had for _, had in ends(site)} == {frozenset({V6})}

    play(tmp_path, dialect, scene)


@dialects
def test_not_while_intents_are_unknown(tmp_path: Path, dialect: Dialect) -> None:
    """While the state file can't be read at a start, nothing is announced, and no end of it is said."""

    async def scene(site: Site) -> None:
        await site.life.kill()
        site.exabgp.down(PEER)
        ends(site)
        loaded, path = site.reconciler.config, site.reconciler.config.settings.state
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            clock = VirtualClock(asyncio.get_running_loop())
            site.life = Life(site.exabgp, loaded, site.source, clock, path)
            site.life.listen()
            site.life.watch()
            site.exabgp.up(PEER)
            await asyncio.sleep(A_WHILE)
            assert not ends(site)
            other.execute("ROLLBACK")
        await asyncio.sleep(A_WHILE)
        assert ends(site) == [(family, ALL) for family in FAMILIES]
        await site.life.kill()

    play(tmp_path, dialect, scene)


@dialects
def test_what_is_refused_holds_it_back_for_a_while_only(tmp_path: Path, dialect: Dialect) -> None:
    """A route that ExaBGP refuses again and again does not keep dead ones at the router for ever."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())

        def other(daemon: Daemon) -> None:
            manual(daemon)
            daemon.refused = str(SECOND)

        async with running(tmp_path, dialect=dialect, clock=clock, other=other) as site:
            await asyncio.sleep(2.0)
            assert not ends(site), "it may well be taken the next time"
            await asyncio.sleep(A_WHILE)
            assert ends(site) == [(family, frozenset({V4, V6})) for family in FAMILIES]

    virtual_time.run(main())
