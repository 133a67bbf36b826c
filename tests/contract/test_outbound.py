"""The driver for bgpd where single neighbours are to get something else: what it will not do, and in which order, on all dialects."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from policy.peers import PeerPolicy, PeerRule, Peers, RuledNeighbor
from policy.plan import Announce, Change, Drift, Withdraw
from policy.route import parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from policy.wanted import WantedRoutes
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.outbound import is_ours
from speaker.backends.quagga.outbound_writer import TRIES
from tests.contract.peers_worlds import BGPDS, OUTBOUND, all_profiles
from tests.contract.quagga_worlds import SETTINGS, no_pause
from tests.contract.worlds import ASN
from tests.support.fakes.bgpd_peers import BgpdWithPeers, FakePeer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.route import Prefix
    from speaker.backends.base import Reading
    from speaker.config.settings import QuaggaSettings
    from tests.support.fakes.bgpd import Dialect

ONE, TWO = map(parse_prefix, ("192.0.2.1", "192.0.2.2"))
TRANSIT, PEERING = "203.0.113.11", "203.0.113.12"
VIPS = tuple(
    Vip(f"vip-{number}.tld", (Address(prefix, ("par1",)),), (Profile("prepend-0", 0),))
    for number, prefix in ((1, ONE), (2, TWO))
)
NOT_TWO = PeerPolicy(excepted=frozenset({"vip-2.tld"}))


def site(**policies: PeerPolicy) -> Topology:
    """Return a site with rules for transit, peering, or both."""
    names = {"transit": TRANSIT, "peering": PEERING}
    rules = (
        PeerRule((RuledNeighbor(ip_address(names[who])),), policy)
        for who, policy in policies.items()
    )
    return Topology((DataCentre("par1", ASN),), VIPS, (), Peers(tuple(rules)))


@pytest.fixture(params=BGPDS)
def bgpd(request: pytest.FixtureRequest) -> BgpdWithPeers:
    """A bgpd of each dialect, with two neighbours."""
    dialect: Dialect = request.param
    return BgpdWithPeers(dialect, neighbors={TRANSIT: FakePeer(64500), PEERING: FakePeer(64501)})


class Driver:
    """The driver under a file."""

    def __init__(
        self, bgpd: BgpdWithPeers, topology: Topology, settings: QuaggaSettings = OUTBOUND
    ) -> None:
        self.wanted = WantedRoutes(topology, topology.dcs[0])
        self._backend = QuaggaBackend(bgpd, pause=no_pause)
        self._backend.configure(ASN, settings, all_profiles(topology), self.wanted)

    def read(self) -> Reading:
        return asyncio.run(self._backend.read([ONE, TWO]))

    def apply(self, *changes: Change) -> Mapping[Prefix, str]:
        return asyncio.run(self._backend.apply(changes))

    def announce(self, *prefixes: Prefix) -> Mapping[Prefix, str]:
        routes = (self.wanted.of(prefix) for prefix in prefixes)
        return self.apply(*(Announce(route) for route in routes if route is not None))


def ours(bgpd: BgpdWithPeers) -> list[str]:
    return [name for name in bgpd.maps if is_ours(name)] + [name for _, name in bgpd.lists]


def lines(bgpd: BgpdWithPeers, command: str) -> int:
    return sum(line.startswith(command) for run in bgpd.runs for line in run)


def test_nothing_to_do_writes_nothing(bgpd: BgpdWithPeers) -> None:
    """Where all is as wanted, a cycle asks, and changes nothing."""
    driver = Driver(bgpd, site(transit=NOT_TWO))
    assert driver.announce(ONE, TWO) == {}
    assert not driver.read().is_untidy
    count = lines(bgpd, "neighbor ")
    assert driver.announce(ONE) == {}
    assert lines(bgpd, "neighbor ") == count == 1


def test_changed_since_it_was_read(bgpd: BgpdWithPeers) -> None:
    """What is announced goes by what neighbours have in that turn, and not by an older reading."""
    driver = Driver(bgpd, site(transit=NOT_TWO))
    assert driver.announce(ONE) == {}
    driver.read()
    bgpd.neighbors[TRANSIT].maps.clear()
    assert driver.announce(TWO) == {}
    assert TWO not in bgpd.neighbors[TRANSIT].ever
    assert TWO in bgpd.neighbors[PEERING].rib


def test_each_neighbour_is_told_of_where_it_matters(bgpd: BgpdWithPeers) -> None:
    """Of neighbours that bgpd refuses, those are told of that would get this prefix, and no others."""
    bgpd.refused = "neighbor "
    not_one = PeerPolicy(excepted=frozenset({"vip-1.tld"}))
    failures = Driver(bgpd, site(transit=NOT_TWO, peering=not_one)).announce(ONE, TWO)
    assert failures.keys() == {ONE, TWO}
    assert (PEERING in failures[ONE], TRANSIT in failures[ONE]) == (True, False)
    assert (PEERING in failures[TWO], TRANSIT in failures[TWO]) == (False, True)


def many(bgpd: BgpdWithPeers, count: int) -> Topology:
    """Give a bgpd so many neighbours of which none is to get the second VIP."""
    names = [f"203.0.113.{number}" for number in range(101, 101 + count)]
    bgpd.neighbors = {name: FakePeer(64500) for name in names}
    rule = PeerRule(tuple(RuledNeighbor(ip_address(name)) for name in names), NOT_TWO, "transit")
    return Topology((DataCentre("par1", ASN),), VIPS, (), Peers((rule,)))


def test_all_neighbours_that_bgpd_refuses(bgpd: BgpdWithPeers) -> None:
    """Where bgpd refuses every neighbour's line, a turn tries a few: more neighbours take no longer. Turn by turn all are."""
    bgpd.refused = "neighbor "
    driver = Driver(bgpd, many(bgpd, 3 * TRIES))
    tried: set[str] = set()
    for _ in range(4):
        before = len(bgpd.runs)
        assert driver.announce(TWO).keys() == {TWO}
        assert len(bgpd.runs) - before <= 3 * TRIES
        tried |= {line for run in bgpd.runs[before:] if len(run) < TRIES for line in run}
    assert len({line for line in tried if line.startswith("neighbor ")}) == 3 * TRIES


