"""One address: who announces it, in which order or equally, and what is to be said of that."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from policy.order import Order
from policy.route import ORIGINS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Attributes, Prefix
    from speaker.migration.target.site import Site

STRONGEST = (Order.PREPENDS, Order.MED, Order.NONE)
"""What is in order by one of them is so by the next as well."""


class Preference(NamedTuple):
    """The data centres that announce an address, first choice first.

    `told` is what is assumed, `note` what should be looked at; empty where there is no such.
    """

    sites: tuple[Site, ...]
    order: Order = Order.PREPENDS
    equal: bool = False
    told: str = ""
    note: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the data centres."""
        return tuple(site.name for site in self.sites)


def preference(prefix: Prefix, sites: Sequence[Site]) -> Preference:
    """Find the preference of an address in what all data centres announce.

    Args:
        prefix: it, which one of them announces at least.
        sites: all data centres.
    """
    having = [site for site in sites if prefix in site.routes]
    found = _among(prefix, having)
    lacking = [site for site in sites if prefix not in site.routes]
    if not lacking:
        return found
    why = "; ".join(f"{site.name} does not: {_why(prefix, site)}" for site in lacking)
    part = f"only {_and(found.names)} announces it, as {why}; imported so, by only"
    return found._replace(note="; ".join(filter(None, (part, found.note))))


def _among(prefix: Prefix, sites: Sequence[Site]) -> Preference:
    """Find the preference among those that announce an address."""
    routes = {site.name: site.routes[prefix].attributes for site in sites}
    ordered = tuple(sorted(sites, key=lambda site: _decides(routes[site.name])))
    places = [_decides(routes[site.name]) for site in ordered]
    names = _and([site.name for site in ordered])
    if all(one[0] < other[0] for one, other in pairwise(places)):
        return Preference(ordered)
    if all(profile_key(a) == profile_key(b) for a, b in pairwise(routes.values())):
        said = (
            f'{names} announce it alike: imported with prefer = "equal"; where that is not meant, '
        )
        return Preference(tuple(sites), equal=True, told=said + "order them by prefer")
    if all(one < other for one, other in pairwise(places)):
        said = (
            f'AS_PATHs of {names} are equally long: imported with order = "med", by origin and MED'
        )
        return Preference(ordered, Order.MED, told=said)
    if len({*places}) == 1 and len({_communities(each) for each in routes.values()}) == 1:
        note = (
            f"{names} announce equal paths with different extended communities, which order nothing: "
            'imported with order = "none"'
        )
    elif len({*places}) == 1:
        note = (
            f'{names} announce equal paths with different communities: imported with order = "none"; '
            'where upstreams order by them, write order = "community", and prefer in their order'
        )
    else:
        tied = [site.name for site, n in zip(ordered, places, strict=True) if places.count(n) > 1]
        note = (
            f'{_and(tied)} tie, and the others do not: imported with order = "none"; give each rank '
            "more prepends than the one before"
        )
    return Preference(ordered, Order.NONE, note=note)


def _decides(attributes: Attributes) -> tuple[int, int, int]:
    """Return what decides, lowest first (RFC 4271 §9.1.2.2 a to c)."""
    return len(attributes.as_path), ORIGINS.index(attributes.origin), attributes.med or 0


def _communities(attributes: Attributes) -> tuple[object, object]:
    """Return those by which upstreams may order."""
    return attributes.communities, attributes.large_communities


def profile_key(attributes: Attributes) -> tuple[object, ...]:
    """Return all that a profile says: it is the same for the same profile."""
    return (
        len(attributes.as_path) - 1,
        attributes.med,
        attributes.origin,
        attributes.communities,
        attributes.large_communities,
        attributes.extended_communities,
    )


def _why(prefix: Prefix, site: Site) -> str:
    return site.left_out.get(prefix, f"{site.configuration.file} has no network line for it")


def _and(names: Sequence[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
