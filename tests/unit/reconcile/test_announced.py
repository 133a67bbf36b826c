"""What is told and recorded of announcements while sessions come and go, over the fake ExaBGP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from policy.intent import Intent, Mode
from speaker.api import IntentOutcome
from speaker.reconcile import status
from speaker.reconcile.intents import apply_intent
from tests.support.fakes.site import INSIDE, PEER, V4, Site, running
from tests.support.fakes.virtual_time import VirtualClock, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from speaker.api import PrefixStatus

WHO = "alice"


def over_a_site(directory: Path, what: Callable[[Site], Awaitable[None]]) -> None:
    """Do something over a site at rest, in virtual time."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, clock=clock) as site:
            await asyncio.sleep(12)
            await what(site)

    run(main())


async def wish(site: Site, mode: Mode, *, dry_run: bool = False) -> IntentOutcome:
    intent = Intent(mode, WHO, 0.0)
    (route,) = await apply_intent(site.reconciler, [V4], intent, dry_run=dry_run)
    assert isinstance(route, IntentOutcome)
    return route


def route(site: Site) -> PrefixStatus:
    (found,) = status.routes(site.reconciler, [V4])
    return found


async def down(site: Site, *peers: str) -> None:
    for peer in peers:
        site.exabgp.down(peer)
    await asyncio.sleep(0.5)


def test_sessions_go_and_come(tmp_path: Path) -> None:
    """What is told follows the sessions; what ExaBGP is asked for does not: nothing is asked in a loop."""

    async def what(site: Site) -> None:
        assert (route(site).announced, route(site).as_wanted) == (True, True)
        await down(site, PEER)
        assert route(site).peers == {PEER: False, INSIDE: True}
        assert (route(site).announced, route(site).as_wanted) == (True, True)
        await down(site, INSIDE)
        asked = len([line for line in site.exabgp.commands if "announce" in line])
        await asyncio.sleep(600)
        assert (route(site).announced, route(site).as_wanted) == (False, False)
        assert route(site).lack == "no session is up"
        assert len([line for line in site.exabgp.commands if "announce" in line]) == asked
        for peer in (PEER, INSIDE):
            site.exabgp.up(peer)
        await asyncio.sleep(2)
        assert route(site).peers == {PEER: True, INSIDE: True}
        assert route(site).as_wanted

    over_a_site(tmp_path, what)


def test_a_wish_without_a_session(tmp_path: Path) -> None:
    """A drain is done: nobody has it. What is restored is recorded, and waits for a session."""

    async def what(site: Site) -> None:
        await down(site, PEER, INSIDE)
        for dry_run in (True, False):
            drained = await wish(site, Mode.DRAINED, dry_run=dry_run)
            assert (drained.before, drained.announced) == (False, False)
            assert drained.as_wanted
        for dry_run in (True, False):
            restored = await wish(site, Mode.AUTO, dry_run=dry_run)
            assert (restored.announced, restored.as_wanted) == (False, False)
            assert restored.lack == "no session is up"
        *_, last = site.store.history([V4])
        assert (last.event, last.reason) == (
            "waiting",
            "up: 2 realservers; no session was sent it yet",
        )
        site.exabgp.up(PEER)
        await asyncio.sleep(2)
        await site.reconciler.record()
        *_, waited, last = site.store.history([V4])
        assert (waited.event, last.event, last.reason) == (
            "waiting",
            "announced",
            "up: 2 realservers",
        )
        # It was told. That a session goes and comes is no news of each prefix.
        known = site.store.history([])
        await down(site, PEER)
        await asyncio.sleep(60)
        site.exabgp.up(PEER)
        await asyncio.sleep(60)
        assert site.store.history([]) == known

    over_a_site(tmp_path, what)


def test_a_wish_while_a_session_is_busy_for_a_moment(tmp_path: Path) -> None:
    """It is answered once that session was sent it."""

    async def what(site: Site) -> None:
        for mode in (Mode.DRAINED, Mode.AUTO):
            site.exabgp.busy(PEER, 0.5)
            assert (await wish(site, mode)).as_wanted
            await asyncio.sleep(15)

    over_a_site(tmp_path, what)


async def last_event(site: Site) -> str:
    """Return what history has last of V4."""
    await site.reconciler.record()
    return site.store.history([V4])[-1].event


def test_a_wish_while_a_session_is_busy(tmp_path: Path) -> None:
    """Who has it still is named, and who has it not yet; the other session is enough to be announced."""

    async def what(site: Site) -> None:
        site.exabgp.daemon.is_busy(PEER, busy=True)
        drained = await wish(site, Mode.DRAINED)
        assert (drained.announced, drained.lack) == (True, f"still sent to {PEER}")
        assert not drained.as_wanted
        await asyncio.sleep(60)
        assert await last_event(site) == "drained", "it is not withdrawn: a session has it"
        site.exabgp.daemon.is_busy(PEER, busy=False)
        await asyncio.sleep(2)
        assert route(site).as_wanted
        assert await last_event(site) == "withdrawn"
        site.exabgp.daemon.is_busy(PEER, busy=True)
        restored = await wish(site, Mode.AUTO)
        assert (restored.announced, restored.lack) == (True, f"not sent to {PEER}")
        site.exabgp.daemon.is_busy(PEER, busy=False)
        await asyncio.sleep(1)
        assert route(site).as_wanted
        *_, last = site.store.history([V4])
        assert (last.event, "no session" in last.reason) == ("announced", False)

    over_a_site(tmp_path, what)


def test_a_wish_while_it_is_not_known_who_was_sent_it(tmp_path: Path) -> None:
    """What is not known is neither said to be sent nor to be not, and no withdrawal of it is said to be done."""

    async def what(site: Site) -> None:
        await down(site, INSIDE)
        site.exabgp.daemon.is_busy(PEER, busy=True)
        site.exabgp.say(["{"])
        await asyncio.sleep(1)
        drained = await wish(site, Mode.DRAINED)
        assert (drained.announced, drained.as_wanted) == (None, False)
        await asyncio.sleep(60)
        assert await last_event(site) == "drained"
        site.exabgp.daemon.is_busy(PEER, busy=False)
        await asyncio.sleep(60)
        assert await last_event(site) == "withdrawn"
        site.exabgp.daemon.is_busy(PEER, busy=True)
        site.exabgp.say(["{"])
        await asyncio.sleep(1)
        assert (await wish(site, Mode.AUTO)).announced is None
        await site.reconciler.record()
        *_, last = site.store.history([V4])
        said = "up: 2 realservers; it is not known yet whether a session was sent it"
        assert (last.event, last.reason) == ("waiting", said)
        site.exabgp.daemon.is_busy(PEER, busy=False)
        await asyncio.sleep(60)
        assert await last_event(site) == "announced"

    over_a_site(tmp_path, what)


def test_a_wish_in_quiet_times_is_answered_at_once(tmp_path: Path) -> None:
    """What was asked for is waited for until it is sent, which takes no time."""

    async def what(site: Site) -> None:
        for mode in (Mode.DRAINED, Mode.AUTO) * 3:
            started = asyncio.get_running_loop().time()
            assert (await wish(site, mode)).as_wanted
            assert asyncio.get_running_loop().time() - started < 0.2
            await asyncio.sleep(15)

    over_a_site(tmp_path, what)
