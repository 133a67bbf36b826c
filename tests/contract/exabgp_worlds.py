"""The driver for ExaBGP, over the fake of each dialect and over the real one of each flavour."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING

from policy.wanted import WantedRoutes
from speaker.backends.exabgp.driver import ExabgpBackend
from speaker.config.settings import ExabgpSettings, NextHop
from tests.contract.worlds import ASN, FOREIGN, HERE, SITE, Faked, Live, World, route
from tests.support.fakes.exabgp import Daemon, Exabgp, Fault, Given
from tests.support.fakes.site import NEIGHBORS, PEER
from tests.support.fakes.virtual_time import VirtualLoop
from tests.support.lab.bird import Bird
from tests.support.lab.exabgp import Config, ExaBgp
from tests.support.lab.netns import Network
from tests.support.lab.requirements import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy.route import Prefix, Route
    from tests.support.fakes.exabgp import Dialect
    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.netns import Namespace
    from tests.support.lab.session import Session


class FakeExabgp(Faked):
    """The driver over the fake, in virtual time."""

    def __init__(self, dialect: Dialect, *, told: bool) -> None:
        super().__init__(asyncio.Runner(loop_factory=VirtualLoop))
        self.peer = (PEER, 64496)
        self.run(self._begin(dialect, told=told))

    async def _begin(self, dialect: Dialect, *, told: bool) -> None:
        processes = frozenset({"speaker"} if told else ())
        neighbors = [replace(neighbor, told=processes) for neighbor in NEIGHBORS]
        self._exabgp = Exabgp(Daemon(neighbors, dialect, {FOREIGN: Given("203.0.113.1")}))
        backend = ExabgpBackend(self._exabgp.spawn(), self._exabgp.write, wake=lambda: None)
        hops = NextHop(IPv4Address("203.0.113.2"), IPv6Address("2001:db8:ffff::2"))
        settings = ExabgpSettings(hops, withdraw_on_exit=False, process=None)
        backend.configure(ASN, settings, WantedRoutes(SITE, HERE))
        self.backend = backend
        self._task = asyncio.get_running_loop().create_task(backend.run())
        await self._sessions(up=True)  # as a real one: later than what it spawns

    def table(self) -> Mapping[Prefix, Route]:
        self.run(asyncio.sleep(0.01))
        received = self._exabgp.daemon.sessions[PEER].table
        return {prefix: route(prefix, seen) for prefix, seen in received.items()}

    def sessions(self, *, up: bool) -> None:
        self.run(self._sessions(up=up))

    async def _sessions(self, *, up: bool) -> None:
        for peer in self._exabgp.daemon.sessions:
            (self._exabgp.up if up else self._exabgp.down)(peer)
        await asyncio.sleep(1)

    def spoil(self, *, after: int = 0) -> bool:
        self._exabgp.faults.extend([*[Fault.NONE] * after, Fault.ERROR])
        return True

    def close(self) -> None:
        self._exabgp.stop()
        super().close()


class Relayed:
    """The driver in the test's own process, over a real ExaBGP: its helper passes bytes on."""

    def __init__(
        self,
        runner: asyncio.Runner,
        host: Namespace,
        sessions: Sequence[Session],
        flavour: Flavour,
        *,
        options: Sequence[str] = (),
        told: bool = False,
    ) -> None:
        """Start ExaBGP and the driver.

        Args:
            runner: the driver's loop.
            host: where ExaBGP runs; its own IPv6 address there is the next hop.
            sessions: as ExaBGP's side sees them.
            flavour: of ExaBGP.
            options: more statements for the neighbour.
            told: whether ExaBGP tells of each UPDATE that it sends.
        """
        self._runner = runner
        self.withheld: list[bytes] = []
        self._withhold = b""
        script = host.directory / "relay.py"
        shutil.copyfile(Path(__file__).with_name("relay_script.py"), script)
        script.chmod(0o644)
        path = host.directory / "relay.sock"
        connected = runner.run(self._listen(path))
        path.chmod(0o777)
        command = ["/usr/bin/python3", str(script), str(path)]
        self._exabgp = ExaBgp(
            host, flavour, Config(sessions, command, options=options, receive=told, send=told)
        )
        self._connected = connected

    def begin(self, hops: NextHop) -> ExabgpBackend:
        """Return the driver, which runs."""
        return self._runner.run(self._begin(hops))

    async def _listen(
        self, path: Path
    ) -> asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        connected = asyncio.get_running_loop().create_future()

        def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.set_result((reader, writer))

        self._server = await asyncio.start_unix_server(connect, path)
        return connected

    async def _begin(self, hops: NextHop) -> ExabgpBackend:
        async with asyncio.timeout(60):
            reader, self._writer = await self._connected
        backend = ExabgpBackend(reader, self._write, wake=lambda: None)
        settings = ExabgpSettings(hops, withdraw_on_exit=False, process=None)
        backend.configure(ASN, settings, WantedRoutes(SITE, HERE))
        self._task = asyncio.get_running_loop().create_task(backend.run())
        await asyncio.sleep(0)
        return backend

    def withhold(self, text: bytes) -> None:
        """Let no command with a text reach ExaBGP from now on; nothing is withheld where it is empty."""
        self._withhold = text
        self.withheld.clear()

    def _write(self, data: bytes) -> None:
        if self._withhold and self._withhold in data:
            self.withheld.append(data)
        else:
            self._writer.write(data)

    def close(self) -> None:
        """End the driver; ExaBGP ends with its host."""
        self._runner.run(self._end())

    async def _end(self) -> None:
        self._writer.close()
        self._server.close()
        await asyncio.gather(self._task, return_exceptions=True)


