"""Each backend with a daemon behind it and a peer behind that. A new backend is one class more."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from policy.route import (
    Asn,
    AsPath,
    Attributes,
    Community,
    LargeCommunity,
    Origin,
    Route,
    parse_prefix,
)
from policy.topology import Profile
from speaker.backends.exabgp import ExabgpBackend
from speaker.settings import ExabgpSettings, NextHop
from tests.fakes.exabgp import Daemon, Exabgp, Fault, Given
from tests.fakes.site import NEIGHBORS, PEER
from tests.fakes.virtual_time import VirtualLoop
from tests.lab.bird import Bird
from tests.lab.eventually import eventually
from tests.lab.exabgp import Config, ExaBgp
from tests.lab.netns import Network
from tests.lab.requirements import require

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

    from policy.route import Prefix
    from speaker.backends.base import Backend
    from tests.fakes.exabgp import Dialect
    from tests.lab.exabgp import Flavour
    from tests.lab.session import SeenRoute

ASN = Asn(64699)
FOREIGN = parse_prefix("198.51.100.0/24")
"""A route of the daemon's own configuration: none of ours."""
PROFILES = (
    Profile("prepend-0", 0),
    Profile("prepend-1", 1),
    Profile("prepend-3", 3),
    Profile("full", 2, 50, Origin.IGP, (Community(64699, 100),), (LargeCommunity(64699, 1, 2),)),
)


class World(Protocol):
    """A backend under test, its daemon, and the peer whose view decides."""

    @property
    def backend(self) -> Backend:
        """The driver."""
        ...

    @property
    def peer(self) -> tuple[str, int]:
        """The eBGP peer's address and ASN."""
        ...

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the backend's event loop."""
        ...

    def table(self) -> Mapping[Prefix, Route]:
        """Return what the eBGP peer has by now."""
        ...

    def becomes(self, wanted: Mapping[Prefix, Route]) -> None:
        """Wait until the peer has exactly this, and the foreign route."""
        ...

    def spoil(self, *, after: int = 0) -> bool:
        """Let a later command be refused; False where this world can't be made to fail."""
        ...


class FakeExabgp:
    """The ExaBGP driver over the fake, in virtual time."""

    def __init__(self, dialect: Dialect) -> None:
        self.peer = (PEER, 64496)
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.run(self._begin(dialect))

    async def _begin(self, dialect: Dialect) -> None:
        self._exabgp = Exabgp(Daemon(NEIGHBORS, dialect, {FOREIGN: Given("203.0.113.1")}))
        for neighbor in NEIGHBORS:
            self._exabgp.daemon.establish(str(neighbor.address))
        backend = ExabgpBackend(self._exabgp.spawn(), self._exabgp.write, wake=lambda: None)
        hops = NextHop(IPv4Address("203.0.113.2"), IPv6Address("2001:db8:ffff::2"))
        backend.configure(ASN, ExabgpSettings(hops, withdraw_on_exit=False, process=None))
        self.backend = backend
        self._task = asyncio.get_running_loop().create_task(backend.run())
        await asyncio.sleep(0)

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(what)

    def table(self) -> Mapping[Prefix, Route]:
        self.run(asyncio.sleep(0.01))
        return {
            prefix: Route(
                prefix,
                Attributes(
                    AsPath(tuple(map(Asn, seen.as_path))),
                    seen.med,
                    Origin(seen.origin),
                    tuple(map(Community.parse, seen.communities)),
                    tuple(map(LargeCommunity.parse, seen.large_communities)),
                ),
            )
            for prefix, seen in self._exabgp.daemon.sessions[PEER].table.items()
        }

    def becomes(self, wanted: Mapping[Prefix, Route]) -> None:
        found = dict(self.table())
        del found[FOREIGN]
        assert found == wanted

    def spoil(self, *, after: int = 0) -> bool:
        self._exabgp.faults.extend([*[Fault.NONE] * after, Fault.ERROR])
        return True

    def close(self) -> None:
        self._exabgp.stop()
        self._runner.close()


