"""Findings at single upstreams, and what can't be known of them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from policy.lint import lint
from policy.lint.finding import Code
from policy.lint.peers import LintedPeer, loops, preferences
from policy.lint.upstreams import unknowable
from policy.peers import PeerPolicy, PeerRule, Peers, RuledNeighbor
from policy.route import Asn, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from policy.wanted import WantedRoutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.lint.finding import Finding

PAR, LYO = (DataCentre(name, Asn(64699)) for name in ("par1", "lyo1"))
AT_PAR, AT_LYO = ip_address("203.0.113.1"), ip_address("203.0.113.2")
RANKS = (Profile.plain(1), Profile.plain(2))
BOTH = (RuledNeighbor(AT_PAR, "par1"), RuledNeighbor(AT_LYO, "lyo1"))


def site(*rules: PeerRule, ranks: Sequence[Profile] = RANKS) -> Topology:
    address = Address(parse_prefix("192.0.2.1"), ("par1", "lyo1"))
    return Topology((PAR, LYO), (Vip("vip-1.tld", (address,), tuple(ranks)),), (), Peers(rules))


def at_upstreams(topology: Topology) -> list[Finding]:
    return [finding for finding in lint(topology) if "peer" in finding.subject]


def transit(policy: PeerPolicy, neighbors: Sequence[RuledNeighbor] = BOTH) -> PeerRule:
    return PeerRule(tuple(neighbors), policy, "transit")


def own(neighbor: RuledNeighbor, policy: PeerPolicy) -> PeerRule:
    return PeerRule((neighbor,), policy)


def test_the_same_everywhere_is_no_finding() -> None:
    """What all data centres change alike keeps their order."""
    assert at_upstreams(site(transit(PeerPolicy(prepends=3, med=7)))) == []


def test_a_tie_at_one_upstream() -> None:
    """Data centres that tie at one upstream only are named with it."""
    (found,) = at_upstreams(site(transit(PeerPolicy(med=7)), own(BOTH[0], PeerPolicy(prepends=1))))
    assert (found.code, found.subject) == (Code.TIE, "peer_group transit: vip-1.tld 192.0.2.1/32")


def test_the_wrong_one_first_at_one_upstream() -> None:
    """A data centre that one upstream prefers, and is not to be the first, is named with it."""
    found = at_upstreams(site(transit(PeerPolicy(med=7)), own(BOTH[0], PeerPolicy(prepends=2))))
    assert [each.code for each in found] == [Code.NOT_FIRST]


def test_no_backup_at_one_upstream() -> None:
    """A VIP that one data centre alone gives an upstream has no backup there."""
    only = own(BOTH[1], PeerPolicy(excepted=frozenset({"vip-1.tld"})))
    found = at_upstreams(site(transit(PeerPolicy(med=7)), only))
    assert [each.code for each in found] == [Code.NO_BACKUP]


def test_the_best_session_of_a_data_centre_counts() -> None:
    """Of several sessions of a data centre with an upstream, that upstream follows the best."""
    second = RuledNeighbor(ip_address("203.0.113.3"), "par1")
    worse = own(second, PeerPolicy(prepends=3))
    assert at_upstreams(site(transit(PeerPolicy(med=7), (*BOTH, second)), worse)) == []


def test_kept_from_an_upstream_by_all() -> None:
    """What nobody gives an upstream is not meant for it."""
    assert at_upstreams(site(transit(PeerPolicy(announce=frozenset())))) == []


def test_what_is_wrong_everywhere_is_said_once() -> None:
    """A tie that is everywhere is no finding of each upstream."""
    ranks = (Profile.plain(1), Profile.plain(1))
    assert at_upstreams(site(transit(PeerPolicy(med=7)), ranks=ranks)) == []


def test_what_can_not_be_known() -> None:
    """Of a neighbour that is in no group of all data centres, it can't be known; communities order nothing."""
    alone = own(BOTH[0], PeerPolicy(prepends=1))
    (note,) = unknowable(site(alone))
    assert note.startswith("not checked: peer 203.0.113.1: can not know")
    assert unknowable(site(own(BOTH[0], PeerPolicy(local_preference=200)))) == ()
    assert unknowable(site(transit(PeerPolicy(prepends=1)))) == ()
    (note,) = unknowable(site(transit(PeerPolicy(prepends=1), BOTH[:1])))
    assert note.startswith("not checked: peer_group transit: can not know")
    listed = [RuledNeighbor(AT_PAR), RuledNeighbor(AT_LYO)]
    assert unknowable(site(transit(PeerPolicy(prepends=1), listed))) == ()
    differ = own(RuledNeighbor(AT_PAR), PeerPolicy(prepends=2))
    notes = unknowable(site(transit(PeerPolicy(prepends=1), listed), differ))
    assert "which neighbor is whose" in "".join(notes)


def test_loops_and_preferences_by_peer() -> None:
    """A peer is judged by what it gets: nothing that is kept from it loops there."""
    topology = site(
        own(RuledNeighbor(AT_PAR), PeerPolicy(excepted=frozenset({"vip-1.tld"}))),
        own(RuledNeighbor(AT_LYO), PeerPolicy(local_preference=200)),
    )
    route = WantedRoutes(topology, PAR).of(parse_prefix("192.0.2.1"))
    assert route is not None
    inside = [LintedPeer(str(each), Asn(64699), Asn(64699)) for each in (AT_PAR, AT_LYO)]
    assert [finding.subject for finding in loops([route], inside)] == [f"peer {AT_LYO}"]
    assert preferences([route], inside) == ()
    outside = [LintedPeer(str(AT_LYO), Asn(64500), Asn(64699))]
    (found,) = preferences([route], outside)
    assert found.code is Code.PEER_POLICY
