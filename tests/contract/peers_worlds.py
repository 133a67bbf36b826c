"""Worlds with several peers, of which each is to get something else: what each of them has decides."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from policy.drain_profile import soft_profiles
from policy.route import Asn, parse_prefix
from policy.wanted import WantedRoutes
from speaker.backends.exabgp.driver import ExabgpBackend
from speaker.backends.exabgp.neighbors import ConfiguredNeighbor
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.vtysh import Shell
from speaker.config.settings import ExabgpSettings, NextHop, QuaggaSettings
from speaker.runtime.assemble import profiles
from tests.contract.exabgp_worlds import Relayed
from tests.contract.worlds import ASN
from tests.support.fakes.bgpd_peers import BgpdWithPeers, FakePeer
from tests.support.fakes.exabgp import Daemon, Exabgp
from tests.support.fakes.virtual_time import VirtualLoop
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.netns import Network
from tests.support.lab.release import RELEASES
from tests.support.lab.requirements import require, require_release

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping
    from contextlib import AbstractContextManager

    from policy.route import IpAddress, Prefix, Route
    from policy.topology import Profile, Topology
    from speaker.backends.base import Backend
    from tests.support.fakes.bgpd import Dialect as BgpdDialect
    from tests.support.fakes.exabgp import Dialect
    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.release import Release


@dataclass(frozen=True, slots=True)
class Had:
    """What a peer has of a prefix. `preference` is LOCAL_PREF, None on eBGP."""

    path: str
    med: int | None
    communities: frozenset[str]
    large: frozenset[str]
    preference: int | None
    extended: frozenset[str] = frozenset()


class PeersWorld(Protocol):
    """A backend under test with a transit, a peering and an iBGP neighbour."""

    @property
    def backend(self) -> Backend: ...

    @property
    def addresses(self) -> tuple[IpAddress, IpAddress, IpAddress]:
        """Those of transit, peering and inside."""
        ...

    def run(self, what: Coroutine[Any, Any, Any]) -> Any: ...

    def configure(self, topology: Topology) -> WantedRoutes:
        """Give the driver what neighbours get."""
        ...

    def tables(self) -> Mapping[str, Mapping[Prefix, Had]]:
        """Return what each peer has from here, by its address."""
        ...

    def soon(self, check: Callable[[], None]) -> None:
        """Wait until what is asserted is so."""
        ...

    def session(self, address: IpAddress, *, up: bool) -> None:
        """Bring one session up or down."""
        ...

    def announced_to(self, address: IpAddress) -> Collection[Prefix] | None:
        """Return what a peer was ever sent, None where this world can't tell."""
        ...


class FakedPeers:
    """The driver over the fake ExaBGP, in virtual time."""

    addresses: tuple[IpAddress, IpAddress, IpAddress] = (
        IPv4Address("203.0.113.11"),
        IPv4Address("203.0.113.12"),
        IPv6Address("2001:db8:ffff::11"),
    )

    def __init__(self, dialect: Dialect, *, told: bool) -> None:
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.run(self._begin(dialect, told=told))

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(what)

    async def _begin(self, dialect: Dialect, *, told: bool) -> None:
        speaker = frozenset({"speaker"})
        asns = zip(self.addresses, (64500, 64501, int(ASN)), strict=True)
        self._exabgp = Exabgp(
            Daemon(
                [
                    ConfiguredNeighbor(
                        address,
                        IPv4Address("203.0.113.2")
                        if address.version == 4
                        else IPv6Address("2001:db8:ffff::2"),
                        ASN,
                        Asn(asn),
                        frozenset({4, 6}),
                        speaker,
                        told=speaker if told else frozenset(),
                    )
                    for address, asn in asns
                ],
                dialect,
            )
        )
        for peer in self._exabgp.daemon.sessions:
            self._exabgp.daemon.establish(peer)
        self._driver = ExabgpBackend(self._exabgp.spawn(), self._exabgp.write, wake=lambda: None)
        self.backend: Backend = self._driver
        self._task = asyncio.get_running_loop().create_task(self._driver.run())
        await asyncio.sleep(0)

    def configure(self, topology: Topology) -> WantedRoutes:
        wanted = WantedRoutes(topology, topology.dc("par1"))
        hops = NextHop(IPv4Address("203.0.113.2"), IPv6Address("2001:db8:ffff::2"))
        settings = ExabgpSettings(hops, withdraw_on_exit=False, process=None)
        self._driver.configure(ASN, settings, wanted)
        return wanted

    def tables(self) -> Mapping[str, Mapping[Prefix, Had]]:
        self.run(asyncio.sleep(0.01))
        return {
            peer: {
                prefix: Had(
                    " ".join(map(str, each.as_path)),
                    each.med,
                    each.communities,
                    each.large_communities,
                    each.local_preference,
                    each.extended_communities,
                )
                for prefix, each in session.table.items()
            }
            for peer, session in self._exabgp.daemon.sessions.items()
        }

    def soon(self, check: Callable[[], None]) -> None:
        self.run(asyncio.sleep(1))
        check()

    def session(self, address: IpAddress, *, up: bool) -> None:
        async def change() -> None:
            (self._exabgp.up if up else self._exabgp.down)(str(address))
            await asyncio.sleep(1)

        self.run(change())

    def announced_to(self, address: IpAddress) -> Collection[Prefix]:
        found: set[Prefix] = set()
        for command in self._exabgp.commands:
            selector, _, rest = command.partition("announce attributes ")
            if rest and (not selector or f"neighbor {address} " in selector):
                found.update(map(parse_prefix, rest.partition(" nlri ")[2].split()))
        return found

    def close(self) -> None:
        self._exabgp.stop()
        self._runner.close()


