"""What ExaBGP announces of our prefixes, by the Adj-RIB-Outs of its neighbours. No I/O.

Its listing has the Adj-RIB-Out of every neighbour, also of one that does not list our process (any
more): what such a neighbour has may be ours, from before a reload of exabgp.conf, and is then out of
our reach. So a prefix that ours lack is absent only if no other has it either; else it is unknown.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from policy.plan import Drift
from policy.route import Route
from speaker.backends.exabgp.api_text import as_ebgp, next_hop_for

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.route import Asn, Attributes, Prefix
    from speaker.backends.exabgp.api_text import Sent
    from speaker.backends.exabgp.neighbors import Ends, Neighbor, Neighbors
    from speaker.config.settings import NextHop
    from speaker.units import IpAddress


class Announced:
    """One listing of all Adj-RIB-Outs, as far as it is of some prefixes."""

    def __init__(
        self,
        prefixes: Collection[Prefix],
        ribs: Mapping[Ends, Mapping[Prefix, Sent | str]],
        neighbors: Neighbors,
    ) -> None:
        """Take a listing, by the sessions that ExaBGP calls."""
        self._prefixes = prefixes
        self._neighbors = neighbors
        self._ribs: dict[Neighbor, Mapping[Prefix, Sent | str]] = {}
        for ends, rib in ribs.items():
            if (neighbor := neighbors.of(ends)) is not None:
                self._ribs[neighbor] = rib
        self._concerned = {
            version: [(n, self._ribs.get(n, {})) for n in neighbors.of_family(version)]
            for version in (4, 6)
        }
        self._judged: dict[tuple[int, int, int], Attributes | None] = {}
        self.strays = self._strays()
        """What neighbours have that are not ours."""

    def _strays(self) -> Mapping[Neighbor, Collection[Prefix]]:
        wanted = frozenset(self._prefixes)
        found = {n: wanted & self._ribs.get(n, {}).keys() for n in self._neighbors.others}
        return {neighbor: prefixes for neighbor, prefixes in found.items() if prefixes}

    def routes(self, hops: NextHop, asn: Asn) -> dict[Prefix, Route | Drift | None]:
        """Return what is announced, as eBGP peers of `asn` see it, without what is unknown."""
        elsewhere = frozenset(chain.from_iterable(self.strays.values()))
        seen = {prefix: self._seen(prefix, hops, asn) for prefix in self._prefixes}
        return {
            prefix: what
            for prefix, what in seen.items()
            if what is not None or prefix not in elsewhere
        }

    def _seen(self, prefix: Prefix, hops: NextHop, asn: Asn) -> Route | Drift | None:
        hop = next_hop_for(hops, prefix.version)
        found = [(neighbor, rib.get(prefix)) for neighbor, rib in self._concerned[prefix.version]]
        if all(what is None for _, what in found):
            return None
        first, *others = (
            None if what is None else self._as_ebgp(what, neighbor, hop, asn)
            for neighbor, what in found
        )
        if first is not None and all(other == first for other in others):
            return Route(prefix, first)
        return Drift(
            "; ".join(
                f"neighbor {self._neighbors.name(neighbor)} has {what or 'nothing'}"
                for neighbor, what in found
            )
        )

    def _as_ebgp(
        self, what: Sent | str, neighbor: Neighbor, hop: IpAddress | None, asn: Asn
    ) -> Attributes | None:
        """See `as_ebgp`. What is one object is judged once: all live as long as the listing."""
        key = id(what), id(neighbor), id(hop)
        if key not in self._judged:
            self._judged[key] = as_ebgp(what, neighbor, hop, asn)
        return self._judged[key]

    def held(self) -> Mapping[Neighbor, Collection[Prefix]]:
        """Return of which prefixes each neighbour of ours is to have a route."""
        wanted = frozenset(self._prefixes)
        return {n: wanted & self._ribs.get(n, {}).keys() for n in self._neighbors.ours}
