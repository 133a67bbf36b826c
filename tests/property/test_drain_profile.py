"""What drains softly is preferred nowhere: by no upstream, in no order, whatever else lives or drains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.assignment import assignments
from policy.best_path import announcements, best
from policy.drain import MAX_MORE, DrainRule
from policy.drain_profile import SoftRoutes, soft_profiles
from policy.order import Order
from policy.peers import PeerPolicy, PeerRule, Peers, RuledNeighbor
from policy.route import MAX_MED
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policy.route import Attributes, IpAddress, Route
    from policy.topology import Address, Topology, Vip

NEIGHBORS: tuple[IpAddress, ...] = tuple(made.HOSTS_V4[n].network_address for n in range(3))


@st.composite
def drained_sites(draw: st.DrawFn) -> Topology:
    """Every kind of preference and order, each VIP with a rule of its own, and neighbours with theirs."""
    found = draw(made.wider_topologies())
    more = st.builds(DrainRule, prepends=st.sampled_from([1, 3, MAX_MORE]))
    vips = tuple(replace(vip, drain=draw(more)) for vip in found.vips)
    policies = st.builds(
        PeerPolicy,
        prepends=st.sampled_from([None, 0, 2]),
        med=st.sampled_from([None, 0, 7]),
        local_preference=st.sampled_from([None, 100, 200]),
    )
    rules = tuple(
        PeerRule((RuledNeighbor(address),), draw(policies))
        for address in draw(st.lists(st.sampled_from(NEIGHBORS), unique=True))
    )
    return replace(found, vips=vips, peers=Peers(rules))


def heard(
    topology: Topology, vip: Vip, address: Address, draining: Iterable[str], by: IpAddress
) -> tuple[dict[str, Route], set[str]]:
    """Return what an upstream hears, which is the same neighbour of all, and who of them drains."""
    drain = {*draining} & {*address.prefer}
    found = announcements(topology, vip, address)
    for dc in topology.dcs:
        if dc.name in found:
            here = topology.peers.at(dc.name)
            route = here.route(vip.name, found[dc.name])
            if dc.name in drain:
                route = SoftRoutes(topology, dc).route(vip, address)
            attributes = route.to(by)
            assert attributes is not None
            found[dc.name] = replace(route, attributes=attributes, overrides=())
    return found, drain


def chosen(
    order: Order, address: Address, heard: Mapping[str, Route], ranks: Mapping[str, int]
) -> frozenset[str]:
    """Return whom an upstream chooses that orders as the site does, and knows nothing of RFC 8326."""
    if order is Order.COMMUNITY and not address.equal and heard:
        first = min(ranks[name] for name in heard)
        heard = {name: route for name, route in heard.items() if ranks[name] == first}
    return best(heard, always_compare_med=order is Order.MED)


@given(
    drained_sites(),
    st.sets(st.sampled_from(made.DC_NAMES)),
    st.sets(st.sampled_from(made.DC_NAMES)),
    st.sampled_from(NEIGHBORS),
)
def test_who_drains_is_last(
    topology: Topology, draining: set[str], dead: set[str], by: IpAddress
) -> None:
    """Those that live and do not drain are chosen from as if no other were there; of none, the best rank is.

    Whichever way an upstream looks: by what the site orders with, and knowing nothing of RFC 8326; as an iBGP
    peer, by LOCAL_PREF. Where all are equal, they stay so among themselves.
    """
    for vip, address in topology:
        routes, drain = heard(topology, vip, address, draining, by)
        alive = {name: route for name, route in routes.items() if name not in dead}
        staying = {name: route for name, route in alive.items() if name not in drain}
        last = len(address.prefer) - 1
        places = {n: last if n in drain else address.prefer.index(n) for n in alive}
        pick, inside = chosen(vip.order, address, alive, places), inside_as(alive)
        if staying:
            assert pick == chosen(vip.order, address, staying, places)
            assert inside.keys() <= staying.keys()
        elif alive:
            first = min(alive, key=address.prefer.index)
            assert pick == best(inside) == ({*alive} if address.equal else {first})


def inside_as(routes: Mapping[str, Route]) -> dict[str, Route]:
    """Return the routes that an iBGP peer of all prefers by LOCAL_PREF."""
    value = {name: preference(route.attributes) for name, route in routes.items()}
    return {name: routes[name] for name in routes if value[name] == max(value.values())}


def preference(attributes: Attributes) -> int:
    return 100 if attributes.local_preference is None else attributes.local_preference


@given(drained_sites())
def test_what_it_has(topology: Topology) -> None:
    """It has GRACEFUL_SHUTDOWN, LOCAL_PREF 0 and the greatest MED, for every neighbour that gets it at all."""
    for dc in topology.dcs:
        for duty in assignments(topology, dc).values():
            assert (duty.soft is None) == (duty.route is None)
            if duty.soft is None or duty.route is None:
                continue
            for by in NEIGHBORS:
                soft, usual = duty.soft.to(by), duty.route.to(by)
                assert (soft is None) == (usual is None)
                if soft is None or usual is None:
                    continue
                assert {*duty.vip.drain.communities} <= {*soft.communities}
                assert soft.local_preference == 0
                assert min((usual.med or 0) + 1, MAX_MED) <= (soft.med or 0)
                if duty.vip.order is Order.COMMUNITY:
                    ranks = duty.address.ranks or duty.vip.ranks
                    assert {*ranks[duty.address.needed - 1].communities} <= {*soft.communities}
                assert {*soft.as_path} == {dc.asn}
                assert len(soft.as_path) >= len(usual.as_path) + duty.vip.drain.prepends


@given(drained_sites())
def test_longest(topology: Topology) -> None:
    """Its AS_PATH is longer than any other of the address, seen from anywhere; of two that drain, they differ."""
    for vip, address in topology:
        usual = [
            route for by in NEIGHBORS for route in heard(topology, vip, address, (), by)[0].values()
        ]
        usual += announcements(topology, vip, address).values()
        soft = [heard(topology, vip, address, address.prefer, by)[0] for by in NEIGHBORS]
        shortest = [min(len(each[n].attributes.as_path) for each in soft) for n in address.prefer]
        assert min(shortest) > max(len(route.attributes.as_path) for route in usual)
        lengths = [len(soft[0][name].attributes.as_path) for name in address.prefer]
        assert lengths == sorted(lengths)
        assert len({*lengths}) == (1 if address.equal else len(lengths))


@given(drained_sites())
def test_names(topology: Topology) -> None:
    """Each profile has a name of its own, and there is one for each route."""
    for dc in topology.dcs:
        found = soft_profiles(topology, dc)
        assert len({profile.name for profile in found}) == len(found)
        given = {dc.attributes(profile) for profile in found}
        wanted = {duty.soft.attributes for duty in assignments(topology, dc).values() if duty.soft}
        assert wanted <= given


@given(drained_sites())
def test_names_that_a_site_uses(topology: Topology) -> None:
    """None has the name of a rank's profile: bgpd would have one route-map for both, changed for ever."""
    for dc in topology.dcs:
        for name in {profile.name for profile in soft_profiles(topology, dc)}:
            vips = tuple(
                replace(vip, ranks=tuple(replace(profile, name=name) for profile in vip.ranks))
                for vip in topology.vips
            )
            site = replace(topology, vips=vips)
            used = {p.name for vip, a in site for p in (*vip.ranks, *(a.ranks or ()))}
            assert used.isdisjoint(profile.name for profile in soft_profiles(site, dc))
