"""The same decision gives the same UPDATE on FRR and on ExaBGP, side by side into one collector."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from policy.assignment import assignments
from policy.drain_profile import soft_profiles
from policy.plan import plan
from policy.topology import DataCentre
from policy.wanted import WantedRoutes
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.vtysh import Shell
from speaker.config.settings import ExabgpSettings, NextHop
from speaker.runtime.assemble import profiles
from tests.contract.exabgp_worlds import Relayed
from tests.contract.quagga_worlds import SETTINGS
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import FLAVOURS, Flavour
from tests.support.lab.frr import Frr, config
from tests.support.lab.netns import Link, Network
from tests.support.lab.requirements import require
from tests.support.lab.session import SeenRoute
from tests.support.profiles import NIGHTLY, PROFILE
from tests.support.strategies.policy import LOCAL_ASN, topologies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy.route import Prefix, Route
    from policy.topology import Profile, Topology
    from speaker.backends.base import Backend

EXAMPLES = {"long": 1000, "nightly": 200}.get(PROFILE, 40)
HONOURED = ("65535:65281", "65535:65282", "65535:65283")
"""NO_EXPORT, NO_ADVERTISE, NO_EXPORT_SUBCONFED: bgpd itself keeps such a route from an eBGP peer."""


class Both:
    """FRR and ExaBGP with the same neighbour, each with its driver."""

    def __init__(self, network: Network, flavour: Flavour) -> None:
        collector = network.host("collector")
        self.links = [network.link(collector, network.host(name)) for name in ("frr", "exabgp")]
        sessions = [link.session(64500, LOCAL_ASN) for link in self.links]
        self.bird = Bird(collector, sessions)
        frr = Frr(self.links[0].b.namespace, config([sessions[0].flipped()]))
        self.quagga = QuaggaBackend(Shell(frr.vtysh))
        self.runner = asyncio.Runner()
        here = self.links[1].b
        self.relayed = Relayed(self.runner, here.namespace, [sessions[1].flipped()], flavour)
        hops = NextHop(None, IPv6Address(here.ipv6))
        self.exabgp = self.relayed.begin(hops)
        self.settings = ExabgpSettings(hops, withdraw_on_exit=False, process=None)
        self.bird.wait_for_sessions()
        self.had: dict[Prefix, None] = {}

    def close(self) -> None:
        self.relayed.close()
        self.runner.close()

    def decide(self, desired: Mapping[Prefix, Route]) -> None:
        """Have both drivers make it so: what was before is withdrawn, what is wanted announced."""
        wanted = {**dict.fromkeys(self.had), **desired}
        self.had = dict.fromkeys(desired)
        drivers: list[Backend] = [self.quagga, self.exabgp]

        async def make() -> None:
            for driver in drivers:
                found = (await driver.read([*wanted])).routes
                assert not await driver.apply(plan(wanted, found))

        self.runner.run(make())

    def seen(self) -> list[dict[str, SeenRoute]]:
        """Return what the collector has of each, with the kind of next hop in place of the address."""
        return [
            {prefix: _by_kind(route, link) for prefix, route in routes.items()}
            for link, routes in ((link, self.bird.routes(link.b.ipv4)) for link in self.links)
        ]


def _by_kind(route: SeenRoute, link: Link) -> SeenRoute:
    kind = "own address" if route.next_hop in {link.b.ipv4, link.b.ipv6} else route.next_hop
    return replace(route, next_hop=kind)


def _expected(route: Route) -> SeenRoute:
    attributes = route.attributes
    return SeenRoute(
        str(route.prefix),
        tuple(attributes.as_path),
        "own address",
        attributes.med,
        str(attributes.origin),
        frozenset(map(str, attributes.communities)),
        frozenset(map(str, attributes.large_communities)),
        frozenset(map(str, attributes.extended_communities)),
    )


def _renamed(ranks: Sequence[Profile], label: str) -> tuple[Profile, ...]:
    return tuple(
        replace(
            profile,
            name=f"{label}-{profile.name}",
            communities=tuple(c for c in profile.communities if str(c) not in HONOURED),
        )
        for profile in ranks
    )


def _here(topology: Topology) -> tuple[Topology, DataCentre]:
    """Return a topology whose first data centre has our AS, with names of its own for each profile."""
    dc = DataCentre(topology.dcs[0].name, LOCAL_ASN)
    vips = []
    for number, vip in enumerate(topology.vips):
        addresses = tuple(
            replace(address, ranks=_renamed(address.ranks, f"{number}-{at}"))
            for at, address in enumerate(vip.addresses)
        )
        vips.append(replace(vip, addresses=addresses, ranks=_renamed(vip.ranks, str(number))))
    return replace(topology, dcs=(dc, *topology.dcs[1:]), vips=tuple(vips)), dc


@pytest.fixture(scope="module", params=FLAVOURS)
def both(request: pytest.FixtureRequest) -> Iterator[Both]:
    flavour: Flavour = request.param
    require("bird", "vtysh", flavours=(flavour,))
    with Network() as network:
        both = Both(network, flavour)
        yield both
        both.close()


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not NIGHTLY,
    phases=[phase for phase in Phase if phase is not Phase.shrink or NIGHTLY],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(topology=topologies())
def test_same_decision_same_update(both: Both, topology: Topology) -> None:
    """Prefix, AS_PATH, ORIGIN, MED, communities of all kinds and kind of next hop are equal.

    Every second prefix drains softly.
    """
    here, dc = _here(topology)
    own = [*profiles(here), *soft_profiles(here, dc)]
    both.quagga.configure(LOCAL_ASN, SETTINGS, own)
    both.exabgp.configure(LOCAL_ASN, both.settings, WantedRoutes(here, dc))
    desired = {
        prefix: route
        for at, (prefix, duty) in enumerate(assignments(here, dc).items())
        if (route := duty.soft if at % 2 else duty.route)
    }
    both.decide(desired)
    expected = {str(prefix): _expected(route) for prefix, route in desired.items()}
    eventually(
        both.seen,
        until=lambda seen: seen == [expected, expected],
        within=15,
        what=f"on both: {expected}",
    )
