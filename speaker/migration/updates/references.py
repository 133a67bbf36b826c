"""Which route-maps and lists are used for what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.statement import CommandMode

if TYPE_CHECKING:
    from speaker.migration.bgpd_conf.model import Configuration
    from speaker.migration.bgpd_conf.statement import Statement


def maps_used(configuration: Configuration) -> set[str]:
    """Return the names of the route-maps of networks and of neighbours' routes out, and those they call."""
    used = {network.route_map for network in configuration.networks.values()}
    for neighbor in configuration.neighbors:
        for family in neighbor.families.values():
            used.add(family.route_map.name if family.route_map else None)
    found: set[str] = set()
    while used:
        name = used.pop()
        if name is not None and name not in found:
            found.add(name)
            route_map = configuration.route_maps.get(name)
            used |= {clause.calls for clause in route_map.clauses} if route_map else set()
    return found


def lists_used(configuration: Configuration) -> set[str]:
    """Return the names of the lists that those name, or neighbours themselves."""
    maps = maps_used(configuration)
    used = {
        item.name
        for neighbor in configuration.neighbors
        for family in neighbor.families.values()
        for item in family.filters
    }
    for verdict in configuration.verdicts:
        statement = verdict.statement
        if statement.words[0] == "match" and map_of(statement) in maps:
            used.add(statement.words[-1])
    return used


def map_of(statement: Statement) -> str | None:
    """Return the name of the route-map that a line belongs to."""
    if statement.mode is CommandMode.ROUTE_MAP:
        return statement.block[0]
    if statement.mode is CommandMode.TOP and statement.words[0] == "route-map":
        return "".join(statement.words[1:2])
    return None