class RealExabgp(Live):
    """The driver over the real ExaBGP."""

    def __init__(self, network: Network, flavour: Flavour, *, told: bool) -> None:
        speaker, peer = network.host("speaker"), network.host("peer")
        link = network.link(speaker, peer)
        session = link.session(int(ASN), 64500)
        super().__init__(asyncio.Runner(), Bird(peer, [session.flipped()]))
        self.peer = (session.remote, 64500)
        options = [f"static {{ route {FOREIGN} next-hop self; }}"]
        if told and flavour == "v5":  # 4.2 does not survive that a peer asks
            options.append("capability { route-refresh enable; }")
        self._relayed = Relayed(
            self._runner, speaker, [session], flavour, options=options, told=told
        )
        self.backend = self._relayed.begin(NextHop(None, IPv6Address(link.a.ipv6)))
        self._bird.wait_for_sessions()

    def close(self) -> None:
        self._relayed.close()
        super().close()


@contextmanager
def fake_exabgp(dialect: Dialect, *, told: bool = False) -> Iterator[World]:
    """The fake of a dialect, which tells of each UPDATE or does not."""
    world = FakeExabgp(dialect, told=told)
    try:
        yield world
    finally:
        world.close()


@contextmanager
def real_exabgp(flavour: Flavour, *, told: bool = False) -> Iterator[World]:
    """The real ExaBGP of a flavour, where this machine has it; it tells of each UPDATE or does not."""
    require("bird", flavours=(flavour,))
    with ExitStack() as stack:
        world = RealExabgp(stack.enter_context(Network()), flavour, told=told)
        stack.callback(world.close)
        yield world


EXABGP_WORLDS = {
    "exabgp-fake-v4": lambda: fake_exabgp(4),
    "exabgp-fake-v5": lambda: fake_exabgp(5),
    "exabgp-fake-v4-told": lambda: fake_exabgp(4, told=True),
    "exabgp-fake-v5-told": lambda: fake_exabgp(5, told=True),
    "exabgp-v4": lambda: real_exabgp("v4"),
    "exabgp-v5": lambda: real_exabgp("v5"),
    "exabgp-v4-told": lambda: real_exabgp("v4", told=True),
    "exabgp-v5-told": lambda: real_exabgp("v5", told=True),
}
