"""What ExaBGP announces of our prefixes, by the Adj-RIB-Outs of its neighbours. No I/O.

Its listing has the Adj-RIB-Out of every neighbour, also of one that does not list our process (any
more): what such a neighbour has may be ours, from before a reload of exabgp.conf, and is then out of
our reach. So a prefix that ours lack is absent only if no other has it either; else it is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from policy.differing import differing
from policy.plan import Drift
from policy.route import Route
from speaker.backends.exabgp.api_text import as_ebgp, fits, next_hop_for, parse_listing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from policy.route import Asn, Attributes, Prefix
    from policy.wanted import WantedRoutes
    from speaker.backends.exabgp.api_text import Listing, Sent
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, ConfiguredNeighbors, Ends
    from speaker.config.settings import NextHop
    from speaker.units import IpAddress


_NONE: Mapping[Prefix, Sent | str] = {}
Ribs = Mapping["Ends", Mapping["Prefix", "Sent | str"]]


class Basis(NamedTuple):
    """By what a listing is looked at: which prefixes, of which neighbours, and what they ought to be sent."""

    prefixes: frozenset[Prefix]
    neighbors: tuple[ConfiguredNeighbor, ...]
    ours: tuple[ConfiguredNeighbor, ...]
    hops: NextHop
    asn: Asn
    wanted: WantedRoutes | None


class Listed(NamedTuple):
    """A listing, and what it says of our prefixes."""

    text: Listing
    routes: ListedRoutes


def listed(
    lines: Sequence[str],
    prefixes: Collection[Prefix],
    neighbors: ConfiguredNeighbors,
    hops: NextHop,
    asn: Asn,
    last: Listed | None,
    wanted: WantedRoutes | None,
) -> Listed:
    """Parse a listing of all Adj-RIB-Outs, and look at it. See `parse_listing` and `ListedRoutes`.

    Raises:
        BackendError: a line is not of the known form.
    """
    text, before = (None, None) if last is None else last
    found = parse_listing(lines, text)
    return Listed(found, ListedRoutes(prefixes, found.ribs, neighbors, hops, asn, before, wanted))


class ListedRoutes:
    """One listing of all Adj-RIB-Outs, as far as it is of some prefixes.

    Args:
        prefixes: those that are looked for.
        ribs: the listing.
        neighbors: those of ExaBGP's configuration.
        hops: the next hops that ours are to be sent.
        asn: the AS number by which routes are told, as eBGP peers of it see them.
        last: the one before: only what is listed otherwise is looked at again.
        wanted: what single neighbours ought to be sent; None where all get the same.
    """

    def __init__(
        self,
        prefixes: Collection[Prefix],
        ribs: Ribs,
        neighbors: ConfiguredNeighbors,
        hops: NextHop,
        asn: Asn,
        last: ListedRoutes | None = None,
        wanted: WantedRoutes | None = None,
    ) -> None:
        self._neighbors = neighbors
        self._basis = Basis(frozenset(prefixes), neighbors.all, neighbors.ours, hops, asn, wanted)
        self._ribs: dict[ConfiguredNeighbor, Mapping[Prefix, Sent | str]] = {}
        for ends, rib in ribs.items():
            if (neighbor := neighbors.of(ends)) is not None:
                self._ribs[neighbor] = rib
        self._concerned = {
            version: [(n, self._ribs.get(n, _NONE)) for n in neighbors.of_family(version)]
            for version in (4, 6)
        }
        self._judged: dict[tuple[int, int, int], Attributes | None] = {}
        self._soft: dict[int, bool] = {}
        self._listed = {n: self._basis.prefixes & rib.keys() for n, rib in self._ribs.items()}
        self.strays = {n: found for n in neighbors.others if (found := self._listed.get(n))}
        """What neighbours have that are not ours."""
        self._seen = self._look(prefixes, last)

    def _look(
        self, wanted: Collection[Prefix], last: ListedRoutes | None
    ) -> Mapping[Prefix, Route | Drift | None]:
        if last is None or last._basis != self._basis:  # noqa: SLF001 - of the same class
            return {prefix: self._of(prefix) for prefix in wanted}
        before = last._ribs  # noqa: SLF001 - of the same class
        pairs = [
            (before.get(neighbor, _NONE), self._ribs.get(neighbor, _NONE))
            for neighbor in before.keys() | self._ribs.keys()
        ]
        changed = {prefix for pair in pairs for prefix in differing(*pair)}
        again = {prefix: self._of(prefix) for prefix in changed & self._basis.prefixes}
        return {**last._seen, **again}  # noqa: SLF001 - of the same class

    def routes(self) -> Mapping[Prefix, Route | Drift | None]:
        """Return what is announced, without what is unknown."""
        if not self.strays:
            return self._seen
        elsewhere = frozenset(chain.from_iterable(self.strays.values()))
        return {
            prefix: what
            for prefix, what in self._seen.items()
            if what is not None or prefix not in elsewhere
        }

    def _of(self, prefix: Prefix) -> Route | Drift | None:
        hop = next_hop_for(self._basis.hops, prefix.version)
        found = [(neighbor, rib.get(prefix)) for neighbor, rib in self._concerned[prefix.version]]
        if all(what is None for _, what in found):
            return None
        first, *others = (
            None if what is None else self._as_ebgp(what, neighbor, hop) for neighbor, what in found
        )
        expected = self._expected(prefix, first)
        for route in expected:
            if all(fits(what, route.to(n.address), n, hop) for n, what in found):
                return route
        if any(route.overrides for route in expected):
            return self._otherwise(found)
        if first is not None and all(other == first for other in others):
            return Route(prefix, first)
        return self._otherwise(found)

    def _expected(self, prefix: Prefix, seen: Attributes | None) -> Sequence[Route]:
        """Return our routes that it may be, where neighbours see different attributes of one.

        What is one object is asked about once: all live as long as the listing.
        """
        wanted = self._basis.wanted
        if wanted is None:
            return ()
        usual = wanted.of(prefix) if wanted.differ else None
        named = [usual] if usual is not None and usual.overrides else []
        if seen is not None and id(seen) not in self._soft:
            self._soft[id(seen)] = wanted.is_soft(seen)
        if named or (seen is not None and self._soft[id(seen)]):
            soft = wanted.soft(prefix)
            named += [soft] if soft is not None else []
        return named

    def _otherwise(self, found: Sequence[tuple[ConfiguredNeighbor, Sent | str | None]]) -> Drift:
        return Drift(
            "; ".join(
                f"neighbor {self._neighbors.name(neighbor)} has {what or 'nothing'}"
                for neighbor, what in found
            )
        )

    def _as_ebgp(
        self, what: Sent | str, neighbor: ConfiguredNeighbor, hop: IpAddress | None
    ) -> Attributes | None:
        """See `as_ebgp`. What is one object is judged once: all live as long as the listing."""
        key = id(what), id(neighbor), id(hop)
        if key not in self._judged:
            self._judged[key] = as_ebgp(what, neighbor, hop, self._basis.asn)
        return self._judged[key]

    def held(self) -> Mapping[ConfiguredNeighbor, Collection[Prefix]]:
        """Return of which prefixes each of our neighbours is to have a route."""
        return {n: self._listed.get(n, frozenset()) for n in self._neighbors.ours}

    def kept_from(self) -> Mapping[ConfiguredNeighbor, Collection[Prefix]]:
        """Return of each neighbour which prefixes it is not to get while others have them."""
        found: dict[ConfiguredNeighbor, list[Prefix]] = {}
        if self._basis.wanted is None:
            return found
        for prefix, seen in self._seen.items():
            if isinstance(seen, Route) and seen.overrides:
                for neighbor, _ in self._concerned[prefix.version]:
                    if seen.to(neighbor.address) is None:
                        found.setdefault(neighbor, []).append(prefix)
        return found