def test_one_of_many_neighbours_that_bgpd_refuses(bgpd: BgpdWithPeers) -> None:
    """One that bgpd refuses keeps none of the others from what they are to have, in a few turns."""
    topology = many(bgpd, 2 * TRIES)
    first = next(iter(bgpd.neighbors))
    bgpd.refused = f"neighbor {first} route-map"
    driver = Driver(bgpd, topology)
    for _ in range(3):
        driver.apply()
    assert [name for name, peer in bgpd.neighbors.items() if not peer.maps] == [first]


def test_a_neighbour_that_bgpd_refuses(bgpd: BgpdWithPeers) -> None:
    """What is not for it as it is, is not announced; all else is; bgpd's words are trouble; and nothing piles up."""
    bgpd.refused = f"neighbor {TRANSIT} route-map"
    driver = Driver(bgpd, site(transit=NOT_TWO, peering=PeerPolicy(prepends=1)))
    for _ in range(4):
        failures = driver.announce(ONE, TWO)
        assert failures.keys() == {TWO}
        assert f"neighbor {TRANSIT} has no route-map out" in failures[TWO]
        assert bgpd.neighbors[PEERING].rib[ONE].path == "64699 64699"
        reading = driver.read()
        assert reading.is_untidy
        assert f"neighbor {TRANSIT}: bgpd: refused" in reading.trouble
        driver.apply()
        assert len(ours(bgpd)) <= 5
    assert TWO not in bgpd.neighbors[TRANSIT].ever


