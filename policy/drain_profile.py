"""The route of a data centre while it drains softly: every other one is preferred, whatever a site orders by.

Its AS_PATH is longer than that of any rank of any data centre, and longer still by its rank, so that of two
that drain at once one is preferred. Where upstreams go by communities, it has those of the last rank. Its MED is
greater than any, and LOCAL_PREF is 0, which only iBGP peers are sent. Of data centres that are equal, those that
drain stay equal to each other, and behind all others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.order import Order
from policy.preference import rank
from policy.route import MAX_MED, Route
from policy.topology import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.drain import DrainRule
    from policy.route import Attributes, Override
    from policy.topology import Address, DataCentre, Topology, Vip


def longest(ranks: Sequence[Profile], rule: DrainRule, place: int, more: int = 0) -> int:
    """Return how many prepends a route has while it drains.

    Args:
        ranks: the profiles of those that announce it.
        rule: the VIP's.
        place: the rank of the data centre that drains.
        more: how many more prepends any neighbour of any data centre gets.
    """
    return max(profile.prepends for profile in ranks) + more + rule.prepends + place


class SoftRoutes:
    """The routes of a data centre's VIPs while they drain. Those of the same ranks share their attributes.

    Args:
        topology: all data centres, VIPs, and what single neighbours get.
        dc: the data centre.
    """

    def __init__(self, topology: Topology, dc: DataCentre) -> None:
        policies = [rule.policy for rule in topology.peers.rules]
        self._dc = dc
        self._here = topology.peers.at(dc.name)
        self._more = max((policy.prepends or 0 for policy in policies), default=0)
        self._med = max((policy.med or 0 for policy in policies), default=0)
        self._known: dict[tuple[object, ...], tuple[object, Profile, Attributes]] = {}
        self._given: dict[tuple[int, Attributes], tuple[Override, ...]] = {}

    def profile(self, vip: Vip, address: Address) -> Profile:
        """Return the profile of an address, which this data centre announces, while it drains."""
        return self._of(vip, address)[1]

    def route(self, vip: Vip, address: Address) -> Route:
        """Return the route of an address, which this data centre announces, while it drains."""
        attributes = self._of(vip, address)[2]
        route = Route(address.prefix, attributes)
        if not self._here.policies:
            return route
        given = self._here.route(vip.name, route).overrides
        key = (
            id(given),
            attributes,
        )  # routes of which the same neighbours get the same share it, for ever
        if (overrides := self._given.get(key)) is None:
            last = (self._last(each, attributes) for each in given)
            overrides = tuple(each for each in last if each[1] != attributes)
            self._given[key] = overrides
        return replace(route, overrides=overrides)

    def _last(self, override: Override, usual: Attributes) -> Override:
        """Return what a neighbour gets: its own numbers must not make it prefer what drains."""
        neighbor, what = override
        if what is None:
            return override
        med = max(what.med or 0, usual.med or 0)
        return neighbor, replace(what, med=med, local_preference=0)

    def _of(self, vip: Vip, address: Address) -> tuple[object, Profile, Attributes]:
        ranks, place = address.ranks or vip.ranks, rank(address, self._dc)
        key = id(ranks), address.needed, place, vip.order, id(vip.drain)
        if (found := self._known.get(key)) is None:
            made = self._made(ranks[: address.needed], place, vip)
            # What is kept with it keeps its id.
            found = self._known[key] = (ranks, vip.drain), made, self._dc.attributes(made)
        return found

    def _made(self, ranks: Sequence[Profile], place: int, vip: Vip) -> Profile:
        rule = vip.drain
        prepends = longest(ranks, rule, place, self._more)
        own = ranks[-1] if vip.order is Order.COMMUNITY else ranks[place]
        med = max(self._med, *(profile.med for profile in ranks))
        return Profile(
            f"drain-{prepends}",
            prepends,
            min(med + 1 + place, MAX_MED),
            own.origin,
            (*own.communities, *rule.communities),
            own.large_communities,
            0,
            own.extended_communities,
        )


def soft_profiles(topology: Topology, dc: DataCentre) -> tuple[Profile, ...]:
    """Return the profiles with which a data centre's VIPs drain, each once. No rank's, and no other, has its name."""
    routes = SoftRoutes(topology, dc)
    found: dict[Profile, None] = {}
    ranks: dict[int, Sequence[Profile]] = {}
    for vip, address in topology:
        ranks |= {id(each): each for each in (vip.ranks, address.ranks) if each}
        if dc.name in address.prefer:
            found[routes.profile(vip, address)] = None
    taken = {profile.name for each in ranks.values() for profile in each}
    named = []
    for profile in found:
        name, number = profile.name, 1
        while name in taken:
            name, number = f"{profile.name}-{number + 1}", number + 1
        taken.add(name)
        named.append(replace(profile, name=name))
    return tuple(named)
