"""What is in bgpd's table of its own: networks and aggregates, each through its route-map. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf import flow
from speaker.migration.bgpd_conf.aggregates import by_aggregate
from speaker.migration.bgpd_conf.model import Obstacle
from speaker.migration.bgpd_conf.redistribute import path_of
from speaker.migration.updates import summaries

if TYPE_CHECKING:
    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import BgpPath, Configuration, Network


def originated_by(configuration: Configuration) -> dict[Prefix, flow.Applied]:
    """Return what is in bgpd's table: networks, and then the aggregates of those."""
    networks = configuration.networks
    found = {
        prefix: _originate(configuration, network)
        for prefix, network in networks.items()
        if network.summary_only is None
    }
    aggregates: dict[Prefix, flow.Applied] = {}
    within = by_aggregate(
        (prefix for prefix, line in networks.items() if line.summary_only is not None),
        (prefix for prefix, applied in found.items() if applied.path is not None),
    )
    for prefix, line in networks.items():
        if line.summary_only is None:
            continue
        inside = [found[member] for member in within[prefix]]
        if not inside:
            aggregates[prefix] = flow.Applied(None, summaries.NO_MEMBER)
            continue
        begun, unclear = summaries.begun(line, inside, configuration.read_as.dialect)
        applied = _originate(configuration, begun)
        aggregates[prefix] = replace(applied, obstacles=(*applied.obstacles, *unclear))
    found |= aggregates
    return {prefix: found[prefix] for prefix in networks}


def _originate(configuration: Configuration, network: Network) -> flow.Applied:
    """Return what bgpd makes of a network line, and what is unclear about it."""
    path = path_of(network)
    if network.route_map is None:
        return flow.Applied(path)
    applied = through(configuration, network.route_map, path)
    if applied.path is not None and applied.path.next_hop is not None:
        unclear = Obstacle(network.statement, _HOP_OF_NETWORK)
        return replace(applied, obstacles=(*applied.obstacles, unclear))
    return applied


def through(configuration: Configuration, name: str, path: BgpPath) -> flow.Applied:
    """Apply a route-map by its name. One that does not exist denies all."""
    route_map = configuration.route_maps.get(name)
    if route_map is None:
        return flow.Applied(None, f"route-map {name} does not exist, so bgpd announces nothing")
    return flow.apply(route_map, path, configuration.route_maps, configuration.read_as.dialect)


_HOP_OF_NETWORK = (
    "its route-map sets the next hop, which bgpd sends to some neighbours only; set it in a "
    "route-map out of the neighbour"
)
