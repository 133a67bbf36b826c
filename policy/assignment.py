"""What a data centre has to do with each prefix: with which rank, profile and route it announces it, if it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.drain_profile import SoftRoutes
from policy.preference import profile, rank
from policy.route import Route

if TYPE_CHECKING:
    from policy.intent import Intent
    from policy.peers import PeersHere
    from policy.route import Prefix
    from policy.topology import Address, DataCentre, Profile, Topology, Vip


@dataclass(frozen=True, slots=True)
class Assignment:
    """What this data centre has to do with one prefix.

    `rank`, `profile` and `route` are None where others announce it, and this one does not. `soft` is the
    route while it drains.
    """

    vip: Vip
    address: Address
    rank: int | None
    profile: Profile | None
    route: Route | None
    soft: Route | None = None

    def announced(self, intent: Intent | None) -> Route | None:
        """Return the route with which it is announced under an operator's intent, where it is."""
        return self.soft if intent is not None and intent.is_soft else self.route


def assignments(topology: Topology, dc: DataCentre) -> dict[Prefix, Assignment]:
    """Return a data centre's duties, by prefix."""
    here, soft = topology.peers.at(dc.name), SoftRoutes(topology, dc)
    return {a.prefix: _assignment(here, soft, vip, a, dc) for vip, a in topology}


def _assignment(
    here: PeersHere, soft: SoftRoutes, vip: Vip, address: Address, dc: DataCentre
) -> Assignment:
    if dc.name not in address.prefer:
        return Assignment(vip, address, None, None, None)
    found = profile(vip, address, dc)
    route = Route(address.prefix, dc.attributes(found))
    sent = here.route(vip.name, route) if here.policies else route
    return Assignment(vip, address, rank(address, dc), found, sent, soft.route(vip, address))
