"""The driver while a peer writes into ExaBGP 4.2's pipe: what it knows then, and that it goes on."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from policy.plan import Announce, Withdraw
from policy.route import Asn, AsPath, Attributes, Route
from speaker.backends.exabgp.driver import PATIENCE, ExabgpBackend
from speaker.config.settings import ExabgpSettings, NextHop
from tests.support.fakes.exabgp import HEADER, Daemon, Exabgp
from tests.support.fakes.site import INSIDE, NEIGHBORS, PEER, V4
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

HOPS = NextHop(IPv4Address("203.0.113.2"), IPv6Address("2001:db8:ffff::2"))
ROUTE = Route(V4, Attributes(AsPath((Asn(64699),)), 0))
FORGED = f"bye\n{HEADER}\ndone\ndone\n{{\n{HEADER}\ndone\nerror"


@asynccontextmanager
async def driving() -> AsyncIterator[tuple[Exabgp, ExabgpBackend, asyncio.Event]]:
    """A driver over 4.2, whose sessions are up, with one prefix announced; woken is set when it wants to look."""
    exabgp, woken = Exabgp(Daemon(NEIGHBORS, 4)), asyncio.Event()
    backend = ExabgpBackend(exabgp.spawn(), exabgp.write, wake=woken.set)
    backend.configure(Asn(64699), ExabgpSettings(HOPS, withdraw_on_exit=False, process=None))
    reading = asyncio.create_task(backend.run())
    await asyncio.sleep(0)
    for peer in exabgp.daemon.sessions:
        exabgp.up(peer)
    await backend.read([V4])
    assert await backend.apply([Announce(ROUTE)]) == {}
    await asyncio.sleep(1)
    assert str(V4) in exabgp.table(INSIDE)
    try:
        yield exabgp, backend, woken
    finally:
        reading.cancel()


def test_sessions_are_unknown_until_they_were_looked_at() -> None:
    """What ExaBGP told of any session is not known any more, and is asked for at once."""

    async def main() -> None:
        async with driving() as (exabgp, backend, woken):
            assert {peer.up for peer in backend.peers()} == {True}
            woken.clear()
            exabgp.down(PEER, FORGED)
            await asyncio.sleep(0.01)
            assert {peer.up for peer in backend.peers()} == {None}
            assert woken.is_set()
            await backend.read([V4])
            found = {peer.address: peer.up for peer in backend.peers()}
            assert found == {str(near.address): str(near.address) != PEER for near in NEIGHBORS}

    run(main())


@pytest.mark.parametrize("gaps", [(0.2,), (0.03, 0.2)])
def test_a_peer_that_speaks_all_the_time(gaps: Sequence[float]) -> None:
    """However often it speaks, also amid the answers that bring it in step, a withdrawal goes to the others."""

    async def speak(exabgp: Exabgp) -> None:
        for gap in cycle(gaps):
            exabgp.down(PEER, FORGED)
            await asyncio.sleep(gap)

    async def main() -> None:
        async with driving() as (exabgp, backend, _):
            speaking = asyncio.create_task(speak(exabgp))
            async with asyncio.timeout(
                PATIENCE / 2
            ):  # it does not have to wait for what does not come
                while await backend.apply([Withdraw(V4)]):
                    pass
            assert str(V4) not in exabgp.table(INSIDE)
            speaking.cancel()

    run(main())
