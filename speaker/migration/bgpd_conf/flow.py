"""What a route-map does to a path: its clauses in their order, and where they lead (lib/routemap.c). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.model import Dialect, Obstacle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speaker.migration.bgpd_conf.model import BgpPath, Clause, RouteMap

MOST_CALLS = 10
"""So many route-maps call each other; bgpd denies what goes deeper, and says so in its log."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a map did: the path, or None with the reason; and what could not be translated on the way."""

    path: BgpPath | None
    reason: str = ""
    obstacles: tuple[Obstacle, ...] = ()


def apply(  # noqa: C901 - the matrix of bgpd, in its order
    route_map: RouteMap,
    path: BgpPath,
    maps: Mapping[str, RouteMap],
    dialect: Dialect,
    depth: int = 0,
) -> Applied:
    """Return what a route-map makes of a path. A path that no clause means is denied.

    Args:
        route_map: the route-map.
        path: as it comes to it.
        maps: all route-maps, for those that it calls.
        dialect: whose bgpd.
        depth: how many maps called this one.
    """
    unclear: list[Obstacle] = []
    last: Clause | None = None
    at = 0
    for clause in route_map.index.meeting(path.prefix):
        if clause.sequence < at or not all(match(path) for match in clause.matches):
            continue
        unclear += clause.obstacles
        if any(obstacle.statement.words[0] == "match" for obstacle in clause.obstacles):
            continue  # it can't be known; with an obstacle, the result does not count
        if not clause.permit:
            reason = f"{clause.statement.where}: {clause.statement}"
            return Applied(None, f"denied by {reason}", tuple(unclear))
        for change in clause.sets:
            path = change(path)
        if clause.calls in maps:
            called = _call(clause, path, maps, dialect, depth)
            unclear += called.obstacles
            if called.path is None:
                return Applied(None, called.reason, tuple(unclear))
            path = called.path
        last = clause
        if clause.goes_on is None:
            return Applied(path, "", tuple(unclear))
        at = clause.goes_on
    goes_past_the_end = route_map.clauses[-1].sequence < at
    if last is not None and not (goes_past_the_end and dialect is Dialect.FRR):
        unclear.append(Obstacle(last.statement, _FALLS_OFF))
    if last is not None:
        return Applied(path, "", tuple(unclear))
    return Applied(None, f"no clause of route-map {route_map.name} means it", tuple(unclear))


def _call(
    clause: Clause, path: BgpPath, maps: Mapping[str, RouteMap], dialect: Dialect, depth: int
) -> Applied:
    if depth == MOST_CALLS:
        return Applied(path, "", (Obstacle(clause.statement, _TOO_DEEP),))
    return apply(maps[clause.calls or ""], path, maps, dialect, depth + 1)


_FALLS_OFF = (
    "goes on, and no clause after it means the network, where it depends on bgpd whether it is sent; end "
    "the route-map with a `permit` of all"
)
_TOO_DEEP = "route-maps call each other without an end, where bgpd denies; correct them"
