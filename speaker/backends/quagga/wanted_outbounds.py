"""What bgpd's neighbours are to have of what [peer] and [peer_group] say. No I/O."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING

from speaker.backends.quagga.outbound import Outbound, sets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy.peers import PeerPolicy
    from policy.route import Asn, Attributes, IpAddress, Prefix, Route
    from policy.wanted import WantedRoutes
    from speaker.backends.quagga.neighbor_lines import Side
    from speaker.backends.quagga.summary import SummarySession


class WantedOutbounds:
    """What neighbours are to have, by [peer] and [peer_group].

    Args:
        asn: the data centre's.
        wanted: the routes of the data centre, and the rules; None where there are none.
        is_observed: whether something else sees to it, so that only who was sent what is looked at.
    """

    def __init__(self, asn: Asn, wanted: WantedRoutes | None, *, is_observed: bool = False) -> None:
        self.asn, self._wanted, self.is_observed = asn, wanted, is_observed
        self.policies = {} if wanted is None else wanted.policies

    @cached_property
    def prefixes(self) -> frozenset[Prefix]:
        """All prefixes that this data centre may announce."""
        return frozenset(route.prefix for route in self._routes())

    @cached_property
    def sides(self) -> Mapping[Side, Outbound]:
        """What each neighbour of a rule is to have in each family, if it has that family.

        Those of the same policy get the same of every route, and share one object: hundreds of neighbours have few policies.
        """
        routes = [(route, dict(route.overrides)) for route in self._routes()] * bool(self.policies)
        made: dict[tuple[PeerPolicy, int], Outbound] = {}
        sides = {}
        for address, policy in self.policies.items():
            for version in (4, 6):
                if (found := made.get((policy, version))) is None:
                    found = made[policy, version] = self._outbound(address, version, policy, routes)
                sides[str(address), version] = found
        return sides

    def _routes(self) -> Iterator[Route]:
        return iter(()) if self._wanted is None else self._wanted.all()

    def _outbound(
        self,
        address: IpAddress,
        version: int,
        policy: PeerPolicy,
        routes: Iterable[tuple[Route, Mapping[IpAddress, Attributes | None]]],
    ) -> Outbound:
        kept: list[Prefix] = []
        given: list[Prefix] = []
        soft: dict[int, list[Prefix]] = defaultdict(list)
        has_numbers = policy.med is not None or policy.local_preference is not None
        for route, overrides in routes:
            what = overrides.get(address, route.attributes)
            if route.prefix.version == version and what != route.attributes:
                (kept if what is None else given).append(route.prefix)
                drains = self._soft(route.prefix) if has_numbers and what is not None else None
                if drains is not None:
                    soft[drains.attributes.med or 0].append(route.prefix)
        lines = sets(policy, self.asn) if given else ()
        by_med = tuple((med, frozenset(soft[med])) for med in sorted(soft))
        return Outbound(version, frozenset(kept), frozenset(given), lines, by_med)

    def _soft(self, prefix: Prefix) -> Route | None:
        return None if self._wanted is None else self._wanted.soft(prefix)

    def of(self, route: Route) -> Route:
        """Return a route that all neighbours get with what single ones get of it, where it is the wanted one."""
        if self._wanted is None or not self.policies:
            return route
        for wanted in (self._wanted.of(route.prefix), self._wanted.soft(route.prefix)):
            if wanted is not None and wanted.attributes == route.attributes:
                return wanted
        return route

    def missing(self, sessions: Sequence[SummarySession]) -> tuple[str, ...]:
        """Return the rules for neighbours that bgpd lacks, in words."""
        return () if self._wanted is None else self._wanted.missing(_addresses(sessions))


def _addresses(sessions: Sequence[SummarySession]) -> Iterator[IpAddress]:
    for session in sessions:
        try:
            yield ip_address(session.address)
        except ValueError:
            continue  # an interface
