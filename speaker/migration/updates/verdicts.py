"""Every line of a file with what became of it, once it is known what the VIPs meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.lists import kind_of
from speaker.migration.bgpd_conf.model import LineVerdict, Treatment
from speaker.migration.bgpd_conf.statement import CommandMode
from speaker.migration.updates.references import lists_used, map_of, maps_used

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speaker.migration.bgpd_conf.model import Configuration
    from speaker.migration.bgpd_conf.statement import Statement
    from speaker.migration.updates.evaluate import Evaluation


def account(configuration: Configuration, evaluation: Evaluation) -> tuple[LineVerdict, ...]:
    """Return a verdict for each statement of a file, in its order.

    What can't be translated is refused where a VIP meets it, and harmless elsewhere. Policy that
    is used for nothing that is sent is harmless.
    """
    met = {obstacle.statement: obstacle.reason for obstacle in evaluation.obstacles}
    unmet = {statement for statement in _possible(configuration) if statement not in met}
    maps = maps_used(configuration)
    names = lists_used(configuration)

    def final(verdict: LineVerdict) -> LineVerdict:
        statement = verdict.statement
        if statement in met:
            return LineVerdict(statement, Treatment.REFUSED, met[statement])
        if statement in unmet:
            return LineVerdict(statement, Treatment.HARMLESS, "no VIP meets it")
        if verdict.treatment is Treatment.HARMLESS:
            return verdict
        name = map_of(statement)
        listed = kind_of(statement.words) if statement.mode is CommandMode.TOP else None
        if (name is not None and name not in maps) or (
            listed is not None and names.isdisjoint(listed[1][:2])
        ):
            return LineVerdict(statement, Treatment.HARMLESS, "is used for nothing that is sent")
        return verdict

    return tuple(map(final, configuration.verdicts))


def _possible(configuration: Configuration) -> Iterator[Statement]:
    """Yield the lines that would be obstacles if a VIP met them."""
    for route_map in configuration.route_maps.values():
        for clause in route_map.clauses:
            yield from (obstacle.statement for obstacle in clause.obstacles)
    for neighbor in configuration.neighbors:
        yield from (obstacle.statement for obstacle in neighbor.obstacles)
