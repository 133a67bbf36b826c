"""Two speakers' UPDATEs, prefix by prefix and neighbour by neighbour: what bgpd sends, what ExaBGP will. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policy.aggregate import Aggregates
from policy.assignment import assignments
from policy.decide import elsewhere
from speaker.backends.exabgp import api_text
from speaker.backends.exabgp import neighbors as exabgp_neighbors
from speaker.migration.updates.evaluate import Evaluation, Hop, Update

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy.assignment import Assignment
    from policy.route import Asn, Prefix
    from policy.topology import DataCentre, Topology
    from speaker.config.settings import NextHop
    from speaker.migration.bgpd_conf.model import Configuration, Neighbor, Obstacle
    from speaker.units import IpAddress

LOCAL_PREF = 100
"""What ExaBGP sends on iBGP (RFC 4271 §5.1.5)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What one neighbour gets of a prefix from the old speaker and from the new one: None for nothing.

    `silence` says why there is none of the old, or none of the new. With `doubts`, which are lines
    that are not understood, `old` is what the rest of the file comes to: it proves nothing.
    """

    prefix: Prefix
    neighbor: IpAddress
    asn: Asn
    old: Update | None
    new: Update | None
    silence: str = ""
    doubts: tuple[Obstacle, ...] = ()
    unseen: str = ""
    """Where bgpd itself was asked: why it is not its table that says what it sends."""

    @property
    def differences(self) -> tuple[str, ...]:
        """Return the attributes that differ: `announced` where one of the two sends nothing."""
        if self.old is None or self.new is None:
            return () if self.old is self.new else ("announced",)
        old, new = fields(self.old), fields(self.new)
        differ = tuple(name for name in old if old[name] != new[name])
        return tuple(name for name in differ if name not in self.unproven)

    @property
    def unproven(self) -> tuple[str, ...]:
        """Return the attributes of which the old file does not say whether they differ: the next hop."""
        if self.old is None or self.new is None or self.old.next_hop == self.new.next_hop:
            return ()
        hops = (self.old.next_hop, self.new.next_hop)
        return ("next_hop",) if any(isinstance(hop, Hop) for hop in hops) else ()


def fields(update: Update) -> dict[str, object]:
    """Return the attributes of an UPDATE by their names in JSON."""
    attributes = update.attributes
    return {
        "as_path": list(attributes.as_path),
        "origin": str(attributes.origin),
        "med": attributes.med,
        "communities": [*map(str, attributes.communities)],
        "large_communities": [*map(str, attributes.large_communities)],
        "extended_communities": [*map(str, attributes.extended_communities)],
        "local_pref": update.local_pref,
        "next_hop": str(update.next_hop),
    }


def compare(
    configuration: Configuration,
    evaluation: Evaluation,
    topology: Topology,
    dc: DataCentre,
    hops: NextHop,
) -> tuple[Pair, ...]:
    """Return all that either speaker sends, those that differ first.

    The new speaker has the neighbours of the old one that are sent anything.

    Args:
        configuration: the old one.
        evaluation: of it.
        topology: of the new one.
        dc: the data centre.
        hops: NEXT_HOP of the new one.
    """
    pairs = [
        pair
        for neighbor in configuration.neighbors
        for pair in _to(neighbor, evaluation, topology, dc, hops)
    ]
    return (*(p for p in pairs if p.differences), *(p for p in pairs if not p.differences))


def _to(
    neighbor: Neighbor,
    evaluation: Evaluation,
    topology: Topology,
    dc: DataCentre,
    hops: NextHop,
) -> Iterator[Pair]:
    old = evaluation.updates[neighbor.address]
    why = evaluation.silent[neighbor.address]
    new = planned(neighbor, topology, dc, hops)
    for prefix in dict.fromkeys((*old, *new)):
        ours = new.get(prefix, "not in vip.toml")
        silence = ours if isinstance(ours, str) else ""
        if prefix not in old:
            silence = silence or why.get(prefix, "no network line")
        pair = Pair(
            prefix,
            neighbor.address,
            neighbor.asn,
            _known(old.get(prefix), neighbor),
            _known(None if isinstance(ours, str) else ours, neighbor),
            silence,
            evaluation.doubts(neighbor.address, prefix),
        )
        if pair.old is not None or pair.new is not None:
            yield pair


def _known(update: Update | None, neighbor: Neighbor) -> Update | None:
    """Return an UPDATE with the session's own address in place of `self`, where the file tells it."""
    if update is None or update.next_hop is not Hop.SELF or neighbor.local is None:
        return update
    return replace(update, next_hop=neighbor.local)


def planned(
    neighbor: Neighbor, topology: Topology, dc: DataCentre, hops: NextHop
) -> Mapping[Prefix, Update | str]:
    """Return what a neighbour is sent by ExaBGP when all VIPs are announced, or why it can't be."""
    session = exabgp_neighbors.ConfiguredNeighbor(
        neighbor.address,
        neighbor.local or neighbor.address,  # of the same family, which is all that matters
        dc.asn if neighbor.local_as is None else neighbor.local_as.asn,
        neighbor.asn,
        _families(neighbor),
        frozenset(),
    )
    found: dict[Prefix, Update | str] = {}
    duties = assignments(topology, dc)
    held = _held(Aggregates.of(duties), duties)
    for prefix, assignment in duties.items():
        route = assignment.route
        if route is None:
            found[prefix] = elsewhere(assignment.address).reason
            continue
        if prefix in held:
            found[prefix] = held[prefix]
            continue
        hop = api_text.next_hop_for(hops, prefix.version)
        if prefix.version not in session.families:
            continue
        if api_text.unreachable(session, prefix.version, hop):
            found[prefix] = (
                f"no IPv{prefix.version} next hop on a session over IPv{neighbor.address.version}: "
                f"next_hop = {{ ipv{prefix.version} = … }} is not in vip.toml"
            )
            continue
        wanted = route.to(neighbor.address)
        if wanted is None:
            found[prefix] = "[peer] or [peer_group] in vip.toml keeps it from this neighbor"
            continue
        sent = api_text.sent(wanted, session, hop)
        own = sent.attributes.local_preference
        local_pref = (LOCAL_PREF if own is None else own) if neighbor.asn == dc.asn else None
        attributes = replace(sent.attributes, local_preference=None)
        found[prefix] = Update(attributes, sent.next_hop or Hop.SELF, local_pref)
    return found


def _held(aggregates: Aggregates, duties: Mapping[Prefix, Assignment]) -> Mapping[Prefix, str]:
    """Return what is not announced even when all VIPs are up, and why: members, and lonely aggregates."""
    held = {
        prefix: f"kept back by {keepers[0]}, summary_only"
        for prefix, keepers in aggregates.keepers.items()
    }
    for prefix, members in aggregates.members.items():
        rule = duties[prefix].vip.aggregate
        if rule is not None and len(members) < rule.at_least:
            held[prefix] = f"VIPs' prefixes in it: {len(members)}; needs {rule.at_least}"
    return held


def _families(neighbor: Neighbor) -> frozenset[int]:
    """Return the families that ExaBGP's session has: those of bgpd's, none where it is shut down."""
    if neighbor.shutdown:
        return frozenset()
    return frozenset(version for version, family in neighbor.families.items() if family.active)