@pytest.mark.parametrize("by_group", [False, True])
def test_the_sites_own_route_map(bgpd: BgpdWithPeers, *, by_group: bool) -> None:
    """At the neighbour, or at its peer-group: refused by name with the remedy, and neither replaced nor touched."""
    bgpd.maps["SITE"] = {"route-map SITE permit 10": []}
    if by_group:
        bgpd.lines = [f" neighbor {TRANSIT} peer-group UP", " neighbor UP route-map SITE out"]
    else:
        bgpd.neighbors[TRANSIT].maps = {4: "SITE"}
    driver = Driver(bgpd, site(transit=NOT_TWO))
    failures = driver.announce(ONE, TWO)
    assert failures.keys() == {TWO}
    said = f"neighbor {TRANSIT} has the site's own route-map SITE out, which is never replaced"
    assert said in failures[TWO]
    reading = driver.read()
    assert said in reading.trouble
    assert not reading.is_untidy, "there is nothing that could be done"
    assert ours(bgpd) == []
    assert bgpd.neighbors[TRANSIT].maps == ({} if by_group else {4: "SITE"})
    assert driver.apply(Withdraw(ONE)) == {}


def test_announced_already_where_the_sites_own_route_map_is(bgpd: BgpdWithPeers) -> None:
    """It is not as decided, and stays; to withdraw it needs nothing of the neighbour."""
    assert Driver(bgpd, site()).announce(TWO) == {}
    bgpd.maps["SITE"] = {"route-map SITE permit 10": []}
    bgpd.neighbors[TRANSIT].maps = {4: "SITE"}
    driver = Driver(bgpd, site(transit=NOT_TWO))
    found = driver.read().routes[TWO]
    assert isinstance(found, Drift)
    assert "SITE" in found.found
    assert driver.announce(TWO).keys() == {TWO}
    assert TWO in bgpd.networks
    assert driver.apply(Withdraw(TWO)) == {}
    assert bgpd.networks == {}


@pytest.mark.parametrize(
    ("line", "is_refused"),
    [("", True), (f" neighbor {TRANSIT} prefix-list MINE out", False)],
)
def test_frrs_policy(line: str, *, is_refused: bool) -> None:
    """Ours would be the only policy, and let out all that bgpd has: refused, unless the site has a filter there."""
    bgpd = BgpdWithPeers("frr-10.3", neighbors={TRANSIT: FakePeer(64500), PEERING: FakePeer(64501)})
    bgpd.cured = False
    bgpd.lines = [line] * bool(line)
    driver = Driver(bgpd, site(transit=NOT_TWO))
    failures = driver.announce(ONE, TWO)
    assert bool(failures) is is_refused
    assert bool(bgpd.neighbors[TRANSIT].maps) is not is_refused
    assert ("no bgp ebgp-requires-policy" in failures.get(TWO, "")) is is_refused


def test_an_ibgp_neighbour_needs_no_policy() -> None:
    """RFC 8212 is of eBGP."""
    bgpd = BgpdWithPeers("frr-10.3", neighbors={TRANSIT: FakePeer(int(ASN)), PEERING: FakePeer(1)})
    bgpd.cured = False
    assert Driver(bgpd, site(transit=NOT_TWO)).announce(TWO) == {}
    assert TWO not in bgpd.neighbors[TRANSIT].ever


def test_without_rules_nothing_of_ours_stays(bgpd: BgpdWithPeers) -> None:
    """Whether anything is announced or not, and whether it is allowed still: it was ours."""
    Driver(bgpd, site(transit=NOT_TWO)).announce(ONE)
    assert len(ours(bgpd)) == 2
    driver = Driver(bgpd, site(), SETTINGS)
    reading = driver.read()
    assert reading.is_untidy
    assert driver.apply() == {}
    assert ours(bgpd) == []
    assert bgpd.neighbors[TRANSIT].maps == {}
    assert not driver.read().is_untidy


def test_names_of_the_site_are_never_removed(bgpd: BgpdWithPeers) -> None:
    """One that looks like ours, and that a network line uses, stays."""
    bgpd.maps["VIP-OUT-transit"] = {"route-map VIP-OUT-transit permit 10": []}
    bgpd.maps["VIP-OUT-0badcafe"] = {"route-map VIP-OUT-0badcafe permit 10": []}
    bgpd.networks[parse_prefix("198.51.100.0/24")] = "VIP-OUT-0badcafe"
    driver = Driver(bgpd, site(transit=NOT_TWO))
    assert driver.announce(ONE, TWO) == {}
    assert bgpd.maps.keys() >= {"VIP-OUT-transit", "VIP-OUT-0badcafe"}


