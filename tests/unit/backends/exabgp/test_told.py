"""The driver where ExaBGP tells each UPDATE: who was sent what is what was told, not what is held."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest

from policy.plan import Announce, Change, Withdraw
from policy.route import Asn, AsPath, Attributes, Prefix, Route
from speaker.backends.exabgp.driver import ExabgpBackend
from speaker.backends.exabgp.feed import SentUpdate
from speaker.backends.exabgp.messages import PeerState
from speaker.backends.exabgp.neighbors import ConfiguredNeighbors, Ends
from speaker.backends.exabgp.staleness import RARELY, SETTLE
from speaker.backends.exabgp.told import Told
from speaker.config.settings import ExabgpSettings, NextHop
from speaker.reconcile.reach import Reach, Reaches
from tests.support.fakes.exabgp import DIALECTS, Daemon, Dialect, Exabgp
from tests.support.fakes.site import INSIDE, NEIGHBORS, PEER, SECOND, V4, V6
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speaker.backends.base import Reading

HOPS = NextHop(IPv4Address("203.0.113.2"), IPv6Address("2001:db8:ffff::2"))
ATTRIBUTES = Attributes(AsPath((Asn(64699), Asn(64699))), 0)
SPEAKER = frozenset({"speaker"})
dialects = pytest.mark.parametrize("dialect", DIALECTS)


@dataclass
class Case:
    """A driver and the fake ExaBGP that spawned it."""

    exabgp: Exabgp
    backend: ExabgpBackend
    said: list[bytes]
    """What ExaBGP was asked."""

    async def ask(self, *changes: Change) -> None:
        assert await self.backend.apply(changes) == {}

    async def read(self) -> Reading:
        return await self.backend.read([V4, V6, SECOND])

    async def reach(self, prefix: Prefix) -> Reach:
        reading = await self.read()
        return Reaches(self.backend.peers()).of(reading.sent[prefix])

    async def rest(self) -> None:
        """Let what a session's start brings with it be over: it is read, and sent again, once more."""
        for delay in (*SETTLE, 5.0, 60.0):
            await asyncio.sleep(delay + 0.1)
            await self.read()


def announce(prefix: Prefix) -> Announce:
    return Announce(Route(prefix, ATTRIBUTES))


@asynccontextmanager
async def driver(exabgp: Exabgp) -> AsyncIterator[Case]:
    """A helper of an ExaBGP, from its start to its end."""
    said: list[bytes] = []

    def write(data: bytes) -> None:
        said.append(data)
        exabgp.write(data)

    backend = ExabgpBackend(exabgp.spawn(), write, wake=lambda: None)
    backend.configure(Asn(64699), ExabgpSettings(HOPS, withdraw_on_exit=False, process=None))
    task = asyncio.create_task(backend.run())
    await asyncio.sleep(0.1)
    try:
        yield Case(exabgp, backend, said)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def exabgp(dialect: Dialect, told: frozenset[str] = SPEAKER) -> Exabgp:
    """An ExaBGP whose sessions are down."""
    return Exabgp(Daemon([replace(n, told=told) for n in NEIGHBORS], dialect))


def up(daemon: Exabgp) -> None:
    for peer in (PEER, INSIDE):
        daemon.up(peer, sent_after=0)


@dialects
def test_held_and_not_sent(dialect: Dialect) -> None:
    """While a session is busy with something else it was not sent what is held for it, and is named."""

    async def main() -> None:
        async with driver(exabgp(dialect)) as case:
            up(case.exabgp)
            await case.rest()
            case.exabgp.busy(PEER, 5.0)
            await case.ask(announce(V4))
            reach = await case.reach(V4)
            assert reach.sent == {PEER: False, INSIDE: True}
            assert (reach.announced, reach.lack) == (True, f"not sent to {PEER}")
            await asyncio.sleep(6)
            assert (await case.reach(V4)).complete

    run(main())


