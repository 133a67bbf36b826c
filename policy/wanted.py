"""WantedRoutes: what one data centre announces of each prefix when it does, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.preference import route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.route import IpAddress, Prefix, Route
    from policy.topology import Address, DataCentre, Topology, Vip


class WantedRoutes:
    """The routes of a data centre, each made when it is looked at, and the same object from then on.

    Args:
        topology: all data centres, VIPs, and what single neighbours get.
        dc: the data centre.
    """

    def __init__(self, topology: Topology, dc: DataCentre) -> None:
        self._topology, self._dc = topology, dc
        self._here = topology.peers.at(dc.name)
        self._known: dict[Prefix, Route | None] = {}

    def of(self, prefix: Prefix) -> Route | None:
        """Return what is announced of a prefix, None where it is no VIP's, or only others announce it."""
        if prefix not in self._known:
            vip, address = self._topology.find(prefix) or (None, None)
            is_ours = address is not None and self._dc.name in address.prefer
            self._known[prefix] = self.route(vip, address) if vip and address and is_ours else None
        return self._known[prefix]

    def missing(self, found: Iterable[IpAddress]) -> tuple[str, ...]:
        """Return the rules for neighbours that are not among those that the daemon has, in words."""
        return self._topology.peers.missing(self._dc.name, found)

    def route(self, vip: Vip, address: Address) -> Route:
        """Return what is announced of an address."""
        plain = route(vip, address, self._dc)
        return self._here.route(vip.name, plain) if self._here else plain
