"""A configuration as vip.toml can say it, where another one gives every neighbour the same UPDATEs. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.aggregates import by_aggregate
from speaker.migration.updates.evaluate import evaluate

if TYPE_CHECKING:
    from speaker.migration.bgpd_conf.model import Configuration
    from speaker.migration.updates.evaluate import Evaluation


def evaluated(configuration: Configuration) -> tuple[Configuration, Evaluation]:
    """Return a configuration that vip.toml can say, and what it sends, which is what the given one does."""
    evaluation = evaluate(configuration)
    summarized = _as_summaries(configuration, evaluation)
    if summarized is configuration:
        return configuration, evaluation
    return summarized, evaluate(summarized)


def _as_summaries(configuration: Configuration, evaluation: Evaluation) -> Configuration:
    """Give summary-only to aggregates of which no neighbour is sent what lies in them: their lists keep it back.

    An aggregate of vip.toml needs VIPs that are announced, or that it keeps back.
    """
    networks = configuration.networks
    sent = dict.fromkeys(prefix for each in evaluation.updates.values() for prefix in each)
    within = by_aggregate(
        (prefix for prefix in sent if networks[prefix].summary_only is False),
        (prefix for prefix in sent if networks[prefix].summary_only is None),
    )
    alone = {
        prefix: replace(networks[prefix], summary_only=True)
        for prefix, members in within.items()
        if not members
    }
    return replace(configuration, networks={**networks, **alone}) if alone else configuration
