"""Route-maps out at bgpd's neighbours, from any state: nobody ever gets what is kept from it, and in the end each has its own.

The rules that are proved, over any two files, whatever somebody did to bgpd between them, wherever bgpd stops a batch:

1. After no command does a neighbour have a prefix that is kept from it, and that it did not have before.
2. Some cycles later each neighbour has just what it is to have, unless the site's own route-map is at it; and
   nothing of ours is left that nobody uses.
3. A neighbour's own route-map of the site is never replaced, and none of the site's lines is changed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.drain_profile import soft_profiles
from policy.peers import PeerPolicy, PeerRule, Peers, RuledNeighbor
from policy.plan import plan
from policy.route import Asn, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from policy.wanted import WantedRoutes
from speaker.backends.base import BackendError
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.outbound import is_ours
from speaker.config.settings import QuaggaSettings
from speaker.runtime.assemble import profiles
from tests.support.fakes.bgpd_peers import BgpdWithPeers, FakePeer, SentPath
from tests.support.strategies.peers import policies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Attributes, Prefix, Route
    from tests.support.fakes.bgpd import Dialect

ASN = Asn(64699)
OUTBOUND = QuaggaSettings(Path("/usr/bin/vtysh"), "VIP-{profile}", outbound=True)
NAMES = tuple(f"vip-{number}.tld" for number in range(3))
VIPS = tuple(
    Vip(
        name,
        tuple(
            Address(parse_prefix(f"{start}{number}"), ("par1",))
            for start in ("192.0.2.", "2001:db8::")
        ),
        (Profile(f"prepend-{number % 2}", number % 2),),
    )
    for number, name in enumerate(NAMES)
)
ASNS = {"203.0.113.11": 64500, "203.0.113.12": 64501, "2001:db8:ffff::11": int(ASN)}
NEIGHBORS = tuple(RuledNeighbor(ip_address(text)) for text in ASNS)
CYCLES = 5
"""So many are enough: one for what was stopped, one for what left vip.toml, and some for what is read late."""


@st.composite
def sites(draw: st.DrawFn) -> Topology:
    """A file: some of the VIPs, and rules for some of the neighbours."""
    vips = tuple(vip for vip in VIPS if draw(st.booleans()))
    names = [vip.name for vip in vips]
    rules = [
        PeerRule((neighbor,), draw(policies(names)))
        for neighbor in NEIGHBORS
        if draw(st.booleans())
    ]
    peers = Peers(tuple(rule for rule in rules if rule.policy != PeerPolicy()))
    return Topology((DataCentre("par1", ASN),), vips, (), peers)


@dataclass
class Site:
    """A bgpd, and what is wanted of it."""

    bgpd: BgpdWithPeers
    topology: Topology
    wants: frozenset[str]
    """The VIPs that are to be announced."""
    drains: frozenset[str] = frozenset()
    """Those that drain softly."""
    owned: frozenset[Prefix] = frozenset()
    kept: frozenset[tuple[str, Prefix]] = frozenset()
    """What neighbours must not be sent from now on."""
    before: Mapping[str, frozenset[Prefix]] = field(default_factory=dict)

    def take(
        self, topology: Topology, wants: frozenset[str], drains: frozenset[str] = frozenset()
    ) -> None:
        """Take another file. What was kept from a neighbour and left it stays kept until it is withdrawn."""
        now = WantedRoutes(topology, topology.dcs[0])
        mine = {route.prefix for route in now.all()}
        left = {(who, prefix) for who, prefix in self.kept if prefix not in mine}
        self.topology, self.wants, self.drains = topology, wants, drains
        self.owned |= mine
        kept = {
            (who, route.prefix)
            for route in now.all()
            for who in ASNS
            if route.to(ip_address(who)) is None
        }
        self.kept = frozenset(kept | left)
        self.bgpd.watch = self.watch
        self.before = {who: frozenset(peer.rib) for who, peer in self.bgpd.neighbors.items()}

    def watch(self) -> None:
        """Rule 1."""
        for who, peer in self.bgpd.neighbors.items():
            leaked = {p for p in peer.rib if (who, p) in self.kept} - self.before.get(
                who, frozenset()
            )
            assert not leaked, f"{who} was sent {leaked} after {self.bgpd.runs[-1]}"

    def wanted(self, routes: WantedRoutes, prefix: Prefix) -> Route | None:
        """Return the route that is wanted of a prefix."""
        name = name_of(prefix)
        if name not in self.wants:
            return None
        return routes.soft(prefix) if name in self.drains else routes.of(prefix)

    async def cycle(self) -> bool:
        """Read, and have done what is lacking; tell whether nothing is."""
        wanted = WantedRoutes(self.topology, self.topology.dcs[0])
        backend = QuaggaBackend(self.bgpd, pause=no_pause)
        own = [*profiles(self.topology), *soft_profiles(self.topology, self.topology.dcs[0])]
        backend.configure(ASN, OUTBOUND, own, wanted)
        desired = {p: self.wanted(wanted, p) for p in self.topology.prefixes}
        try:
            reading = await backend.read(self.owned)
        except BackendError:
            return False
        changes: Sequence[Change] = plan(desired, reading.routes, self.owned)
        if changes or reading.is_untidy:
            await backend.apply(changes)
        return not changes and not reading.is_untidy


async def no_pause(_: float) -> None:
    """Wait for nothing."""


def expected(asn: int, attributes: Attributes) -> SentPath:
    """Return what a neighbour is to have."""
    asns = attributes.as_path.asns
    return SentPath(
        " ".join(map(str, asns[1:] if asn == ASN else asns)),
        attributes.med or 0,
        frozenset(map(str, attributes.communities)),
        frozenset(map(str, attributes.large_communities)),
        100 if attributes.local_preference is None else attributes.local_preference,
        frozenset(map(str, attributes.extended_communities)),
    )


# --- what somebody does to bgpd --------------------------------------------------------------------


def ours(bgpd: BgpdWithPeers) -> list[str]:
    return [name for name in bgpd.maps if is_ours(name)]


def line_removed(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    bgpd.neighbors[who].maps.pop(version, None)


def line_to_nothing(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    bgpd.neighbors[who].maps[version] = "VIP-OUT-0badcafe"


def map_of_the_site(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    bgpd.maps["SITE"] = {"route-map SITE permit 10": ["set metric 5"]}
    bgpd.neighbors[who].maps[version] = "SITE"


def map_removed(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    bgpd.maps.pop(bgpd.neighbors[who].maps.get(version, ""), None)


def map_changed(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    for lines in bgpd.maps.get(bgpd.neighbors[who].maps.get(version, ""), {}).values():
        lines[:] = ["set metric 99"]


def clause_removed(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    clauses = bgpd.maps.get(bgpd.neighbors[who].maps.get(version, ""), {})
    if len(clauses) > 1:
        del clauses[next(iter(clauses))]


def list_changed(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    name = bgpd.neighbors[who].maps.get(version, "")
    for (_, each), entries in bgpd.lists.items():
        if each.startswith(f"{name}-"):
            entries[:] = [*entries[1:], "seq 99 permit 198.51.100.0/24"]


def lists_removed(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    del who, version
    bgpd.lists.clear()


def half_made(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    """Leave what is to be made, half-made, or an older one that nobody uses."""
    del who, version
    for name in ours(bgpd):
        if len(bgpd.maps[name]) > 1:  # without a clause there is none
            bgpd.maps[name].popitem()
    bgpd.maps["VIP-OUT-00c0ffee"] = {"route-map VIP-OUT-00c0ffee permit 30": []}
    bgpd.lists[4, "VIP-OUT-00c0ffee-kept"] = ["seq 5 permit 192.0.2.9/32"]


def restarted(bgpd: BgpdWithPeers, who: str, version: int) -> None:
    """Have a bgpd that read a file without any of our lines."""
    del who, version
    for name in ours(bgpd):
        del bgpd.maps[name]
    bgpd.lists.clear()
    bgpd.networks.clear()
    bgpd.paths.clear()
    for peer in bgpd.neighbors.values():
        peer.maps = {family: name for family, name in peer.maps.items() if not is_ours(name)}


DEEDS: tuple[Callable[[BgpdWithPeers, str, int], None], ...] = (
    line_removed,
    line_to_nothing,
    map_of_the_site,
    map_removed,
    map_changed,
    clause_removed,
    list_changed,
    lists_removed,
    half_made,
    restarted,
)
TAMPERED = st.lists(
    st.tuples(st.sampled_from(DEEDS), st.sampled_from([*ASNS]), st.sampled_from([4, 6])), max_size=3
)
SOME = st.frozensets(st.sampled_from(NAMES))
STOPS = st.lists(st.integers(0, 60), max_size=2)
"""After how many commands, questions too, bgpd refuses one: of as many cycles."""


@settings(max_examples=60)
@given(
    st.sampled_from(["quagga-1.2.4", "frr-8.4.4", "frr-10.3"]),
    st.tuples(sites(), SOME),
    TAMPERED,
    st.lists(st.tuples(sites(), SOME, SOME, STOPS), min_size=1, max_size=2),
)
def test_from_any_state(
    dialect: Dialect,
    first: tuple[Topology, frozenset[str]],
    tampered: Sequence[tuple[Callable[[BgpdWithPeers, str, int], None], str, int]],
    others: Sequence[tuple[Topology, frozenset[str], frozenset[str], Sequence[int]]],
) -> None:
    """The three rules above."""

    async def run() -> None:
        bgpd = BgpdWithPeers(dialect, neighbors={who: FakePeer(asn) for who, asn in ASNS.items()})
        site = Site(bgpd, first[0], first[1])
        site.take(*first)
        for _ in range(CYCLES):
            await site.cycle()
        bgpd.watch = lambda: None
        for deed, who, version in tampered:
            deed(bgpd, who, version)
        bgpd.send(again=True)
        if tampered:
            site.kept = frozenset()
        theirs = foreign(bgpd)
        for topology, wants, drains, stops in others:
            site.take(topology, wants, drains)
            for stop in stops:
                bgpd.faults[:] = [*[False] * stop, True]
                await site.cycle()
                bgpd.faults.clear()
        for _ in range(CYCLES):
            settled = await site.cycle()
        assert foreign(bgpd) == theirs, "rule 3"
        assert_each_has_its_own(site, settled=settled, theirs=theirs)

    asyncio.run(run())


def name_of(prefix: Prefix) -> str:
    return next(vip.name for vip in VIPS for address in vip.addresses if address.prefix == prefix)


def foreign(bgpd: BgpdWithPeers) -> dict[tuple[str, int], str]:
    return {
        (who, version): name
        for who, peer in bgpd.neighbors.items()
        for version, name in peer.maps.items()
        if not is_ours(name)
    }


def assert_each_has_its_own(
    site: Site, *, settled: bool, theirs: Mapping[tuple[str, int], str]
) -> None:
    """Rule 2."""
    bgpd = site.bgpd
    wanted = WantedRoutes(site.topology, site.topology.dcs[0])
    for_nobody = any(
        all(route.to(ip_address(who)) is None for who in ASNS)
        for route in wanted.all()
        if name_of(route.prefix) in site.wants
    )
    assert settled or theirs or for_nobody, bgpd.runs[-1]
    blocked = {
        route.prefix
        for route in wanted.all()
        for who, _ in route.overrides
        if (str(who), route.prefix.version) in theirs
    }
    for who, peer in bgpd.neighbors.items():
        has = {
            route.prefix: expected(peer.asn, what)
            for prefix in site.topology.prefixes
            if (route := site.wanted(wanted, prefix)) is not None
            and any(route.to(ip_address(each)) is not None for each in ASNS)
            and (what := route.to(ip_address(who))) is not None
        }
        assert {
            p: sent
            for p, sent in peer.rib.items()
            if p not in blocked and (who, p.version) not in theirs
        } == {
            p: sent
            for p, sent in has.items()
            if p not in blocked and (who, p.version) not in theirs
        }
    used = {name for peer in bgpd.neighbors.values() for name in peer.maps.values()}
    assert {*ours(bgpd)} <= used, "what nobody uses is left over"
    assert all(any(name.startswith(f"{each}-") for each in used) for _, name in bgpd.lists)
