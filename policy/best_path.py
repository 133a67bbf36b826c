"""A model of the decision: which data centre a neutral router chooses (RFC 4271 §9.1.2.2)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from policy.preference import route
from policy.route import ORIGINS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from policy.route import Asn, Attributes, Prefix, Route
    from policy.topology import Address, Topology, Vip

Choice = frozenset[str]
"""The data centres that a router may choose: none where no one announces, several where they tie."""


def best(announcements: Mapping[str, Route], living: Collection[str] | None = None) -> Choice:
    """Return the data centres whose route for one prefix a neutral router may choose.

    Neutral: it has every route with the same degree of preference (RFC 4271 §9.1.1), from a
    session of the same kind, at the same interior cost. Steps a to c of §9.1.2.2 are what a
    data centre can set. What decides after them (router identifiers, peers' addresses, in some
    routers a route's age) is no one's intent, so more than one name is a tie.

    Args:
        announcements: what each data centre announces for the prefix, by name. One that is not in
            it announces nothing.
        living: the data centres that announce at all, None for all of them.
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
        by_neighbour[neighbouring_as(attributes)][name] = attributes
    return frozenset(name for routes in by_neighbour.values() for name in _lowest(routes, _med))


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
    return {dc.name: route(vip, address, dc) for dc in topology.dcs if dc.name in address.prefer}


def choices(topology: Topology, living: Collection[str] | None = None) -> dict[Prefix, Choice]:
    """Return whom a neutral router may choose for each prefix, None for `living` being all."""
    return {
        address.prefix: best(announcements(topology, vip, address), living)
        for vip, address in topology
    }


def succession(topology: Topology, vip: Vip, address: Address) -> tuple[Choice, ...]:
    """Return who has an address when all live, who when those fail, and so on to the last.

    Where nothing is wrong, each has one name, and they are the address's preference.
    """
    left = announcements(topology, vip, address)
    order: list[Choice] = []
    while left:
        order.append(best(left))
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
