"""The preference that all data centres' prepends together show, as VIPs, ranks and profiles.

Policy is found, not assumed: who prepends least for an address is its first choice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policy.lint.announced import Announced, Announcements
from policy.lint.finding import Code
from policy.lint.routes import routes as lint_routes
from policy.topology import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.route import Attributes, Prefix
    from speaker.migration.target.site import Site


@dataclass(frozen=True, slots=True)
class Placed:
    """An address: who should attract it, the profile of each rank, and the lines that say so."""

    prefix: Prefix
    prefer: tuple[str, ...]
    ranks: tuple[Profile, ...]
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """All that vip.toml has to say beyond the data centres. `ranks` are those of most addresses."""

    vips: Mapping[str, tuple[Placed, ...]]
    ranks: tuple[Profile, ...]
    profiles: Mapping[Profile, tuple[str, ...]]
    """Each with the route-maps that made it: `par1.conf:20: route-map BGP1`."""
    faults: tuple[str, ...]


UNFIT = (Code.TIE, Code.FOREIGN_ASN)
"""Findings that no vip.toml can have."""


def fit(sites: Sequence[Site], names: Mapping[Prefix, str]) -> Layout:
    """Find VIPs, ranks and profiles in what all data centres announce.

    Args:
        sites: the data centres, in their order.
        names: the name of the VIP that each prefix belongs to.
    """
    prefixes = tuple(dict.fromkeys(prefix for site in sites for prefix in site.routes))
    faults = [*_unfit(sites, prefixes, names)]
    keys: dict[Prefix, dict[str, tuple[object, ...]]] = {}
    for prefix in prefixes:
        lacking = [site for site in sites if prefix not in site.routes]
        for site in lacking:
            why = site.left_out.get(prefix, f"{site.configuration.file} has no network line for it")
            faults.append(
                f"{prefix}: {site.name} does not announce it: {why}; in vip.toml every data centre "
                f"announces every VIP: give it to {site.name} with more prepends, or remove it from "
                "copies of the other files"
            )
        if not lacking:
            keys[prefix] = {site.name: _key(site.routes[prefix].attributes) for site in sites}
            faults += _same_length(prefix, sites, faults)
    if faults:
        return Layout({}, (), {}, tuple(faults))
    profiles = _profiles(sites, prefixes)
    vips: dict[str, list[Placed]] = {}
    for prefix in prefixes:
        order = sorted(sites, key=lambda site: len(site.routes[prefix].attributes.as_path))
        placed = Placed(
            prefix,
            tuple(site.name for site in order),
            tuple(profiles[keys[prefix][site.name]][0] for site in order),
            tuple(site.configuration.networks[prefix].statement.where for site in sites),
        )
        vips.setdefault(names[prefix], []).append(placed)
    counts = Counter(placed.ranks for addresses in vips.values() for placed in addresses)
    return Layout(
        {name: tuple(addresses) for name, addresses in vips.items()},
        counts.most_common(1)[0][0] if counts else (),
        dict(profiles.values()),
        (),
    )


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
    return [str(finding) for finding in found if finding.code in UNFIT]


def _same_length(prefix: Prefix, sites: Sequence[Site], known: Sequence[str]) -> list[str]:
    """Find data centres that only MED or ORIGIN part: no tie, and still not by prepends."""
    lengths = [len(site.routes[prefix].attributes.as_path) for site in sites]
    if len(set(lengths)) == len(lengths) or any(f"{prefix}: " in fault for fault in known):
        return []
    same = [site.name for site, n in zip(sites, lengths, strict=True) if lengths.count(n) > 1]
    fault = (
        f"{prefix}: {' and '.join(same)} announce AS_PATHs of the same length; in vip.toml prepends "
        "order the data centres: give each rank more prepends than the one before"
    )
    return [fault]


def _key(attributes: Attributes) -> tuple[object, ...]:
    return (
        len(attributes.as_path) - 1,
        attributes.med,
        attributes.origin,
        attributes.communities,
        attributes.large_communities,
    )


def _profiles(
    sites: Sequence[Site], prefixes: Sequence[Prefix]
) -> dict[tuple[object, ...], tuple[Profile, tuple[str, ...]]]:
    """Name what is announced: by the route-map where that is its only one, else by its prepends."""
    made_by: dict[tuple[object, ...], dict[str, dict[str, None]]] = {}
    examples: dict[tuple[object, ...], Attributes] = {}
    for prefix in prefixes:
        for site in sites:
            attributes = site.routes[prefix].attributes
            key = _key(attributes)
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
    )
