"""[peer] of vip.toml: what single neighbours of each data centre get, by the names of VIPs. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.peers import NO_PEERS, PeerPolicy, PeerRule, Peers, RuledNeighbor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.target.site import NeighborRule, Site
    from speaker.units import IpAddress


@dataclass(frozen=True, slots=True)
class PeersMade:
    """The rules, the lines that they come from by rule, what can't be said, and what should be looked at."""

    peers: Peers = NO_PEERS
    comments: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def make(sites: Sequence[Site], names: Mapping[Prefix, str]) -> PeersMade:
    """Make the rules of all data centres.

    Args:
        sites: the data centres.
        names: of VIPs and aggregates, by prefix.
    """
    faults: list[str] = []
    found: dict[IpAddress, dict[str, PeerPolicy]] = defaultdict(dict)
    for site in sites:
        for rule in site.rules:
            faults += _torn(site, rule, names)
            policy = _named(site, rule, names)
            if policy != PeerPolicy():
                found[rule.address][site.name] = policy
    if faults:
        return PeersMade(faults=tuple(faults))
    rules = tuple(rule for address, by_dc in found.items() for rule in _rules(address, by_dc))
    lines = {
        (each.name, session.neighbor.address): session.neighbor.statement.where
        for each in sites
        for session in each.sessions
    }
    comments = {
        str(rule): ", ".join(
            lines[n.dc, n.address] for n in rule.neighbors if (n.dc, n.address) in lines
        )
        for rule in rules
    }
    told = tuple(
        f"{site.name}: neighbor {rule.address} has a policy of its own: imported as [peer]"
        for site in sites
        for rule in site.rules
        if site.name in found.get(rule.address, ())
    )
    return PeersMade(Peers(rules), comments, (), told)


def _rules(address: IpAddress, by_dc: Mapping[str, PeerPolicy]) -> Iterator[PeerRule]:
    """Yield the rules of one address: its own, or one of a group for each data centre that has it."""
    if len(by_dc) == 1:
        ((dc, policy),) = by_dc.items()
        yield PeerRule((RuledNeighbor(address, dc),), policy)
        return
    text = str(address).replace(".", "-").replace(":", "-")
    for dc, policy in by_dc.items():
        yield PeerRule((RuledNeighbor(address, dc),), policy, f"{dc}-{text}")


def _by_name(
    site: Site, rule: NeighborRule, names: Mapping[Prefix, str]
) -> Mapping[str, list[Prefix]]:
    """Return the prefixes of each VIP that a neighbour could be sent."""
    found: dict[str, list[Prefix]] = defaultdict(list)
    for prefix in site.routes:
        if prefix.version in rule.families:
            found[names[prefix].lower()].append(prefix)
    return found


def _named(site: Site, rule: NeighborRule, names: Mapping[Prefix, str]) -> PeerPolicy:
    """Return a neighbour's policy with the names of what it is not sent, or of all that it is."""
    by_name = _by_name(site, rule, names)
    without = frozenset(
        n for n, prefixes in by_name.items() if not rule.withheld.isdisjoint(prefixes)
    )
    having = frozenset(by_name) - without
    if len(having) < len(without):
        return replace(rule.policy, announce=having)
    return replace(rule.policy, excepted=without)


def _torn(site: Site, rule: NeighborRule, names: Mapping[Prefix, str]) -> Iterator[str]:
    """Yield the VIPs of which a neighbour is sent a part."""
    for name, prefixes in _by_name(site, rule, names).items():
        kept = [prefix for prefix in prefixes if prefix in rule.withheld]
        if kept and len(kept) < len(prefixes):
            where = site.configuration.networks[kept[0]].statement.where
            yield (
                f"{where}: {kept[0]} is not sent to {rule.address}, and other addresses of {name} are; [peer] names "
                "whole VIPs: give them different names"
            )
