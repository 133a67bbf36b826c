"""A data centre as ExaBGP will have it: its sessions, what it announces on them, and what can't be had. Values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policy.peers import PeerPolicy
    from policy.route import Prefix, Route
    from speaker.config.settings import NextHop
    from speaker.migration.bgpd_conf.model import Configuration, Neighbor
    from speaker.units import IpAddress


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """A neighbour as ExaBGP will have it. `fed` are the families of which it is sent VIPs."""

    neighbor: Neighbor
    local: IpAddress
    families: frozenset[int]
    fed: frozenset[int]


@dataclass(frozen=True, slots=True)
class NeighborRule:
    """What one neighbour gets that is not what all get: a policy, and prefixes that it is not sent."""

    address: IpAddress
    families: frozenset[int]
    policy: PeerPolicy
    withheld: frozenset[Prefix]


@dataclass(frozen=True, slots=True)
class Site:
    """A data centre: what it announces and to whom, and what can't be had or should be looked at.

    `routes` are as an eBGP neighbour sees them. `left_out` says why a network is not announced.
    `router_id` is None where there is no session.
    """

    name: str
    configuration: Configuration
    routes: dict[Prefix, Route]
    left_out: dict[Prefix, str]
    hops: NextHop
    sessions: tuple[PlannedSession, ...]
    router_id: str | None
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    told: tuple[str, ...] = ()
    """What is only to be said."""
    rules: tuple[NeighborRule, ...] = ()
    """What single neighbours get that is not in `routes`."""
    lacking: tuple[str, ...] = ()
    """The options that would say from which addresses the other sessions go."""

    def is_aggregate(self, prefix: Prefix) -> bool:
        """Tell whether bgpd makes a prefix that it announces from those inside."""
        return self.configuration.networks[prefix].summary_only is not None

    @property
    def neighbors(self) -> tuple[Neighbor, ...]:
        """Return bgpd's neighbours as ExaBGP will have them: local addresses, families."""
        return tuple(
            replace(
                session.neighbor,
                local=session.local,
                families={
                    version: replace(family, active=version in session.fed)
                    for version, family in session.neighbor.families.items()
                },
            )
            for session in self.sessions
        )
