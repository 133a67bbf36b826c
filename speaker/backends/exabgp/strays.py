"""Withdraws what neighbours have that do not list our process any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.plan import Withdraw
from speaker.backends.exabgp.lines import withdrawals
from speaker.backends.exabgp.obstacles import keeps

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, ConfiguredNeighbors
    from speaker.backends.exabgp.requests import Requests


async def withdraw_strays(
    changes: Sequence[Change],
    neighbors: ConfiguredNeighbors,
    strays: Mapping[ConfiguredNeighbor, Collection[Prefix]],
    requests: Requests,
) -> Mapping[Prefix, str]:
    """Withdraw strays. 4.2 takes that until the session starts again, 5.0 never does.

    Args:
        changes: what is asked for; only withdrawals matter.
        neighbors: ExaBGP's.
        strays: which of our prefixes neighbours have that do not list our process.
        requests: asks ExaBGP.

    Returns:
        The prefixes that such a neighbour has, with the reason why it still has them, or nothing.
    """
    found: dict[Prefix, str] = {}
    withdrawn = [change for change in changes if isinstance(change, Withdraw)]
    for neighbor in neighbors.others:
        stray = strays.get(neighbor, ())
        for version in (4, 6):
            group = [
                change
                for change in withdrawn
                if change.prefix.version == version and change.prefix in stray
            ]
            for line in withdrawals(version, group, neighbor.selector):
                reason = "" if await requests.is_taken(line.text) else keeps(neighbors, neighbor)
                for change in line.changes:
                    found[change.prefix] = found.get(change.prefix) or reason
    return found
