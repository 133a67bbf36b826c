"""Which prefixes a peer may have although ExaBGP does not hold them for it. No I/O."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from speaker.backends.exabgp.staleness import Demand

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.route import Prefix
    from speaker.backends.exabgp.announced import ListedRoutes
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor
    from speaker.backends.exabgp.staleness import Attempt, Staleness
    from speaker.backends.exabgp.told import Told


def doubtful(
    listed: ListedRoutes,
    attempt: Attempt,
    stale: Staleness,
    told: Told,
    up: Mapping[ConfiguredNeighbor, bool],
    *,
    flushed: bool,
) -> Collection[Prefix]:
    """Return what a peer may have although it is absent: by what was demanded, and what was told.

    Args:
        listed: what ExaBGP holds.
        attempt: what was demanded when the reading began.
        stale: what may be stale.
        told: what ExaBGP told that it sent.
        up: which sessions are up.
        flushed: whether all was sent again.
    """
    absent = {prefix for prefix, seen in listed.routes().items() if seen is None}
    kept_from = listed.kept_from()
    found: set[Prefix] = set()
    if flushed:
        found = {*absent, *chain.from_iterable(kept_from.values())} & attempt.mixed
    if Demand.WITHDRAW_ABSENT in attempt.demands:
        return found | told.unproven(absent, kept_from, up)
    if attempt.is_calm:
        phantoms, unknown = told.doubts(absent, kept_from, up)
        found |= phantoms | stale.newly_unknown(unknown)
    return found
