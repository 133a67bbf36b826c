"""Equal data centres, a part of them, and each `order`, at one far peer: one beside ExaBGP, one beside FRR."""

from collections.abc import Mapping, Sequence

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.history import TRACE, History
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.site import Site, misses, sees, vip

PORT = 8081
EQUAL, ORDERED, ONLY_PAR1, ONLY_LYO1 = (f"192.0.2.{number}/32" for number in range(1, 5))
BY_COMMUNITY, BY_MED, BY_NOTHING = (
    tuple(f"192.0.2.{tens + number}" for number in range(3)) for tens in (10, 20, 30)
)
TABLES = {
    "dc": {"par1": {"asn": 64699}, "lyo1": {"asn": "0.64698"}, "fra1": {"asn": 64697}},
    "policy": {"max_withdraw": "100%", "order": "community", "ranks": ["near", "mid", "far"]},
    "profile": {
        "near": {"prepends": 0, "communities": ["64500:100"]},
        "mid": {"prepends": 0, "communities": ["64500:90"]},
        "far": {"prepends": 0, "communities": [], "large_communities": ["64500:1:80"]},
        "one": {"prepends": 0},
        "two": {"prepends": 1},
        "three": {"prepends": 2},
        "low": {"prepends": 1, "med": 10},
        "middle": {"prepends": 1, "med": 20},
        "high": {"prepends": 1, "med": 4294967295},
    },
    "vip": {
        "equal.tld": vip("192.0.2.1", ports=[PORT], prefer="equal"),
        "ordered.tld": vip("192.0.2.2", ports=[PORT], prefer=["lyo1", "par1"], only=True)
        | {"order": "prepends", "ranks": ["one", "two", "three"]},
        "par1.tld": vip("192.0.2.3", ports=[PORT], prefer=["par1", "fra1"], only=True),
        "lyo1.tld": vip("192.0.2.4", ports=[PORT], prefer="equal", only=["lyo1", "fra1"]),
        "community.tld": vip(*BY_COMMUNITY, ports=[PORT]),
        "med.tld": vip(*BY_MED, ports=[PORT], order="med", ranks=["low", "middle", "high"]),
        "none.tld": vip(*BY_NOTHING, ports=[PORT], order="none", ranks=["one", "one", "two"]),
    },
}
SENT: Mapping[tuple[str, ...], Sequence[tuple[int, int, set[str]]]] = {
    BY_COMMUNITY: [(1, 0, {"64500:100"}), (1, 0, {"64500:90"}), (1, 0, {"64500:1:80"})],
    BY_MED: [(2, 10, set()), (2, 20, set()), (2, 4294967295, set())],
    BY_NOTHING: [(1, 0, set()), (1, 0, set()), (2, 0, set())],
}
"""The length of AS_PATH, the MED and the communities of each rank: a VIP's n-th address prefers the n-th data centre."""
NOT_HERE = "not announced here: only {}, fra1"


@pytest.fixture
def dcs(lab: Network, flavour: Flavour, installed: Installed) -> tuple[Site, FrrSite, History]:
    """par1 beside ExaBGP and lyo1 beside FRR, at a BIRD with multipath."""
    router, par1, lyo1 = lab.host("router"), lab.host("par1"), lab.host("lyo1")
    one = lab.link(router, par1).session(64500, 64699, families=("ipv4",))
    other = lab.link(router, lyo1).session(64500, 64698, families=("ipv4",))
    bird = Bird(router, [one, other], options=TRACE, multipath=True)
    history = History(bird)
    exabgp = Site(par1, flavour, installed, [one.flipped()], TABLES, up=[PORT])
    frr = Frr(lyo1, config([other.flipped()], asn=64698))
    beside = FrrSite(lyo1, frr, {**TABLES, "node": {"dc": "lyo1"}}, up=[PORT])
    bird.wait_for_sessions()
    return exabgp, beside, history


def orders(bird: Bird) -> None:
    """Each backend sends each rank as its `order` has it: by communities alone, by MED alone, by nothing."""
    for addresses, ranks in SENT.items():
        prefixes = [f"{address}/32" for address in addresses]
        sees(bird, *prefixes)
        for nth, prefix in enumerate(prefixes):
            seen = {
                route.as_path[0]: (
                    len(route.as_path),
                    route.med,
                    {*route.communities, *route.large_communities},
                )
                for route in bird.candidates()[prefix]
            }
            assert seen == {64699: ranks[-nth % 3], 64698: ranks[(1 - nth) % 3]}, prefix


def test_equal_a_part_and_each_order(dcs: tuple[Site, FrrSite, History]) -> None:
    """Equal paths of two ASes tie, and a router with multipath uses both; who is left out never announces."""
    par1, lyo1, history = dcs
    bird = history.bird
    assert lyo1.cron()[0] == 0
    sees(bird, EQUAL, ORDERED, ONLY_PAR1, ONLY_LYO1)
    orders(bird)
    by_par1, by_lyo1 = (next(iter(bird.next_hops(p))) for p in (ONLY_PAR1, ONLY_LYO1))
    eventually(
        lambda: bird.next_hops(EQUAL),
        until=lambda hops: hops == {by_par1, by_lyo1},
        within=15,
        what="both paths of the equal address in the kernel",
    )
    assert [len(route.as_path) for route in bird.candidates()[EQUAL]] == [1, 1]
    assert bird.next_hops(ORDERED) == {by_lyo1}
    assert len(bird.candidates()[ONLY_PAR1]) == len(bird.candidates()[ONLY_LYO1]) == 1

    done = par1.mgmt("-a", "--force", "192.0.2.4")
    said = f"bgp_mgt: {ONLY_LYO1}: stays withdrawn: {NOT_HERE.format('lyo1')}\n"
    assert (done.returncode, done.stderr) == (1, said)
    said = f"bgp_mgt: {ONLY_PAR1}: stays withdrawn: {NOT_HERE.format('par1')}\n"
    assert lyo1.mgmt("-a", "--force", "192.0.2.3") == (1, said)
    for routes, prefix in ((par1.routes(), ONLY_LYO1), (lyo1.routes(), ONLY_PAR1)):
        assert (routes[prefix]["rank"], routes[prefix]["announced"]) == (None, False)
        assert (routes[EQUAL]["rank"], routes[EQUAL]["equal"]) == (0, True)
    assert [len(bird.candidates()[prefix]) for prefix in (ONLY_PAR1, ONLY_LYO1)] == [1, 1]

    assert lyo1.mgmt("-d", "all")[0] == 0
    misses(bird, ONLY_LYO1)
    eventually(
        lambda: bird.next_hops(EQUAL),
        until=lambda hops: hops == {by_par1},
        within=15,
        what="the other path alone",
    )
    by = {p: {event.protocol for event in history.events(p)} for p in (ONLY_PAR1, ONLY_LYO1)}
    assert by == {ONLY_PAR1: {"peer0"}, ONLY_LYO1: {"peer1"}}, "whoever is left out never announced"
