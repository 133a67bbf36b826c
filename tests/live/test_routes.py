"""What far peers are sent: every attribute, at every kind of neighbour."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import eq

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.gobgp import GoBgp
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Link, Network
from tests.support.lab.session import FarPeer, SeenRoute, Session
from tests.support.lab.site import Site, vip

DC, OTHER = 64699, 65550
"""The data centre's AS, and another that one neighbour knows it by, which takes 4 bytes."""

RANKED, PROFILED = 8081, 8082
DCS = ("par1", "lyo1", "nce1", "mrs1")
PREPENDS = (0, 1, 2, 3)
PROFILES = {
    "near": {
        "prepends": 1,
        "med": 4294967295,
        "origin": "incomplete",
        "communities": ["64699:100", "65535:0"],
        "large_communities": ["64699:1:2", "4294967295:0:7"],
    },
    "far": {"prepends": 2},
    "farther": {"prepends": 3},
    "farthest": {"prepends": 4},
}


def prefer(rank: int) -> list[str]:
    """Return a preference in which par1 has a rank."""
    others = [name for name in DCS if name != "par1"]
    return [*others[:rank], "par1", *others[rank:]]


TABLES = {
    "dc": {name: {"asn": DC} for name in DCS},
    "policy": {"prepends": list(PREPENDS)},
    "profile": PROFILES,
    "vip": {
        "vip-1.tld": vip(
            *(
                {"ip": address, "prefer": prefer(rank)}
                for rank in PREPENDS
                for address in (f"192.0.2.{rank}", f"2001:db8::{rank + 1}")
            ),
            ports=[RANKED],
        ),
        "vip-2.tld": vip(
            "192.0.2.80", "2001:db8::80", ports=[PROFILED], prefer=list(DCS), ranks=[*PROFILES]
        ),
    },
}
RANK_OF = {
    f"{address}/{length}": rank
    for rank in PREPENDS
    for address, length in ((f"192.0.2.{rank}", 32), (f"2001:db8::{rank + 1}", 128))
}
PROFILE_PREFIXES = ("192.0.2.80/32", "2001:db8::80/128")


@dataclass(frozen=True)
class Neighbor:
    """A neighbour of the data centre: who it is, and what it must see."""

    name: str
    peer: FarPeer
    session: Session
    """As the neighbour's side has it."""

    @property
    def address(self) -> str:
        """The data centre's address on the session."""
        return self.session.remote

    def expected(
        self, next_hop: Mapping[int, str], *, profiled: bool = True
    ) -> dict[str, SeenRoute]:
        """Return the whole table that it must have."""
        asn = self.session.remote_asn
        less = 1 if self.session.local_asn == asn else 0
        table = {}
        for prefix, rank in RANK_OF.items():
            path = (asn,) * (rank + 1 - less)
            table[prefix] = SeenRoute(prefix, path, next_hop[version(prefix)], 0)
        for prefix in PROFILE_PREFIXES if profiled else ():
            table[prefix] = SeenRoute(
                prefix,
                (asn,) * (2 - less),
                next_hop[version(prefix)],
                4294967295,
                "incomplete",
                frozenset({"64699:100", "65535:0"}),
                frozenset({"64699:1:2", "4294967295:0:7"}),
            )
        families = {int(family[-1]) for family in self.session.families}
        return {prefix: route for prefix, route in table.items() if version(prefix) in families}


def version(prefix: str) -> int:
    """Return 4 or 6."""
    return 6 if ":" in prefix else 4


