"""The preference that all data centres' announcements together show, as VIPs, ranks and profiles.

Policy is found, not assumed: who prepends least for an address is its first choice, and those that
announce it alike are equal.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.lint.announced import Announced, Announcements
from policy.lint.finding import Code
from policy.lint.routes import routes as lint_routes
from policy.order import ranks_fault
from policy.topology import Profile
from policy.wording import named
from speaker.migration.target import peer_rules
from speaker.migration.target.inferred_preference import STRONGEST, preference, profile_key
from speaker.migration.target.peer_rules import PeersMade

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy.order import Order
    from policy.route import Attributes, Prefix
    from speaker.migration.target.site import Site


@dataclass(frozen=True, slots=True)
class Placed:
    """An address: who announces it, the profile of each rank, and the lines that say so.

    `prefer` has the first choice first, or all that are `equal`, for which one profile does.
    """

    prefix: Prefix
    prefer: tuple[str, ...]
    ranks: tuple[Profile, ...]
    origins: tuple[str, ...]
    equal: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """All that vip.toml has to say beyond the data centres. `ranks` are those of most addresses.

    `orders` is by the VIP's name. `told` is what was assumed, `notes` what should be looked at.
    """

    vips: Mapping[str, tuple[Placed, ...]]
    ranks: tuple[Profile, ...]
    profiles: Mapping[Profile, tuple[str, ...]]
    """Each with the route-maps that made it: `par1.conf:20: route-map BGP1`."""
    faults: tuple[str, ...]
    orders: Mapping[str, Order] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    aggregates: Mapping[str, tuple[Placed, bool]] = field(default_factory=dict)
    """By name the one prefix of each, and whether it keeps back what lies in it."""
    peers: PeersMade = field(default_factory=PeersMade)
    """What single neighbours get."""


UNFIT = (Code.FOREIGN_ASN,)
"""Findings that no vip.toml can have."""


def fit(sites: Sequence[Site], names: Mapping[Prefix, str]) -> Layout:
    """Find VIPs, ranks and profiles in what all data centres announce.

    Args:
        sites: the data centres, in their order.
        names: the name of the VIP that each prefix belongs to.
    """
    prefixes = tuple(dict.fromkeys(prefix for site in sites for prefix in site.routes))
    peers = peer_rules.make(sites, names)
    if faults := [*_unfit(sites, prefixes, names), *peers.faults]:
        return Layout({}, (), {}, tuple(faults))
    profiles = _profiles(sites, prefixes)
    vips: dict[str, list[Placed]] = {}
    orders: dict[str, Order] = {}
    told: dict[str, list[Prefix]] = {}
    notes: dict[str, list[Prefix]] = {}
    for prefix in prefixes:
        name, found = names[prefix], preference(prefix, sites)
        told.setdefault(found.told, []).append(prefix)
        notes.setdefault(found.note, []).append(prefix)
        orders[name] = max(orders.get(name, found.order), found.order, key=STRONGEST.index)
        ranks = [profiles[profile_key(s.routes[prefix].attributes)][0] for s in found.sites]
        placed = Placed(
            prefix,
            found.names,
            tuple(ranks[:1] if found.equal else ranks),
            tuple(
                site.configuration.networks[prefix].statement.where
                for site in sites
                if prefix in site.routes
            ),
            found.equal,
        )
        vips.setdefault(name, []).append(placed)
    counts = Counter(placed.ranks for addresses in vips.values() for placed in addresses)
    usual = counts.most_common(1)[0][0] if counts else ()
    covering = aggregates(sites)
    placed_all = {
        name: tuple(_with(usual, orders[name], each) for each in addresses)
        for name, addresses in vips.items()
    }
    return Layout(
        {name: placed for name, placed in placed_all.items() if placed[0].prefix not in covering},
        usual,
        dict(profiles.values()),
        (),
        orders,
        (*_each_once(told), *peers.told),
        _each_once(notes),
        {
            name: (placed[0], covering[placed[0].prefix])
            for name, placed in placed_all.items()
            if placed[0].prefix in covering
        },
        peers,
    )


def aggregates(sites: Iterable[Site]) -> Mapping[Prefix, bool]:
    """Return the aggregates that are announced, and whether each keeps back what lies in it."""
    return {
        prefix: summary_only
        for site in sites
        for prefix in site.routes
        if (summary_only := site.configuration.networks[prefix].summary_only) is not None
    }


def _torn(sites: Sequence[Site]) -> Iterator[str]:
    """Yield what one data centre has as an aggregate, and another one otherwise."""
    for prefix in aggregates(sites):
        said = {
            site.configuration.networks[prefix].summary_only: site.configuration.networks[prefix]
            for site in sites
            if prefix in site.routes
        }
        if len(said) > 1:
            lines = " and ".join(
                f"{each.statement.where}: {each.statement}" for each in said.values()
            )
            yield f"{prefix}: {lines}: vip.toml says one thing for all data centres; make them alike"


def _with(ranks: tuple[Profile, ...], order: Order, placed: Placed) -> Placed:
    """Return an address with the usual ranks, where they begin with its own and do for its order."""
    is_fit = ranks[: len(placed.ranks)] == placed.ranks and ranks_fault(ranks, order) is None
    return replace(placed, ranks=ranks) if is_fit else placed


def _each_once(said: Mapping[str, Sequence[Prefix]]) -> tuple[str, ...]:
    """Return each text with the addresses that it is about."""
    return tuple(f"{named(prefixes, 1)}: {text}" for text, prefixes in said.items() if text)


def _unfit(
    sites: Sequence[Site], prefixes: Sequence[Prefix], names: Mapping[Prefix, str]
) -> list[str]:
    """Return what is wrong with the routes of an address, as `check` says it."""
    announced = tuple(
        Announced(
            prefix,
            {site.name: site.routes[prefix] for site in sites if prefix in site.routes},
            vip=names[prefix],
        )
        for prefix in prefixes
    )
    asns = {site.name: site.configuration.asn for site in sites}
    found = lint_routes(Announcements(asns, announced))
    return [*(str(finding) for finding in found if finding.code in UNFIT), *_torn(sites)]


def _profiles(
    sites: Sequence[Site], prefixes: Sequence[Prefix]
) -> dict[tuple[object, ...], tuple[Profile, tuple[str, ...]]]:
    """Name what is announced: by the route-map where that is its only one, else by its prepends."""
    made_by: dict[tuple[object, ...], dict[str, dict[str, None]]] = {}
    examples: dict[tuple[object, ...], Attributes] = {}
    for prefix in prefixes:
        for site in (site for site in sites if prefix in site.routes):
            attributes = site.routes[prefix].attributes
            key = profile_key(attributes)
            examples[key] = attributes
            route_map = site.configuration.networks[prefix].route_map
            maps = made_by.setdefault(key, {})
            if route_map is not None:
                found = site.configuration.route_maps[route_map]
                where = f"{found.clauses[0].statement.where}: route-map {route_map}"
                maps.setdefault(route_map, {})[where] = None
    uses = Counter(name for maps in made_by.values() for name in maps)
    taken: set[str] = set()
    profiles = {}
    for key, maps in made_by.items():
        profile = _profile(examples[key])
        if profile != Profile.plain(profile.prepends):
            name = next(iter(maps)) if len(maps) == 1 else ""
            if uses[name] != 1 or not name.isascii():
                name = f"{profile.name}-{len(taken) + 1}"
            while name in taken or (name in uses and name not in maps):
                name += "-more"
            taken.add(name)
            profile = replace(profile, name=name)
        profiles[key] = profile, tuple(where for wheres in maps.values() for where in wheres)
    return profiles


def _profile(attributes: Attributes) -> Profile:
    plain = Profile.plain(len(attributes.as_path) - 1)
    return replace(
        plain,
        med=attributes.med or 0,
        origin=attributes.origin,
        communities=attributes.communities,
        large_communities=attributes.large_communities,
        extended_communities=attributes.extended_communities,
    )