class _LivePeers:
    """A real daemon, with BIRD at the end of three sessions."""

    def __init__(self, network: Network) -> None:
        self._speaker, peer = network.host("speaker"), network.host("peer")
        self._links = [network.link(self._speaker, peer) for _ in range(3)]
        self._sessions = [
            link.session(int(ASN), asn)
            for link, asn in zip(self._links, (64500, 64501, int(ASN)), strict=True)
        ]
        transit, peering, inside = (ip_address(each.remote) for each in self._sessions)
        self.addresses = transit, peering, inside
        far = [each.flipped() for each in self._sessions]
        self._bird = Bird(peer, far, options=["allow local as 9;"])
        self._runner = asyncio.Runner()

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(what)

    def tables(self) -> Mapping[str, Mapping[Prefix, Had]]:
        return {
            each.remote: {
                parse_prefix(prefix): Had(
                    " ".join(map(str, seen.as_path)),
                    seen.med,
                    seen.communities,
                    seen.large_communities,
                    int(raw.get("BGP.local_pref", "0")) if each.remote_asn == int(ASN) else None,
                    seen.extended_communities,
                )
                for prefix, seen in self._bird.routes(each.local).items()
                for raw in (self._bird.attributes(each.local).get(prefix, {}),)
            }
            for each in self._sessions
        }

    def soon(self, check: Callable[[], None]) -> None:
        eventually(check, until=lambda _: True, within=15, what="what each peer is to have")

    def session(self, address: IpAddress, *, up: bool) -> None:
        (near,) = [each for each in self._sessions if each.remote == str(address)]
        (self._bird.enable if up else self._bird.disable)(near.local)
        eventually(
            lambda: self._bird.sessions()[near.local],
            until=lambda state: state is up,
            within=30,
            what=f"the session {'up' if up else 'down'}",
        )

    def announced_to(self, address: IpAddress) -> None:
        del address

    def close(self) -> None:
        self._runner.close()


class LivePeers(_LivePeers):
    """The driver over a real ExaBGP."""

    def __init__(self, network: Network, flavour: Flavour) -> None:
        super().__init__(network)
        self._relayed = Relayed(self._runner, self._speaker, self._sessions, flavour, told=True)
        self._hops = NextHop(None, IPv6Address(self._links[0].a.ipv6))
        self._driver = self._relayed.begin(self._hops)
        self.backend: Backend = self._driver
        self._bird.wait_for_sessions()

    def configure(self, topology: Topology) -> WantedRoutes:
        wanted = WantedRoutes(topology, topology.dc("par1"))
        settings = ExabgpSettings(self._hops, withdraw_on_exit=False, process=None)
        self._driver.configure(ASN, settings, wanted)
        return wanted

    def close(self) -> None:
        self._relayed.close()
        super().close()


OUTBOUND = QuaggaSettings(Path("/usr/bin/vtysh"), "VIP-{profile}", outbound=True)


