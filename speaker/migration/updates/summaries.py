"""Aggregates among what a bgpd originates: which are announced, with what ORIGIN, and what they keep back. Pure.

An aggregate is announced while the table has a more specific route that is none itself. It has no part
of its members' attributes but the worst ORIGIN (bgp_aggregate_add() in bgp_route.c; FRR 8.4 sends MED 0).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.route import ORIGINS, Origin
from speaker.migration.bgpd_conf.aggregates import by_member
from speaker.migration.bgpd_conf.model import Dialect, Obstacle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.flow import Applied
    from speaker.migration.bgpd_conf.model import Network

NO_MEMBER = "no network in it is announced, so bgpd does not announce it"
_ORIGIN = (
    "a network in it has another ORIGIN than igp, and what Quagga makes of that is not known; leave the ORIGIN "
    "as it is in a copy of the file"
)


def begun(
    network: Network, inside: Iterable[Applied], dialect: Dialect
) -> tuple[Network, tuple[Obstacle, ...]]:
    """Return an aggregate as its members make it, and what is unclear about it."""
    origins = {applied.path.attributes.origin for applied in inside if applied.path is not None}
    unclear = [obstacle for applied in inside for obstacle in applied.obstacles]
    if dialect is Dialect.QUAGGA and origins != {Origin.IGP}:
        unclear.append(Obstacle(network.statement, _ORIGIN))
    return replace(network, origin=max(origins, key=ORIGINS.index)), tuple(dict.fromkeys(unclear))


def keepers(
    networks: Mapping[Prefix, Network], originated: Mapping[Prefix, Applied]
) -> Mapping[Prefix, Sequence[Prefix]]:
    """Return the aggregates with summary-only that keep a network back, by the network."""
    keeping = [
        prefix
        for prefix, network in networks.items()
        if network.summary_only and originated[prefix].path is not None
    ]
    alone = (prefix for prefix, network in networks.items() if network.summary_only is None)
    return {prefix: around for prefix, around in by_member(keeping, alone).items() if around}
