"""Is what all data centres announce consistent? Findings, each with its code and its remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.lint.aggregates import aggregates
from policy.lint.announced import Announcements
from policy.lint.balance import LOAD_TOLERANCE, loads, splits
from policy.lint.routes import routes
from policy.lint.rules import rules
from policy.lint.upstreams import upstreams

if TYPE_CHECKING:
    from policy.lint.finding import Finding
    from policy.topology import Topology


def lint(
    topology: Topology,
    *,
    max_path: int | None = None,
    load_tolerance: float = LOAD_TOLERANCE,
) -> tuple[Finding, ...]:
    """Return all that is wrong with a topology by itself.

    Args:
        topology: all data centres and VIPs. Its ranks may tie.
        max_path: how many ASes an AS_PATH may have, see `routes.routes`.
        load_tolerance: how far a data centre's share may be from its weight's, 0 to 1.
    """
    found = Announcements.of(replace(topology, aggregates=()))
    return (
        *routes(Announcements.of(topology), max_path),
        *aggregates(topology),
        *upstreams(topology, max_path),
        *rules(topology),
        *splits(found),
        *loads(found, {dc.name: dc.weight for dc in topology.dcs}, load_tolerance),
    )
