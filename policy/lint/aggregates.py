"""Findings about aggregates: those that are never announced, and those that more specific routes bypass."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from policy.aggregate import Aggregates
from policy.assignment import assignments
from policy.lint.finding import Code, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from policy.assignment import Assignment
    from policy.route import Prefix
    from policy.topology import DataCentre, Topology


class Duties(NamedTuple):
    """What one data centre has to do, and the aggregates among it."""

    assignments: Mapping[Prefix, Assignment]
    aggregates: Aggregates

    @classmethod
    def of(cls, topology: Topology, dc: DataCentre) -> Self:
        """Return a data centre's part of a topology."""
        own = assignments(topology, dc)
        return cls(own, Aggregates.of(own))


def aggregates(topology: Topology) -> tuple[Finding, ...]:
    """Return what is wrong with the aggregates of a topology. Without any, nothing is looked at."""
    if not topology.aggregates:
        return ()
    sites = {dc.name: Duties.of(topology, dc) for dc in topology.dcs}
    return (*_never(sites), *bypassed(sites))


def _never(sites: Mapping[str, Duties]) -> Iterator[Finding]:
    """Find the aggregates that have too few members, once for all data centres alike."""
    few: dict[tuple[Prefix, int, int], list[str]] = defaultdict(list)
    for name, site in sites.items():
        for prefix, members in site.aggregates.members.items():
            rule = site.assignments[prefix].vip.aggregate
            if rule is not None and len(members) < rule.at_least:
                few[prefix, len(members), rule.at_least].append(name)
    for (prefix, count, wanted), names in few.items():
        has = "no VIP's prefix is" if not count else f"only {count} of the VIPs' prefixes are"
        yield Finding(
            Code.AGGREGATE_NEVER,
            f"aggregate {prefix}",
            f"{has} inside, and at_least = {wanted}: {', '.join(names)} will never announce it",
            "correct the prefix, lower at_least, or remove the aggregate",
        )


def bypassed(sites: Mapping[str, Duties]) -> Iterator[Finding]:
    """Find the members that are kept back in one data centre, and announced by another one by itself.

    Args:
        sites: what each data centre has to do, by name.
    """
    found: dict[tuple[Prefix, str, str], list[Prefix]] = defaultdict(list)
    for name, site in sites.items():
        for other, beside in sites.items():
            for prefix in site.aggregates.keepers.keys() & beside.assignments.keys():
                if prefix not in beside.aggregates.keepers:
                    found[site.aggregates.keepers[prefix][0], name, other].append(prefix)
    for (aggregate, name, other), members in sorted(found.items(), key=lambda item: str(item[0])):
        first = min(members, key=lambda prefix: int(prefix.network_address))
        more = f" and {len(members) - 1} more" if len(members) > 1 else ""
        yield Finding(
            Code.AGGREGATE_BYPASSED,
            f"aggregate {aggregate}",
            f"{name} keeps {first}{more} back, and {other} announces it by itself: the more specific "
            f"prefix wins, and {name} gets no traffic for it while {other} lives",
            f"have {other} announce the aggregate too, or leave out summary_only",
        )