@dataclass(frozen=True)
class Lab:
    """A data centre and all its neighbours."""

    site: Site
    neighbors: tuple[Neighbor, ...]
    link: Link

    def wait_for_sessions(self) -> None:
        """Wait until every session is established."""
        for peer in {id(neighbor.peer): neighbor.peer for neighbor in self.neighbors}.values():
            eventually(
                peer.sessions,
                until=lambda seen: all(seen.values()),
                within=15,
                what="every session established",
            )

    def all_see(self, *, profiled: bool = True) -> None:
        """Wait until every neighbour has exactly what it must have."""
        for neighbor in self.neighbors:
            next_hop = {4: neighbor.session.remote, 6: self.link.b.ipv6}
            expected = neighbor.expected(next_hop, profiled=profiled)
            self.sees(neighbor, expected)

    def sees(self, neighbor: Neighbor, expected: Mapping[str, SeenRoute]) -> None:
        """Wait until a neighbour's table is exactly the expected one."""
        eventually(
            partial(neighbor.peer.routes, neighbor.address),
            until=partial(eq, expected),
            within=5,
            what=f"{expected} at {neighbor.name}",
        )


@pytest.fixture(scope="module")
def site(lab: Network, flavour: Flavour, installed: Installed) -> Lab:
    """par1, by $VIP_DC, with five neighbours: eBGP, iBGP, one of another local AS, one per family."""
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    # More addresses on the same link, because a direct neighbour's next hop must be on it.
    for end, numbers in ((link.a, (1, 3)), (link.b, (2, 4))):
        for number in numbers:
            address = f"198.51.100.{number}/24"
            end.namespace.run("ip", "address", "add", address, "dev", end.device)
    at_bird = {
        "eBGP": link.session(64500, DC),
        "iBGP": Session("198.51.100.1", DC, "198.51.100.2", DC),
        "other local AS": Session("198.51.100.3", 64500, "198.51.100.4", OTHER),
    }
    bird = Bird(link.a.namespace, [*at_bird.values()], options=["allow local as;"])
    gobgp_link = lab.link(lab.host("gobgp"), host)
    at_gobgp = gobgp_link.session_per_family(64501, DC)
    gobgp = GoBgp(gobgp_link.a.namespace, at_gobgp)
    neighbors = [Neighbor(name, bird, session) for name, session in at_bird.items()]
    neighbors += [Neighbor(f"GoBGP {s.transport}", gobgp, s) for s in at_gobgp]
    par1 = Site(
        host,
        flavour,
        installed,
        [neighbor.session.flipped() for neighbor in neighbors],
        TABLES,
        up=[RANKED, PROFILED],
        env={"VIP_DC": "par1"},
    )
    made = Lab(par1, tuple(neighbors), link)
    made.wait_for_sessions()
    return made


def test_a_next_hop_that_a_session_lacks_is_reported(site: Lab) -> None:
    """IPv6 with `next-hop self` goes over IPv6 sessions; for the others `status` has the reason.

    Nothing else suffers, and nothing hangs.
    """
    for neighbor in site.neighbors:
        expected = neighbor.expected({4: neighbor.session.remote, 6: neighbor.session.remote})
        if neighbor.session.transport == "ipv4":
            expected = {prefix: r for prefix, r in expected.items() if version(prefix) == 4}
        site.sees(neighbor, expected)
    for prefix, route in site.site.routes().items():
        assert ("no IPv6 next hop on a session from" in route["reason"]) == (version(prefix) == 6)
    assert site.site.mgmt("-a", "192.0.2.1").returncode == 0

    again = site.site.mgmt("-a", "2001:db8::1")
    assert again.returncode == 1
    assert "no IPv6 next hop on a session from 198.51.100.2" in again.stderr
    assert "next_hop = { ipv6 = … } in vip.toml" in again.stderr

    drained = site.site.mgmt("-d", "2001:db8::1")
    assert (drained.returncode, drained.stderr) == (
        0,
        "bgp_mgt: Deleting route to 2001:db8::1/128\n",
    )
    over_ipv6 = next(n for n in site.neighbors if n.session.transport == "ipv6")
    hop = over_ipv6.session.remote
    expected = over_ipv6.expected({4: hop, 6: hop})
    del expected["2001:db8::1/128"]
    site.sees(over_ipv6, expected)


