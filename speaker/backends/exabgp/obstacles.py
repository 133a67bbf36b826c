"""Why a route can't be sent to a neighbour, or withdrawn from it, in words that say what to do. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.plan import Announce, Withdraw
from speaker.backends.exabgp.api_text import next_hop_for, unreachable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from policy.plan import Change
    from policy.route import Prefix, Route
    from speaker.backends.base import Daemon
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, ConfiguredNeighbors
    from speaker.config.settings import NextHop

NOBODY = "no neighbor of ExaBGP has this process"
LIST_IT = "list it in the neighbor's api { processes [ … ]; }"


def impossible(
    changes: Iterable[Change], neighbors: ConfiguredNeighbors, hops: NextHop
) -> dict[Prefix, str]:
    """Return the changes that can't come to be at every neighbour that they are for, and why."""
    of_kind = {
        (kind, version): nobody(neighbors, version)
        or (kind is Announce and no_hop(neighbors, version, hops))
        for kind in (Announce, Withdraw)
        for version in (4, 6)
    }
    found = {}
    for change in changes:
        reason = of_kind[type(change), change.prefix.version]
        if not reason and isinstance(change, Announce) and change.route.overrides:
            reason = _kept_from_all(neighbors, change.route)
        if reason:
            found[change.prefix] = reason
    return found


def nobody(neighbors: ConfiguredNeighbors, version: int) -> str:
    """Return why there is no neighbour to send routes of a family to, or nothing."""
    if not neighbors.ours:
        return NOBODY
    if not neighbors.of_family(version):
        return f"no neighbor of ExaBGP has family ipv{version} unicast"
    return ""


def no_hop(neighbors: ConfiguredNeighbors, version: int, hops: NextHop) -> str:
    """Return why routes of a family can't reach every neighbour that has it, or nothing."""
    hop = next_hop_for(hops, version)
    concerned = neighbors.of_family(version)
    return "; ".join(filter(None, (unreachable(n, version, hop) for n in concerned)))


def _kept_from_all(neighbors: ConfiguredNeighbors, route: Route) -> str:
    """Return why a route goes to no neighbour at all, where vip.toml keeps it from each, or nothing."""
    concerned = neighbors.of_family(route.prefix.version)
    if any(route.to(neighbor.address) for neighbor in concerned):
        return ""
    return "[peer] and [peer_group] in vip.toml keep it from every neighbor of ExaBGP"


def keeps(neighbors: ConfiguredNeighbors, neighbor: ConfiguredNeighbor) -> str:
    """Say that a neighbour keeps a prefix that can't be withdrawn from it."""
    name = neighbors.name(neighbor)
    return f"neighbor {name} has it, and its api does not list this process"


def trouble(
    daemon: Daemon | None,
    neighbors: ConfiguredNeighbors,
    strays: Mapping[ConfiguredNeighbor, Collection[Prefix]],
    missing: Collection[str] = (),
    asn: int | None = None,
) -> str:
    """Return what is wrong with ExaBGP and its neighbours, or nothing.

    Args:
        daemon: which ExaBGP it is, None where that is not known.
        neighbors: its neighbours.
        strays: what neighbours have that do not list this process.
        missing: the rules for neighbours that it lacks, in words.
        asn: the data centre's AS; None where that does not matter.
    """
    unknown = [] if daemon is None or daemon.known else [f"{daemon.name}: {daemon.untested}"]
    none = [] if neighbors.ours else [f"{NOBODY}; {LIST_IT}"]
    lost = [_out_of_reach(neighbors, neighbor, prefixes) for neighbor, prefixes in strays.items()]
    return "; ".join([*unknown, *none, *wrong_as(neighbors, asn), *lost, *missing])


def wrong_as(neighbors: ConfiguredNeighbors, asn: int | None) -> list[str]:
    """Say that no session is of the data centre's AS. One that is of another may have its reasons."""
    own = sorted({int(neighbor.local_as) for neighbor in neighbors.ours})
    if asn is None or not own or asn in own:
        return []
    shown = ", ".join(map(str, own))
    text = (
        f"wrong AS: vip.toml has asn = {asn} for this data centre, and exabgp.conf local-as {shown} for "
        "its sessions; correct the one that is wrong"
    )
    return [text]


def _out_of_reach(
    neighbors: ConfiguredNeighbors, neighbor: ConfiguredNeighbor, prefixes: Collection[Prefix]
) -> str:
    return (
        f"neighbor {neighbors.name(neighbor)} has {len(prefixes)} of our prefixes, such as "
        f"{min(prefixes, key=str)}, and its api does not list this process, so they can't be "
        "withdrawn there; list it, or remove the neighbor, and reload ExaBGP"
    )
