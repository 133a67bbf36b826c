"""Every line of a file with what became of it, once it is known what the VIPs meet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from speaker.migration.lists import kind_of
from speaker.migration.statement import Mode
from speaker.migration.values import Treatment, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speaker.migration.evaluate import Evaluation
    from speaker.migration.statement import Statement
    from speaker.migration.values import Configuration


def account(configuration: Configuration, evaluation: Evaluation) -> tuple[Verdict, ...]:
    """Return a verdict for each statement of a file, in its order.

    What can't be translated is refused where a VIP meets it, and harmless elsewhere. Policy that
    is used for nothing that is sent is harmless.
    """
    met = {obstacle.statement: obstacle.reason for obstacle in evaluation.obstacles}
    unmet = {statement for statement in _possible(configuration) if statement not in met}
    maps = _maps_used(configuration)
    names = _lists_used(configuration, maps)

    def final(verdict: Verdict) -> Verdict:
        statement = verdict.statement
        if statement in met:
            return Verdict(statement, Treatment.REFUSED, met[statement])
        if verdict.treatment is not Treatment.TRANSLATED:
            return verdict
        if statement in unmet:
            return replace(verdict, treatment=Treatment.HARMLESS, reason="no VIP meets it")
        name = _map_of(statement)
        listed = kind_of(statement.words) if statement.mode is Mode.TOP else None
        if (name is not None and name not in maps) or (
            listed is not None and names.isdisjoint(listed[1][:2])
        ):
            return replace(
                verdict, treatment=Treatment.HARMLESS, reason="is used for nothing that is sent"
            )
        return verdict

    return tuple(map(final, configuration.verdicts))


def _possible(configuration: Configuration) -> Iterator[Statement]:
    """Yield the lines that would be obstacles if a VIP met them."""
    for route_map in configuration.route_maps.values():
        for clause in route_map.clauses:
            yield from (obstacle.statement for obstacle in clause.obstacles)
    for neighbor in configuration.neighbors:
        yield from (obstacle.statement for obstacle in neighbor.obstacles)


def _maps_used(configuration: Configuration) -> set[str]:
    used = {network.route_map for network in configuration.networks.values()}
    for neighbor in configuration.neighbors:
        for family in neighbor.families.values():
            used.add(family.route_map.name if family.route_map else None)
    return {name for name in used if name is not None}


def _lists_used(configuration: Configuration, maps: set[str]) -> set[str]:
    used = {
        item.name
        for neighbor in configuration.neighbors
        for family in neighbor.families.values()
        for item in family.filters
    }
    for verdict in configuration.verdicts:
        statement = verdict.statement
        if statement.words[0] == "match" and _map_of(statement) in maps:
            used.add(statement.words[-1])
    return used


def _map_of(statement: Statement) -> str | None:
    """Return the name of the route-map that a line belongs to."""
    if statement.mode is Mode.ROUTE_MAP:
        return statement.block[0]
    if statement.mode is Mode.TOP and statement.words[0] == "route-map":
        return statement.words[1]
    return None
