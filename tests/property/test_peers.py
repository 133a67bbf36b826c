"""What single neighbours get: the sum of rules, whatever their order; and that rule 6 holds at each upstream."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.assignment import assignments
from policy.best_path import best
from policy.errors import PolicyError
from policy.lint.upstreams import upstreams
from policy.peers import PeerPolicy, PeerRule, Peers, RuledNeighbor
from policy.route import Attributes, Route
from policy.wanted import WantedRoutes
from tests.support.strategies import policy as made
from tests.support.strategies.peers import NAMES, policies, site_peers

if TYPE_CHECKING:
    from policy.topology import Topology

POLICY = policies()


def added(one: PeerPolicy, other: PeerPolicy) -> PeerPolicy | str:
    try:
        return one.and_also(other)
    except PolicyError:
        return "refused"


@given(POLICY, POLICY)
def test_the_sum_knows_no_order(one: PeerPolicy, other: PeerPolicy) -> None:
    """Two groups give a neighbour the same, whichever stands first, or both orders are refused."""
    assert added(one, other) == added(other, one)


@given(POLICY)
def test_a_policy_is_idempotent(one: PeerPolicy) -> None:
    """Saying it twice says no more, and saying nothing changes nothing."""
    assert added(one, one) == one.over(one) == one
    assert added(one, PeerPolicy()) == added(PeerPolicy(), one) == one


@given(POLICY, POLICY, POLICY)
def test_the_sum_of_three(one: PeerPolicy, two: PeerPolicy, three: PeerPolicy) -> None:
    """Three groups give the same, however they are added, where none is refused."""
    left, right = added(one, two), added(two, three)
    if isinstance(left, PeerPolicy) and isinstance(right, PeerPolicy):
        assert added(left, three) == added(one, right)


@given(POLICY, POLICY, made.attributes(), st.sampled_from(NAMES))
def test_what_any_rule_keeps_back_is_kept_back(
    one: PeerPolicy, other: PeerPolicy, attributes: Attributes, vip: str
) -> None:
    """A neighbour has a VIP where all of its rules let it, with all of their communities."""
    both = one.over(other)
    assert both.lets(vip) is (one.lets(vip) and other.lets(vip))
    seen = both.applied(vip, attributes)
    assert (seen is None) is not both.lets(vip)
    if seen is not None:
        assert {*seen.communities} == {
            *attributes.communities,
            *one.communities,
            *other.communities,
        }
        more = one.prepends if one.prepends is not None else other.prepends
        if attributes.as_path.asns:
            assert len(seen.as_path) == len(attributes.as_path) + (more or 0)
        assert {*seen.as_path} == {*attributes.as_path}


@st.composite
def sites(draw: st.DrawFn) -> Topology:
    found = draw(made.topologies())
    names = [vip.name for vip in found.vips]
    return replace(found, peers=draw(site_peers([dc.name for dc in found.dcs], names)))


@given(sites(), st.randoms())
def test_the_order_of_rules_means_nothing(site: Topology, dice: st.DataObject) -> None:
    """However the tables of vip.toml are ordered, each neighbour gets the same."""
    rules = [*site.peers.rules]
    dice.shuffle(rules)  # type: ignore[attr-defined]  # it is random.Random
    for dc in site.dcs:
        assert Peers(tuple(rules)).at(dc.name) == site.peers.at(dc.name)


@given(sites())
def test_each_neighbour_gets_what_its_rules_say(site: Topology) -> None:
    """A route's overrides are what the rules make of it, for those alone to whom that is another."""
    for dc in site.dcs:
        here = site.peers.at(dc.name).policies
        wanted = WantedRoutes(site, dc)
        plain = assignments(replace(site, peers=Peers()), dc)
        for prefix, duty in assignments(site, dc).items():
            route, usual = duty.route, plain[prefix].route
            assert route == wanted.of(prefix)
            if route is None or usual is None:
                assert route is usual
                continue
            assert route.attributes == usual.attributes
            assert all(what != route.attributes for _, what in route.overrides)
            for address in made.PEERS:
                policy = here.get(address, PeerPolicy())
                assert route.to(address) == policy.applied(duty.vip.name, usual.attributes)
            assert Route.parse(str(route)) == route


@given(made.topologies(), policies(limits=False), st.data())
def test_rule_6_at_a_shared_upstream(
    site: Topology, policy: PeerPolicy, data: st.DataObject
) -> None:
    """Rule 6: what all data centres send an upstream by one group is ordered there as everywhere.

    "For every address whose preference is an order, and every non-empty set of living DCs, exactly one
    DC is strictly best."
    """
    group = PeerRule((RuledNeighbor(made.PEERS[0]),), policy, "transit")
    site = replace(site, peers=Peers((group,)))
    living = data.draw(st.sets(st.sampled_from([dc.name for dc in site.dcs]), min_size=1))
    for vip, address in site:
        routes = {
            dc.name: route
            for dc in site.dcs
            if (route := WantedRoutes(site, dc).of(address.prefix)) is not None
        }
        there = {
            name: Route(route.prefix, attributes)
            for name, route in routes.items()
            if (attributes := route.to(made.PEERS[0])) is not None
        }
        assert best(there, living) == best(routes, living), vip.name
    found = [finding for finding in upstreams(site) if finding.code != "path-too-long"]
    assert found == []


@given(POLICY, POLICY)
def test_its_own_table_goes_first(own: PeerPolicy, group: PeerPolicy) -> None:
    """A number of a neighbour's own table counts; one that it does not give is the group's."""
    near = (RuledNeighbor(made.PEERS[0]),)
    here = Peers((PeerRule(near, group, "transit"), PeerRule(near, own))).at("")
    found = here.policies[made.PEERS[0]]
    for mine, theirs, number in (
        (own.prepends, group.prepends, found.prepends),
        (own.med, group.med, found.med),
        (own.local_preference, group.local_preference, found.local_preference),
    ):
        assert number == (theirs if mine is None else mine)


@given(POLICY, st.sampled_from(["", "par1", "lyo1"]))
def test_another_data_centres_rule(policy: PeerPolicy, whose: str) -> None:
    """A rule holds where it is said to, or everywhere where that is not said."""
    peers = Peers((PeerRule((RuledNeighbor(made.PEERS[0], whose),), policy),))
    assert bool(peers.at("par1")) is (whose in ("", "par1"))
    assert bool(peers.at("lyo1")) is (whose in ("", "lyo1"))


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("prepends", (PeerPolicy(prepends=1), PeerPolicy(prepends=2))),
        ("med", (PeerPolicy(med=1), PeerPolicy(med=2))),
        ("local_preference", (PeerPolicy(local_preference=1), PeerPolicy(local_preference=2))),
    ],
)
def test_two_groups_that_disagree(name: str, pair: tuple[PeerPolicy, PeerPolicy]) -> None:
    """Two groups that give a neighbour different numbers are refused."""
    near = (RuledNeighbor(made.PEERS[0]),)
    with pytest.raises(PolicyError, match=f"{near[0].address}: {name} is 1 and 2"):
        Peers(tuple(PeerRule(near, policy, f"g-{index}") for index, policy in enumerate(pair)))
