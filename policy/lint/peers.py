"""Findings at the peers of one data centre: announcements that one of them drops as a loop."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from policy.lint.finding import Code, Finding
from policy.route import Asn, AsPath

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from policy.route import Route


class LintedPeer(NamedTuple):
    """A BGP neighbour: its address, its AS, and the AS that we speak with on its session."""

    address: str
    asn: Asn
    local_as: Asn


def as_seen(path: AsPath, peer: LintedPeer) -> AsPath:
    """Return an AS_PATH as a peer gets it: our AS on that session, on iBGP without the first.

    Args:
        path: as an eBGP peer sees it: the AS of the data centre, `prepends + 1` times.
        peer: who gets it (RFC 4271 §5.1.2).
    """
    asns = path.asns[1:] if peer.asn == peer.local_as else path.asns
    own = path.asns[:1]
    return AsPath(tuple(peer.local_as if (asn,) == own else asn for asn in asns))


def loops(routes: Collection[Route], peers: Iterable[LintedPeer]) -> tuple[Finding, ...]:
    """Return the peers that drop some of the routes: their own AS is in the path (RFC 4271 §9.1.2).

    Args:
        routes: what this data centre announces.
        peers: whom it announces them to.
    """
    findings = []
    paths = Counter(route.attributes.as_path for route in routes)
    for peer in peers:
        seen = {path: as_seen(path, peer) for path in paths}
        dropped = [path for path in paths if peer.asn in seen[path].asns]
        if not dropped:
            continue
        count = sum(paths[path] for path in dropped)
        shown = ", ".join(sorted({str(seen[path]) for path in dropped}, key=len))
        internal = peer.asn == peer.local_as
        remedy = (
            "on iBGP a prepend is the peer's own AS: speak eBGP to it, announce without prepends, or "
            "let the peer allow its own AS (allowas-in)"
            if internal
            else f"announce without AS{peer.asn}"
        )
        findings.append(
            Finding(
                Code.LOOP,
                f"peer {peer.address}",
                f"drops {count} of {len(routes)} prefixes as a loop: its own AS{peer.asn} is in the "
                f"AS_PATH that it gets ({shown})",
                remedy,
            )
        )
    return tuple(findings)
