"""Aggregates that bgpd announces, beside what vip.toml makes of them: what differs, and what can't be had. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from speaker.migration.bgpd_conf.aggregates import by_aggregate

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import Network

_UNSAID = (
    "bgpd sends it with ATOMIC_AGGREGATE and AGGREGATOR, which decide nothing (RFC 4271 §9.1.2.2); "
    "ExaBGP sends neither"
)
_ALONE = (
    "is sent, and no network in it, which vip.toml says by summary_only: add summary-only to the line in a "
    "copy of the file"
)


class LookedAt(NamedTuple):
    """What is only to be said of aggregates, and why they can't be had."""

    told: tuple[str, ...]
    faults: tuple[str, ...]


def look_at(announced: Collection[Prefix], networks: Mapping[Prefix, Network]) -> LookedAt:
    """Look at the aggregates among what is announced; an aggregate needs a member there.

    Args:
        announced: what is to be announced, with what an aggregate keeps back.
        networks: bgpd's, of which these are some.
    """
    told, faults = [], []
    within = by_aggregate(
        (prefix for prefix in announced if networks[prefix].summary_only is not None),
        (prefix for prefix in announced if networks[prefix].summary_only is None),
    )
    for prefix in announced:
        network = networks[prefix]
        if network.summary_only is None:
            continue
        said = f"{network.statement.where}: {prefix}"
        if within[prefix]:
            told.append(f"{said}: {_UNSAID}")
        else:
            faults.append(f"{said} {_ALONE}")
    return LookedAt(tuple(told), tuple(faults))