class RealExabgp:
    """The ExaBGP driver over the real one, with BIRD as the peer; the helper passes bytes on."""

    def __init__(self, network: Network, flavour: Flavour) -> None:
        speaker, peer = network.host("speaker"), network.host("peer")
        link = network.link(speaker, peer)
        session = link.session(int(ASN), 64500)
        self.peer = (session.remote, 64500)
        self._bird = Bird(peer, [session.flipped()])
        self._runner = asyncio.Runner()
        script = speaker.directory / "relay.py"
        shutil.copyfile(Path(__file__).with_name("relay_script.py"), script)
        script.chmod(0o644)
        path = speaker.directory / "relay.sock"
        connected = self.run(self._listen(path))
        path.chmod(0o777)
        config = Config(
            [session],
            ["/usr/bin/python3", str(script), str(path)],
            options=[f"static {{ route {FOREIGN} next-hop self; }}"],
        )
        self._exabgp = ExaBgp(speaker, flavour, config)
        hops = NextHop(None, IPv6Address(link.a.ipv6))
        self.run(self._begin(connected, hops))
        self._bird.wait_for_sessions()

    async def _listen(
        self, path: Path
    ) -> asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        connected = asyncio.get_running_loop().create_future()

        def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.set_result((reader, writer))

        self._server = await asyncio.start_unix_server(connect, path)
        return connected

    async def _begin(
        self,
        connected: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
        hops: NextHop,
    ) -> None:
        async with asyncio.timeout(10):
            reader, self._writer = await connected
        self.backend = ExabgpBackend(reader, self._writer.write, wake=lambda: None)
        self.backend.configure(ASN, ExabgpSettings(hops, withdraw_on_exit=False, process=None))
        self._task = asyncio.get_running_loop().create_task(self.backend.run())
        await asyncio.sleep(0)

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(what)

    def table(self) -> Mapping[Prefix, Route]:
        return {route.prefix: route for route in map(_route, self._bird.routes().values())}

    def becomes(self, wanted: Mapping[Prefix, Route]) -> None:
        def check() -> None:
            found = dict(self.table())
            del found[FOREIGN]
            assert found == wanted

        eventually(check, until=lambda _: True, within=10, what="the wanted table at the peer")

    def spoil(self, *, after: int = 0) -> bool:
        del after
        return False

    def close(self) -> None:
        self.run(self._end())
        self._runner.close()

    async def _end(self) -> None:
        self._writer.close()
        self._server.close()
        await asyncio.gather(self._task, return_exceptions=True)


def _route(seen: SeenRoute) -> Route:
    return Route(
        parse_prefix(seen.prefix),
        Attributes(
            AsPath(tuple(map(Asn, seen.as_path))),
            seen.med,
            Origin(seen.origin),
            tuple(map(Community.parse, seen.communities)),
            tuple(map(LargeCommunity.parse, seen.large_communities)),
        ),
    )


@contextmanager
def fake_exabgp(dialect: Dialect) -> Iterator[World]:
    """The fake of a dialect."""
    world = FakeExabgp(dialect)
    try:
        yield world
    finally:
        world.close()


@contextmanager
def real_exabgp(flavour: Flavour) -> Iterator[World]:
    """The real ExaBGP of a flavour, where this machine has it."""
    require("bird", flavours=(flavour,))
    with ExitStack() as stack:
        world = RealExabgp(stack.enter_context(Network()), flavour)
        stack.callback(world.close)
        yield world


WORLDS = {
    "exabgp-fake-v4": lambda: fake_exabgp(4),
    "exabgp-fake-v5": lambda: fake_exabgp(5),
    "exabgp-v4": lambda: real_exabgp("v4"),
    "exabgp-v5": lambda: real_exabgp("v5"),
}
