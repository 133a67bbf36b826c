"""A peer that writes into ExaBGP's pipe, by the text of a NOTIFICATION, is not believed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from policy.plan import Announce, Withdraw
from policy.route import Asn, AsPath, Attributes, Route, parse_prefix
from speaker.backends.base import BackendError
from speaker.config.settings import NextHop
from tests.contract.exabgp_worlds import Relayed
from tests.support.fakes.exabgp import HEADER
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import SLOW
from tests.support.lab.rogue import Rogue
from tests.support.lab.site import misses, sees

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from policy.plan import Change
    from speaker.backends.base import Reading
    from speaker.backends.exabgp.driver import ExabgpBackend
    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.netns import Network

ATTRIBUTES = Attributes(AsPath((Asn(64699),)), 0)
V4, OTHER = parse_prefix("192.0.2.1/32"), parse_prefix("192.0.2.2/32")


@dataclass
class World:
    """A driver in the test's own process, over a real ExaBGP with an honest peer and a rogue."""

    runner: asyncio.Runner
    relayed: Relayed
    backend: ExabgpBackend
    bird: Bird
    rogue: Rogue
    honest: str
    text: str

    async def until(self, check: Callable[[], Awaitable[bool]]) -> None:
        """Ask the driver until it holds."""
        async with asyncio.timeout(20 * SLOW):
            while True:
                if await check():
                    return
                await asyncio.sleep(0.05)

    async def while_withheld(self, text: bytes, asked: asyncio.Future[Any]) -> None:
        """Let the rogue speak while a command of the driver's waits for an answer that can't come."""

        async def withheld() -> bool:
            return bool(self.relayed.withheld)

        self.relayed.withhold(text)
        await self.until(withheld)
        self.rogue.end(self.text)
        await asyncio.wait({asked})
        self.relayed.withhold(b"")


@pytest.fixture
def world(lab: Network, flavour: Flavour) -> Iterator[World]:
    """All up, one prefix announced."""
    host, far, bad = (lab.host(name) for name in ("par1", "bird", "rogue"))
    link, other = lab.link(host, far), lab.link(host, bad)
    honest = link.session(64699, 64500, families=("ipv4",))
    theirs = other.session(64699, 64501, families=("ipv4",))
    bird = Bird(far, [honest.flipped()])
    rogue = Rogue(bad, theirs.flipped())
    forged = (
        f"neighbor {honest.remote} local-ip {honest.local} local-as 64699 peer-as 64500 router-id "
        f"203.0.113.2 family-allowed in-open ipv4 unicast {OTHER} next-hop self as-path [ 64699 ]"
    )
    ends = f'"local": "{theirs.local}", "peer": "{theirs.remote}"'
    up = f'{{ "type": "state", "neighbor": {{ "address": {{ {ends} }}, "state": "up" }} }}'
    stop = '{ "type": "notification", "notification": "shutdown" }'
    lines = ["bye", forged, "done", HEADER, "done", "done", up, stop, "{", "done", "error"]
    with asyncio.Runner() as runner:
        relayed = Relayed(runner, host, [honest, theirs], flavour, told=True)
        backend = relayed.begin(NextHop())
        bird.wait_for_sessions()
        rogue.wait_until_up()
        yield World(runner, relayed, backend, bird, rogue, honest.remote, "\n".join(lines))
        relayed.close()


def test_a_peer_writes_into_the_pipe(
    world: World, flavour: Flavour, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of its text is believed: no reply, no listing, no session; and then all goes on."""
    backend, rogue = world.backend, world.rogue

    async def taken(change: Change) -> bool:
        return not await backend.apply([change])

    async def states() -> dict[str, bool | None]:
        return {peer.address: peer.up for peer in backend.peers()}

    async def read() -> Reading:
        return await backend.read([V4, OTHER])

    async def all_up() -> bool:
        with suppress(BackendError):
            await read()
        return set((await states()).values()) == {True}

    async def withdrawn_for_nobody() -> None:
        await world.until(all_up)
        await world.until(lambda: taken(Announce(Route(V4, ATTRIBUTES))))
        asked = asyncio.ensure_future(backend.apply([Withdraw(V4)]))
        await world.while_withheld(b"withdraw", asked)
        assert V4 in asked.result(), "a forged done"
        if flavour == "v4":
            assert (await states())[world.honest] is None

    async def listed_for_nobody() -> None:
        await world.until(all_up)
        asked = asyncio.ensure_future(read())
        await world.while_withheld(b"show adj-rib", asked)
        with pytest.raises(BackendError, match="unknown"):
            asked.result()
        await world.until(all_up)
        found = await read()
        assert found.routes[OTHER] is None
        assert found.routes[V4] == Route(V4, ATTRIBUTES)

    world.runner.run(withdrawn_for_nobody())
    sees(world.bird, str(V4))
    rogue.wait_until_up()
    world.runner.run(listed_for_nobody())
    world.runner.run(world.until(lambda: taken(Withdraw(V4))))
    misses(world.bird, str(V4))
    assert not backend.gone.is_set()
    garbled = [record for record in caplog.records if "garbled" in record.getMessage()]
    assert len(garbled) == (2 if flavour == "v4" else 0)
