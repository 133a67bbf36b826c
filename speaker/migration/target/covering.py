"""Aggregates that bgpd announces, beside what vip.toml makes of them: what is to be said of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import Network

_UNSAID = (
    "bgpd sends it with ATOMIC_AGGREGATE and AGGREGATOR, which decide nothing (RFC 4271 §9.1.2.2); "
    "ExaBGP sends neither"
)
_ALONE = "no neighbor is sent what lies in it: imported with summary_only"


def told(announced: Collection[Prefix], networks: Mapping[Prefix, Network]) -> Iterator[str]:
    """Yield what is to be said of the aggregates among what is announced.

    Args:
        announced: what is to be announced, with what an aggregate keeps back.
        networks: bgpd's, of which these are some.
    """
    for prefix in announced:
        network = networks[prefix]
        if network.summary_only is None:
            continue
        alone = network.summary_only and "summary-only" not in network.statement.words
        yield f"{network.statement.where}: {prefix}: {_UNSAID}{f'; {_ALONE}' if alone else ''}"