class FrrPeers(_LivePeers):
    """The driver over a real FRR."""

    def __init__(self, network: Network, root: Path) -> None:
        super().__init__(network)
        frr = Frr(self._speaker, config(self._sessions), root=root)
        self._driver = QuaggaBackend(Shell(frr.vtysh))
        self.backend: Backend = self._driver
        self._bird.wait_for_sessions()

    def configure(self, topology: Topology) -> WantedRoutes:
        wanted = WantedRoutes(topology, topology.dc("par1"))
        self._driver.configure(ASN, OUTBOUND, all_profiles(topology), wanted)
        return wanted


@contextmanager
def faked(dialect: Dialect, *, told: bool = False) -> Iterator[PeersWorld]:
    """The fake of a dialect."""
    world = FakedPeers(dialect, told=told)
    try:
        yield world
    finally:
        world.close()


@contextmanager
def live(flavour: Flavour) -> Iterator[PeersWorld]:
    """The real ExaBGP of a flavour."""
    require("bird", flavours=(flavour,))
    with ExitStack() as stack:
        world = LivePeers(stack.enter_context(Network()), flavour)
        stack.callback(world.close)
        yield world


def all_profiles(topology: Topology) -> list[Profile]:
    """Return those of ranks, and those of soft drains."""
    return [*profiles(topology), *soft_profiles(topology, topology.dc("par1"))]


class FakedBgpd:
    """The driver over the fake bgpd of a dialect."""

    addresses = FakedPeers.addresses

    def __init__(self, dialect: BgpdDialect) -> None:
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        asns = zip(map(str, self.addresses), (64500, 64501, int(ASN)), strict=True)
        self._bgpd = BgpdWithPeers(dialect, neighbors={name: FakePeer(asn) for name, asn in asns})
        self._driver = QuaggaBackend(self._bgpd)
        self.backend: Backend = self._driver

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(what)

    def configure(self, topology: Topology) -> WantedRoutes:
        wanted = WantedRoutes(topology, topology.dc("par1"))
        self._driver.configure(ASN, OUTBOUND, all_profiles(topology), wanted)
        return wanted

    def tables(self) -> Mapping[str, Mapping[Prefix, Had]]:
        return {
            name: {
                prefix: Had(
                    each.path,
                    each.med,
                    each.communities,
                    each.large,
                    each.preference if peer.asn == int(ASN) else None,
                    each.extended,
                )
                for prefix, each in peer.rib.items()
            }
            for name, peer in self._bgpd.neighbors.items()
        }

    def soon(self, check: Callable[[], None]) -> None:
        # What was just changed is so a moment later.
        self.run(self._bgpd(("show bgp ipv4 unicast", "show bgp ipv6 unicast")))
        check()

    def session(self, address: IpAddress, *, up: bool) -> None:
        self._bgpd.neighbors[str(address)].up = up
        self._bgpd.send()

    def announced_to(self, address: IpAddress) -> Collection[Prefix]:
        return self._bgpd.neighbors[str(address)].ever

    def close(self) -> None:
        self._runner.close()


@contextmanager
def fake_bgpd(dialect: BgpdDialect) -> Iterator[PeersWorld]:
    """The fake bgpd of a dialect."""
    world = FakedBgpd(dialect)
    try:
        yield world
    finally:
        world.close()


@contextmanager
def real_frr(release: Release) -> Iterator[PeersWorld]:
    """The real FRR of a release."""
    require("bird")
    require_release(release)
    with ExitStack() as stack:
        world = FrrPeers(stack.enter_context(Network()), release.root)
        stack.callback(world.close)
        yield world


BGPDS: tuple[BgpdDialect, ...] = (
    "quagga-0.99.22.4",
    "quagga-1.2.4",
    "frr-8.4.4",
    "frr-10.3",
    "frr-10.7.1",
)
WORLDS: Mapping[str, Callable[[], AbstractContextManager[PeersWorld]]] = {
    "exabgp-fake-v4": lambda: faked(4),
    "exabgp-fake-v5": lambda: faked(5),
    "exabgp-fake-v4-told": lambda: faked(4, told=True),
    "exabgp-fake-v5-told": lambda: faked(5, told=True),
    "exabgp-v4": lambda: live("v4"),
    "exabgp-v5": lambda: live("v5"),
    **{f"bgpd-fake-{each}": partial(fake_bgpd, each) for each in BGPDS},
    **{f"frr-of-{each.suite}": partial(real_frr, each) for each in RELEASES},
}


def routes(wanted: WantedRoutes, *prefixes: Prefix) -> list[Route]:
    """Return the routes of prefixes."""
    found = [wanted.of(prefix) for prefix in prefixes]
    return [route for route in found if route is not None]