@pytest.fixture(scope="module")
def explicit(site: Lab) -> Lab:
    """The same data centre, once it was given an explicit IPv6 next hop."""
    site.site.configure({"backend": {"exabgp": {"next_hop": {"ipv6": site.link.b.ipv6}}}})
    site.site.reload()
    site.site.mgmt("-a", "all")
    return site


def test_every_neighbor_has_exactly_its_routes(explicit: Lab) -> None:
    """A healthy VIP is announced with the AS_PATH and attributes of its profile (rule 5).

    To an eBGP neighbour k prepends are k + 1 copies of the local AS that it knows; to an iBGP
    neighbour k copies. MED is 0 unless the profile says otherwise.
    """
    explicit.all_see()


def test_a_dead_vip_goes_everywhere_and_comes_back(explicit: Lab) -> None:
    """When the last realserver dies, every neighbour loses the VIP, and gets it again after."""
    explicit.all_see()
    explicit.site.realservers.close(PROFILED)
    explicit.all_see(profiled=False)
    explicit.site.realservers.open(PROFILED)
    explicit.all_see()


def test_status_shows_what_was_read_back(explicit: Lab) -> None:
    """`status --json` says what an eBGP peer sees, and why."""
    explicit.all_see()
    answer = explicit.site.status()
    assert (answer["dc"], answer["backend"]) == ("par1", "exabgp")
    assert {(peer["address"], peer["asn"], peer["up"]) for peer in answer["peers"]} == {
        (neighbor.session.local, neighbor.session.local_asn, True)
        for neighbor in explicit.neighbors
    }
    routes = {route["prefix"]: route for route in answer["routes"]}
    assert routes.keys() == {*RANK_OF, *PROFILE_PREFIXES}
    for prefix, rank in RANK_OF.items():
        route = routes[prefix]
        assert route["as_path"] == [DC] * (rank + 1)
        shown = [route[k] for k in ("vip", "announced", "rank", "prepends", "realservers")]
        assert shown == ["vip-1.tld", True, rank, PREPENDS[rank], 1]
        assert [route[k] for k in ("health", "intent", "reason")] == [
            "up",
            "auto",
            "up: 1 realserver",
        ]


def test_check_names_the_neighbor_that_drops_prepends(explicit: Lab) -> None:
    """A prepend is a loop to an iBGP neighbour, and to no other (RFC 4271 §9.1.2): `check` names it.

    The BIRD here takes its own AS only because it is told `allow local as`.
    """
    checked = explicit.site.mgmt("check", "--json")
    assert checked.returncode == 2
    found = [item for item in json.loads(checked.stdout)["findings"] if item["code"] == "loop"]
    (internal,) = (n for n in explicit.neighbors if n.name == "iBGP")
    assert [item["object"] for item in found] == [f"peer {internal.session.local}"]


def test_a_neighbor_leaves(explicit: Lab) -> None:
    """A neighbour that ExaBGP's configuration loses takes nothing along.

    ExaBGP answers `error` to what is still meant for it; the others get all their routes.
    """
    explicit.all_see()
    leaving = next(n for n in explicit.neighbors if n.session.remote_asn == OTHER)
    rest = tuple(n for n in explicit.neighbors if n is not leaving)
    exabgp = explicit.site.exabgp
    exabgp.write(replace(explicit.site.config, sessions=[n.session.flipped() for n in rest]).text())
    exabgp.signal(signal.SIGUSR1)
    eventually(
        lambda: leaving.peer.sessions()[leaving.address],
        until=lambda up: not up,
        within=10,
        what="the end of its session",
    )
    remaining = replace(explicit, neighbors=rest)
    explicit.site.realservers.close(PROFILED)
    remaining.all_see(profiled=False)
    explicit.site.realservers.open(PROFILED)
    remaining.all_see()
    eventually(
        lambda: {route["reason"] for route in explicit.site.routes().values()},
        until=partial(eq, {"up: 1 realserver"}),
        within=10,
        what="no complaint in status",
    )
    assert len(explicit.site.status()["peers"]) == len(rest)
