"""A model of the decision: which data centre a neutral router chooses (RFC 4271 §9.1.2.2)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from policy.order import Order
from policy.preference import profile
from policy.route import ORIGINS, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from policy.route import Asn, Attributes, Prefix
    from policy.topology import Address, Topology, Vip

Choice = frozenset[str]
"""The data centres that a router may choose: none where no one announces, several where they tie."""


def best(
    announcements: Mapping[str, Route],
    living: Collection[str] | None = None,
    *,
    always_compare_med: bool = False,
) -> Choice:
    """Return the data centres whose route for one prefix a neutral router may choose.

    Neutral: it has every route with the same degree of preference (RFC 4271 §9.1.1), from a
    session of the same kind, at the same interior cost. Steps a to c of §9.1.2.2 are what a
    data centre can set. What decides after them (router identifiers, peers' addresses, in some
    routers a route's age) is no one's intent, so more than one name is a tie.

    Args:
        announcements: what each data centre announces for the prefix, by name. One that is not in
            it announces nothing.
        living: the data centres that announce at all, None for all of them.
        always_compare_med: whether the router compares MEDs of different neighbouring ASes, too.
    """
    left = {
        name: route.attributes
        for name, route in announcements.items()
        if living is None or name in living
    }
    left = _lowest(left, lambda attributes: len(attributes.as_path))
    left = _lowest(left, lambda attributes: ORIGINS.index(attributes.origin))
    by_neighbour: dict[Asn | None, dict[str, Attributes]] = defaultdict(dict)
    for name, attributes in left.items():
        neighbour = None if always_compare_med else neighbouring_as(attributes)
        by_neighbour[neighbour][name] = attributes
    return frozenset(name for routes in by_neighbour.values() for name in _lowest(routes, _med))


def best_by(
    order: Order,
    prefer: Sequence[str],
    announcements: Mapping[str, Route],
    living: Collection[str] | None = None,
) -> Choice:
    """Return the data centres that an upstream may choose, which does as the site orders. See `best`.

    By `med`: it compares the MEDs of different neighbouring ASes. By `community`: it gives the routes of
    each rank a LOCAL_PREF by their communities, the higher the better the rank, and those with the same
    communities the same.

    Args:
        order: by what the site orders.
        prefer: the data centres, first choice first.
        announcements: what each announces.
        living: those that announce at all, None for all of them.
    """
    if order is Order.MED:
        return best(announcements, living, always_compare_med=True)
    if order is not Order.COMMUNITY:
        return best(announcements, living)
    places: dict[object, int] = {}
    for place, name in enumerate((*prefer, *announcements)):
        if name in announcements:
            places.setdefault(_communities(announcements[name].attributes), place)
    alive = announcements.keys() & (announcements.keys() if living is None else living)
    first = {name: places[_communities(announcements[name].attributes)] for name in alive}
    return best(announcements, [n for n in alive if first[n] == min(first.values())])


def _communities(attributes: Attributes) -> tuple[object, object]:
    return attributes.communities, attributes.large_communities


def strength(attributes: Attributes) -> tuple[int, int, int]:
    """Return by what a route of one data centre goes before another of its own: the lowest is the best."""
    return len(attributes.as_path), ORIGINS.index(attributes.origin), _med(attributes)


def neighbouring_as(attributes: Attributes) -> Asn | None:
    """Return the first AS in the path: only routes that agree in it have comparable MEDs."""
    return next(iter(attributes.as_path), None)


def _med(attributes: Attributes) -> int:
    """Return the MED: absent is the lowest (RFC 4271 §9.1.2.2 c)."""
    return attributes.med or 0


def _lowest(
    routes: Mapping[str, Attributes], value: Callable[[Attributes], int]
) -> dict[str, Attributes]:
    """Return the routes of which a value is the lowest."""
    lowest = min(map(value, routes.values()), default=0)
    return {name: each for name, each in routes.items() if value(each) == lowest}


def announcements(topology: Topology, vip: Vip, address: Address) -> dict[str, Route]:
    """Return what each data centre announces for an address when it announces it, by name."""
    # Marks are left out: they tell data centres apart, and are no one's to choose by.
    return {
        dc.name: Route(address.prefix, profile(vip, address, dc).attributes(dc.asn))
        for dc in topology.dcs
        if dc.name in address.prefer
    }


def choices(topology: Topology, living: Collection[str] | None = None) -> dict[Prefix, Choice]:
    """Return whom an upstream may choose for each prefix, None for `living` being all. See `best_by`."""
    return {
        address.prefix: best_by(
            vip.order, address.prefer, announcements(topology, vip, address), living
        )
        for vip, address in topology
    }


def succession(topology: Topology, vip: Vip, address: Address) -> tuple[Choice, ...]:
    """Return who has an address when all live, who when those fail, and so on to the last.

    Where nothing is wrong, each has one name, and they are the address's preference; or, of an
    address for which all are equal, the first one has all.
    """
    left = announcements(topology, vip, address)
    order: list[Choice] = []
    while left:
        order.append(best_by(vip.order, address.prefer, left))
        left = {name: route for name, route in left.items() if name not in order[-1]}
    return tuple(order)


def shares(topology: Topology, chosen: Iterable[Choice]) -> dict[str, float]:
    """Return each data centre's share of the addresses that are chosen anywhere, 0 to 1, by name.

    An address for which several tie counts for each in equal parts; one that no one announces
    counts for none.
    """
    counts = {dc.name: 0.0 for dc in topology.dcs}
    held = [names for names in chosen if names]
    for names in held:
        for name in names:
            counts[name] += 1 / len(names)
    return {name: count / len(held) if held else 0.0 for name, count in counts.items()}
