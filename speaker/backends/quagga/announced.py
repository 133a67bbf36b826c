"""What bgpd announces of a prefix: its running-config and its table, held against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.plan import Drift
from policy.route import Asn, AsPath, Attributes, Route
from speaker.backends.quagga.route_map import hidden_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.route import Prefix
    from speaker.backends.quagga.running_config import Running
    from speaker.backends.quagga.table import TablePath

NOT_BEST = Drift("our path is valid and not the best")
LEAVING = Drift("our path without a network line: redistributed, or just being removed")
PASSING = (NOT_BEST, LEAVING)
"""What a reading may find for a moment after a change."""


def announced(
    prefix: Prefix, running: Running, paths: Mapping[Prefix, TablePath], asn: Asn
) -> Route | Drift | None:
    """Return what bgpd announces of a prefix: nothing, a whole route, or what is wrong with it.

    Announced is a path of our own that is valid and best: neither running-config nor a path
    learned from another data centre proves that.
    """
    configured = prefix in running.networks
    path = paths.get(prefix)
    if path is None:
        if not configured:
            return None
        return Drift("network line without our path in the table")
    if not configured:
        return LEAVING
    if path.passing:
        return NOT_BEST
    if not path.valid:
        return Drift("our path is invalid; on FRR, bgpd needs: no bgp network import-check")
    if not path.best:
        return NOT_BEST
    name = running.networks[prefix]
    hidden = hidden_of(running.maps.get(name, []) if name else [])
    if hidden.other:
        return Drift(f"route-map {name} has {hidden.other!r}")
    return Route(
        prefix,
        Attributes(
            AsPath((asn, *path.as_path)),
            path.med or 0,
            path.origin,
            hidden.communities,
            hidden.large_communities,
            hidden.local_preference,
            hidden.extended_communities,
        ),
    )
