"""WantedRoutes: what one data centre announces of each prefix when it does, and to whom."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from policy.drain_profile import SoftRoutes, soft_profiles
from policy.preference import route

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from policy.peers import PeerPolicy
    from policy.route import Attributes, IpAddress, Prefix, Route
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
        self._soft = SoftRoutes(topology, dc)
        self._known: dict[Prefix, Route | None] = {}
        self._draining: dict[Prefix, Route | None] = {}

    def of(self, prefix: Prefix) -> Route | None:
        """Return what is announced of a prefix, None where it is no VIP's, or only others announce it."""
        if prefix not in self._known:
            duty = self._duty(prefix)
            self._known[prefix] = self.route(*duty) if duty else None
        return self._known[prefix]

    def soft(self, prefix: Prefix) -> Route | None:
        """Return what is announced of a prefix while it drains. See `of`."""
        if prefix not in self._draining:
            duty = self._duty(prefix)
            self._draining[prefix] = self._soft.route(*duty) if duty else None
        return self._draining[prefix]

    def _duty(self, prefix: Prefix) -> tuple[Vip, Address] | None:
        found = self._topology.find(prefix)
        return found if found and self._dc.name in found[1].prefer else None

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """All prefixes of the site, whoever announces them."""
        return self._topology.prefixes

    @property
    def differ(self) -> bool:
        """Whether single neighbours get something else than all."""
        return bool(self._here)

    def is_soft(self, attributes: Attributes) -> bool:
        """Tell whether some prefix has these attributes while it drains, for eBGP peers or iBGP ones."""
        if attributes.local_preference is not None:
            attributes = replace(attributes, local_preference=None)
        return attributes in self._soft_attributes

    @cached_property
    def _soft_attributes(self) -> frozenset[Attributes]:
        found = soft_profiles(self._topology, self._dc)
        return frozenset(self._dc.attributes(replace(p, local_preference=None)) for p in found)

    def all(self) -> Iterator[Route]:
        """Yield all of them."""
        for vip in self._topology.everything:
            for address in vip.addresses:
                if (route := self.of(address.prefix)) is not None:
                    yield route

    @property
    def policies(self) -> Mapping[IpAddress, PeerPolicy]:
        """What neighbours get otherwise than all, each by the sum of its rules."""
        return self._here.policies

    def missing(self, found: Iterable[IpAddress]) -> tuple[str, ...]:
        """Return the rules for neighbours that are not among those that the daemon has, in words."""
        return self._topology.peers.missing(self._dc.name, found)

    def route(self, vip: Vip, address: Address) -> Route:
        """Return what is announced of an address."""
        plain = route(vip, address, self._dc)
        return self._here.route(vip.name, plain) if self._here else plain