@dialects
@pytest.mark.parametrize(
    ("told", "busy", "again"),
    [(SPEAKER, 0.0, False), (SPEAKER, 3.0, True), (frozenset(), 0.0, True)],
)
def test_all_is_sent_again(
    dialect: Dialect,
    told: frozenset[str],
    busy: float,
    again: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """What changes again within seconds has all sent again, unless every session told that it was sent."""

    async def main() -> None:
        async with driver(exabgp(dialect, told)) as case:
            up(case.exabgp)
            await case.rest()
            case.said.clear()
            for change in (announce(V4), Withdraw(V4), announce(V4), Withdraw(V4)):
                if busy:
                    case.exabgp.busy(PEER, busy)
                await case.ask(change)
                await asyncio.sleep(1)
            await asyncio.sleep(5)
            await case.read()
            assert any(b"flush" in each for each in case.said) is again

    run(main())


@dialects
def test_what_was_asked_for_is_waited_for(dialect: Dialect) -> None:
    """Until it was sent, and no longer; about a second where it is not."""

    async def main() -> None:
        async with driver(exabgp(dialect)) as case:
            up(case.exabgp)
            await case.rest()
            loop = asyncio.get_running_loop()
            for busy, at_least, at_most in ((0.0, 0.0, 0.1), (0.5, 0.4, 0.6), (5.0, 0.9, 1.2)):
                for change in (announce(V4), Withdraw(V4)):
                    if busy:
                        case.exabgp.busy(PEER, busy)
                    await case.ask(change)
                    started = loop.time()
                    await case.backend.until_sent([V4])
                    assert at_least <= loop.time() - started <= at_most, (busy, change)
                    await asyncio.sleep(11)
            started = loop.time()
            await case.backend.until_sent([SECOND])
            assert loop.time() == started, "nothing was asked for"

    run(main())


@dialects
def test_a_session_that_is_down_is_not_waited_for(dialect: Dialect) -> None:
    """It is sent all of it when it comes up."""

    async def main() -> None:
        async with driver(exabgp(dialect)) as case:
            up(case.exabgp)
            await case.rest()
            case.exabgp.down(PEER)
            await case.ask(announce(V4))
            started = asyncio.get_running_loop().time()
            await case.backend.until_sent([V4])
            assert asyncio.get_running_loop().time() - started < 0.1
            assert (await case.reach(V4)).sent == {PEER: False, INSIDE: True}
            assert (await case.reach(V4)).complete

    run(main())


def test_a_phantom_is_seen() -> None:
    """5.0 sends what was withdrawn while the session was down, and does not hold it: it is told."""

    async def main() -> None:
        async with driver(exabgp(5)) as case:
            await case.ask(announce(V4))
            await case.ask(Withdraw(V4))
            up(case.exabgp)
            await asyncio.sleep(0.1)
            reading = await case.read()
            assert reading.routes[V4] is None
            assert V4 in reading.doubtful
            assert Reaches(case.backend.peers()).of(reading.sent[V4]).announced is True
            await case.ask(Withdraw(V4))
            await case.backend.until_sent([V4])
            assert V4 not in case.exabgp.daemon.sessions[PEER].table
            assert (await case.reach(V4)).announced is False

    run(main())


@dialects
def test_a_new_helper_knows_nothing_until_it_is_told(dialect: Dialect) -> None:
    """What its predecessor was told is lost: what is held is sent again, what is not is withdrawn again."""

    async def main() -> None:
        daemon = exabgp(dialect)
        async with driver(daemon) as case:
            up(daemon)
            await case.rest()
            await case.ask(announce(V4))
        async with driver(daemon) as case:
            reading = await case.read()
            assert dict(reading.sent[SECOND]) == {PEER: None, INSIDE: None}
            assert SECOND in reading.doubtful
            await asyncio.sleep(0.1)
            assert dict(reading.sent[V4]) == {PEER: True, INSIDE: True}, (
                "known without reading again"
            )
            await case.ask(Withdraw(SECOND))
            await asyncio.sleep(0.1)
            assert dict(reading.sent[SECOND]) == {PEER: False, INSIDE: False}

    run(main())


@dialects
def test_what_is_garbled_is_unknown(dialect: Dialect) -> None:
    """A line that can't be read may have told anything: nothing is known until all was sent again."""

    async def main() -> None:
        async with driver(exabgp(dialect)) as case:
            up(case.exabgp)
            await case.ask(announce(V4))
            await case.rest()
            case.exabgp.say(['{"type": "update"'])
            await asyncio.sleep(0.1)
            assert (await case.reach(V4)).announced is None
            await case.read()
            await asyncio.sleep(0.1)
            assert (await case.reach(V4)).complete

    run(main())


@dialects
def test_what_is_proven_is_not_asked_for_again(dialect: Dialect) -> None:
    """Where all was told, what is withdrawn is in no doubt, however long it stays so."""

    async def main() -> None:
        async with driver(exabgp(dialect)) as case:
            up(case.exabgp)
            await case.ask(announce(V4))
            await case.rest()
            await asyncio.sleep(RARELY + 1)
            assert not (await case.read()).doubtful
            assert case.exabgp.commands.count("flush adj-rib out") <= 2

    run(main())


@dialects
@pytest.mark.parametrize("told", [SPEAKER, frozenset()], ids=["told", "not-told"])
def test_a_family_that_the_peer_refused(dialect: Dialect, told: frozenset[str]) -> None:
    """A session that is up, and did not negotiate the family, has no say in it, whatever is held for it; nor is it waited for."""

    async def main() -> None:
        async with driver(exabgp(dialect, told)) as case:
            case.exabgp.daemon.sessions[PEER].refused = frozenset({6})
            up(case.exabgp)
            await case.rest()
            case.said.clear()
            await case.ask(announce(V4))
            await case.ask(announce(V6))
            started = asyncio.get_running_loop().time()
            await case.backend.until_sent([V4, V6])
            assert asyncio.get_running_loop().time() - started < 0.1
            assert (await case.reach(V4)).sent == {PEER: True, INSIDE: True}
            assert (await case.reach(V6)).sent == {INSIDE: True}
            assert (await case.reach(V6)).complete
            for _ in range(2):
                await asyncio.sleep(5)
                await case.read()
            for change in (Withdraw(V6), announce(V6)):
                await case.ask(change)
                await asyncio.sleep(1)
            await asyncio.sleep(5)
            await case.read()
            assert any(b"flush" in each for each in case.said) is not bool(told)
            case.exabgp.down(INSIDE)
            assert (await case.reach(V6)).announced is False
            case.exabgp.down(PEER)
            assert (await case.reach(V6)).sent == {PEER: False, INSIDE: False}, "it may have it"
            case.exabgp.daemon.sessions[PEER].refused = frozenset()
            case.exabgp.up(PEER, sent_after=0)
            await asyncio.sleep(0.1)
            assert (await case.reach(V6)).sent == {PEER: True, INSIDE: False}

    run(main())


@dialects
def test_held_and_never_sent(dialect: Dialect) -> None:
    """A session that was not sent what is held for it has it sent again: once, not for ever."""

    async def main() -> None:
        async with driver(exabgp(dialect)) as case:
            up(case.exabgp)
            await case.rest()
            case.exabgp.daemon.is_busy(PEER, busy=True)
            await case.ask(announce(V4))
            for _ in range(20):
                await asyncio.sleep(30)
                assert (await case.reach(V4)).lack == f"not sent to {PEER}"
            assert case.exabgp.commands.count("flush adj-rib out") <= 3

    run(main())


@dialects
def test_told_of_from_now_on(dialect: Dialect) -> None:
    """Where exabgp.conf has it told only since a moment ago, what was sent before is not taken for nothing."""

    async def main() -> None:
        daemon = exabgp(dialect, frozenset())
        async with driver(daemon) as case:
            up(daemon)
            await case.ask(announce(V4))
            await case.rest()
            assert (await case.reach(V4)).complete, "what is held is the best there is"
            for session in daemon.daemon.sessions.values():
                session.neighbor = replace(session.neighbor, told=SPEAKER)
            assert (await case.reach(V4)).announced is None
            await case.read()
            await asyncio.sleep(0.1)
            assert (await case.reach(V4)).complete

    run(main())


@dialects
def test_sent_and_not_held(dialect: Dialect) -> None:
    """Whenever somebody was sent what is not held for him, that is withdrawn again."""

    async def main() -> None:
        async with driver(exabgp(dialect)) as case:
            up(case.exabgp)
            await case.rest()
            daemon = case.exabgp.daemon
            update: dict[str, object] = {
                "announce": {"ipv4 unicast": {"203.0.113.2": [{"nlri": str(SECOND)}]}}
            }
            case.exabgp.say([daemon.sent(daemon.sessions[PEER], update)])
            await asyncio.sleep(0.1)
            assert (await case.read()).doubtful == {SECOND}
            assert (await case.reach(SECOND)).hold == f"still sent to {PEER}"

    run(main())


@dialects
def test_what_is_not_known_to_be_withdrawn_is_withdrawn_again(dialect: Dialect) -> None:
    """After a garbled line too: once, and then it is known."""

    async def main() -> None:
        async with driver(exabgp(dialect)) as case:
            up(case.exabgp)
            await case.rest()
            case.exabgp.say(["{"])
            await asyncio.sleep(0.1)
            assert (await case.reach(V4)).announced is None
            case.exabgp.say(["{"])
            await asyncio.sleep(0.1)
            assert not (await case.read()).doubtful, "asked for already"
            await case.ask(Withdraw(V4))
            await case.backend.until_sent([V4])
            reach = await case.reach(V4)
            assert (reach.announced, reach.hold) == (False, "")

    run(main())


def test_a_local_address_that_exabgp_chooses() -> None:
    """What a neighbour was sent is told of its last session, from whichever address, not of the one before, nor of none."""
    neighbor = replace(NEIGHBORS[0], local_address=None, processes=SPEAKER, told=SPEAKER)
    told, known = Told(), ConfiguredNeighbors([neighbor], "speaker")
    told.look(known, "speaker", ())
    for number in (3, 2, 3):
        ends = Ends(neighbor.address, IPv4Address(f"203.0.113.{number}"))
        told.take(PeerState(ends, up=True, reason=""))
        told.take(SentUpdate(ends, (), (str(V4),)))
        told.look(known, "speaker", ())
        assert told.had([V4, V6]) == {V4: True, V6: False}
        told.take(PeerState(ends, up=False, reason=""))
        assert told.had([V4]) == {V4: False}
