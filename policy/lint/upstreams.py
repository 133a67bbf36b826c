"""Findings at single upstreams: whether data centres are ordered there too, by what their neighbours get.

An upstream that all data centres share is a `[peer_group]` with neighbours in each of them. Of any other
neighbour with rules of its own it can't be known what the other data centres send the same upstream.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.best_path import strength
from policy.lint.announced import Announcements
from policy.lint.routes import routes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy.lint.announced import Announced
    from policy.lint.finding import Finding
    from policy.peers import PeerRule, PeersHere
    from policy.route import Route
    from policy.topology import Topology


def upstreams(topology: Topology, max_path: int | None = None) -> tuple[Finding, ...]:
    """Return what is wrong at upstreams that all data centres share, and is not wrong everywhere.

    Args:
        topology: all data centres and VIPs, and what single neighbours get.
        max_path: how many ASes an AS_PATH may have, see `routes.routes`.
    """
    if not topology.peers:
        return ()
    found = Announcements.of(topology)
    usual = {(finding.code, finding.subject) for finding in routes(found, max_path)}
    here = {dc.name: topology.peers.at(dc.name) for dc in topology.dcs}
    return tuple(
        replace(finding, subject=f"{rule}: {finding.subject}")
        for rule in topology.peers.rules
        if _is_shared(topology, rule)
        for finding in routes(_at(found, rule, here), max_path)
        if (finding.code, finding.subject) not in usual
    )


def unknowable(topology: Topology) -> tuple[str, ...]:
    """Return of which neighbours it can't be known whether data centres are ordered there, in words."""
    if len(topology.dcs) == 1:
        return ()
    return tuple(
        f"not checked: {rule}: {why}"
        for rule in topology.peers.rules
        if rule.policy.orders and (why := _why_unknown(topology, rule))
    )


def _why_unknown(topology: Topology, rule: PeerRule) -> str:
    if not _is_shared(topology, rule):
        return (
            "can not know what the other data centres send this upstream; name its neighbors of all "
            "data centres in one [peer_group]"
        )
    if rule.is_by_dc:
        return ""
    policies = topology.peers.at("").policies
    if len({repr(policies[neighbor.address]) for neighbor in rule.neighbors}) == 1:
        return ""
    return (
        "can not know which neighbor is whose, and they get different things; "
        "write neighbors = { DC = […] }"
    )


def _is_shared(topology: Topology, rule: PeerRule) -> bool:
    """Tell whether all data centres have a neighbour in a group."""
    named = {neighbor.dc for neighbor in rule.neighbors}
    return bool(rule.group) and ("" in named or named >= {dc.name for dc in topology.dcs})


def _at(found: Announcements, rule: PeerRule, here: Mapping[str, PeersHere]) -> Announcements:
    """Return what is announced to an upstream. What it gets from nobody is not meant for it."""
    addresses = (replace(a, routes=dict(_routes(a, rule, here))) for a in found)
    return Announcements(found.asns, tuple(address for address in addresses if address.routes))


def _routes(
    address: Announced, rule: PeerRule, here: Mapping[str, PeersHere]
) -> Iterator[tuple[str, Route]]:
    """Yield the best route of each data centre at an upstream, to which it may have several sessions."""
    for dc, usual in address.routes.items():
        route = here[dc].route(address.vip, usual)
        sent = [route.to(neighbor.address) for neighbor in rule.neighbors if neighbor.is_at(dc)]
        given = [attributes for attributes in sent if attributes is not None]
        if given:
            yield dc, replace(usual, attributes=min(given, key=strength))
