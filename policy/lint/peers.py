"""Findings at the peers of one data centre: what one of them drops as a loop, or is not sent."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from policy.lint.finding import Code, Finding
from policy.route import Asn, AsPath
from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from policy.peers import Peers
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
    usual = Counter(route.attributes.as_path for route in routes)
    others = any(route.overrides for route in routes)
    for peer in peers:
        paths = _paths(routes, peer.address) if others else usual
        seen = {path: as_seen(path, peer) for path in paths}
        dropped = [path for path in paths if peer.asn in seen[path].asns]
        if not dropped:
            continue
        number = sum(paths[path] for path in dropped)
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
                f"drops {number} of {count(paths.total(), 'prefix')} as a loop: its own AS{peer.asn} is in the "
                f"AS_PATH that it gets ({shown})",
                remedy,
            )
        )
    return tuple(findings)


def _paths(routes: Iterable[Route], peer: str) -> Counter[AsPath]:
    """Return how often a peer gets each AS_PATH. One without an address gets what all get."""
    try:
        address = ip_address(peer)
    except ValueError:
        return Counter(route.attributes.as_path for route in routes)
    sent = (route.to(address) for route in routes)
    return Counter(attributes.as_path for attributes in sent if attributes is not None)


def preferences(routes: Collection[Route], peers: Iterable[LintedPeer]) -> tuple[Finding, ...]:
    """Return the eBGP peers for which a LOCAL_PREF is set: they are not sent it (RFC 4271 §5.1.5)."""
    set_for = {
        str(address)
        for route in routes
        for address, what in route.overrides
        if what is not None and what.local_preference is not None
    }
    return tuple(
        Finding(
            Code.PEER_POLICY,
            f"peer {peer.address}",
            f"local_preference is set for it, and it is of another AS ({peer.asn}): it is not sent it",
            "remove it, or use communities that this peer maps to a LOCAL_PREF",
        )
        for peer in peers
        if peer.address in set_for and peer.asn != peer.local_as
    )


def missing(rules: Peers, dc: str, peers: Collection[LintedPeer]) -> tuple[Finding, ...]:
    """Return the rules for single neighbours that hold for nobody, because the daemon has no such neighbour.

    Args:
        rules: those of vip.toml.
        dc: this data centre.
        peers: all neighbours that the daemon has. None at all is taken for not known.
    """
    addresses = []
    for peer in peers:
        with suppress(ValueError):  # of one at an interface only the interface is known
            addresses.append(ip_address(peer.address))
    lacking = rules.lacking(dc, addresses) if peers else ()
    return tuple(Finding(Code.PEER_MISSING, each.rule, each.found, each.remedy) for each in lacking)