def test_beside_what_sees_to_it(bgpd: BgpdWithPeers) -> None:
    """Without permission, neighbours are looked at: one that was sent what is not for it is a drift."""
    Driver(bgpd, site()).announce(ONE, TWO)
    driver = Driver(bgpd, site(transit=NOT_TWO), SETTINGS)
    driver.read()
    routes = driver.read().routes
    assert routes[ONE] == driver.wanted.of(ONE)
    assert routes[TWO] == Drift(f"not to be sent to, and sent to {TRANSIT}")
    bgpd.maps["SITE"] = {"route-map SITE permit 10": [], "route-map SITE deny 5": []}
    bgpd.neighbors[TRANSIT].maps = {4: "SITE"}
    bgpd.send(again=True)
    assert driver.read().routes[TWO] == driver.wanted.of(TWO)
    assert ours(bgpd) == []


def test_what_is_half_made_is_made_from_the_start(bgpd: BgpdWithPeers) -> None:
    """As after a batch that ended half-way: it is removed first."""
    wanted = site(transit=NOT_TWO)
    Driver(bgpd, wanted).announce(ONE)
    (name,) = bgpd.maps.keys() - {"VIP-prepend-0"}
    bgpd.neighbors[TRANSIT].maps.clear()
    bgpd.maps[name].popitem()
    assert Driver(bgpd, wanted).announce(TWO) == {}
    assert bgpd.neighbors[TRANSIT].maps == {4: name}
    assert TWO not in bgpd.neighbors[TRANSIT].ever
    assert not Driver(bgpd, wanted).read().is_untidy


def test_who_is_not_to_get_it_is_not_waited_for(bgpd: BgpdWithPeers) -> None:
    """An operator waits for those that are to get it, and for a withdrawal from all."""
    waited: list[float] = []

    async def pause(seconds: float) -> None:
        waited.append(seconds)

    topology = site(transit=NOT_TWO)
    assert Driver(bgpd, topology).announce(TWO) == {}
    Driver(bgpd, topology).read()  # what was just added is the best a moment later
    backend = QuaggaBackend(bgpd, pause=pause)
    backend.configure(
        ASN, OUTBOUND, all_profiles(topology), WantedRoutes(topology, topology.dcs[0])
    )
    asyncio.run(backend.until_sent([TWO]))
    assert waited == []
    bgpd.neighbors[PEERING].maps = {4: "NOTHING"}
    bgpd.send(again=True)
    asyncio.run(backend.until_sent([TWO]))
    assert sum(waited) > 1


def test_a_rule_that_comes_and_goes(bgpd: BgpdWithPeers) -> None:
    """What is announced is taken from the neighbour, and given back: a Quagga has to be told."""
    assert Driver(bgpd, site()).announce(ONE, TWO) == {}
    for topology, has in ((site(transit=NOT_TWO), {ONE}), (site(), {ONE, TWO})):
        driver = Driver(bgpd, topology)
        before = driver.read()
        assert isinstance(before.routes[TWO], Drift)
        assert driver.announce(TWO) == {}
        assert bgpd.neighbors[TRANSIT].rib.keys() == has
        assert bgpd.neighbors[PEERING].rib.keys() == {ONE, TWO}


def test_what_left_the_file_is_kept_back_until_it_is_withdrawn(bgpd: BgpdWithPeers) -> None:
    """Somebody asks for another VIP alone, before the pass that withdraws it."""
    Driver(bgpd, site(transit=NOT_TWO)).announce(ONE, TWO)
    less = Topology((DataCentre("par1", ASN),), VIPS[:1])
    assert Driver(bgpd, less).announce(ONE) == {}
    assert TWO in bgpd.networks
    assert TWO not in bgpd.neighbors[TRANSIT].ever
    assert Driver(bgpd, less).apply(Withdraw(TWO)) == {}
    Driver(bgpd, less).read()
    assert Driver(bgpd, less).apply() == {}
    assert ours(bgpd) == []
