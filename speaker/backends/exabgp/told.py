"""What ExaBGP told that our neighbours were sent, and where that is not what it holds for them. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.plan import Announce
from speaker.backends.exabgp.feed import Feed, Sendings, SentUpdate
from speaker.backends.exabgp.messages import Garbled, PeerState
from speaker.backends.exabgp.neighbors import ConfiguredNeighbors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.exabgp.messages import Report
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, Ends


class Told:
    """All that it told, by neighbour."""

    def __init__(self) -> None:
        """Know nothing: sessions may be up already."""
        self._feed = Feed()
        self._neighbors = ConfiguredNeighbors()
        self._telling: Mapping[ConfiguredNeighbor, Sendings] = {}

    def take(self, event: Report) -> None:
        """Take over what ExaBGP told."""
        match event:
            case PeerState(ends, up):
                if up:
                    self._feed.latest(ends)
                self._feed.session(ends).begin()
                neighbor = self._neighbors.of(ends)
                if neighbor is not None and neighbor not in self._telling:
                    self._feed.session(ends).forget()
            case SentUpdate():
                self._feed.take(event)
            case Garbled():
                self._feed.forget_all()

    def look(
        self, neighbors: ConfiguredNeighbors, process: str | None, missed: Iterable[Ends]
    ) -> None:
        """Take over of which neighbours it tells us.

        Of one that it did not tell of until now, what it told since is kept: it began to tell before
        this was seen. All else of it is not known.

        Args:
            neighbors: those of its configuration now.
            process: our name there. Where it is not known, each that a neighbour lists may be ours,
                so each has to be told.
            missed: sessions that came up, of which it did not tell.
        """
        self._neighbors = neighbors
        self._telling = {
            neighbor: self._session(neighbor)
            for neighbor in neighbors.ours
            if (neighbor.processes if process is None else {process}) <= neighbor.told
        }
        for neighbor in (*neighbors.ours, *neighbors.others):
            if neighbor not in self._telling:
                self._session(neighbor).forget()
        for ends in missed:
            self._feed.session(ends).forget()

    def _session(self, neighbor: ConfiguredNeighbor) -> Sendings:
        """Return what a neighbour's session was sent: ExaBGP may choose its local address, each time another one."""
        known = [
            s for ends, s in self._feed.sessions.items() if self._neighbors.of(ends) == neighbor
        ]
        return known[-1] if known else self._feed.sessions[neighbor.ends]

    def of(self, neighbor: ConfiguredNeighbor) -> Sendings | None:
        """Return what a neighbour is sent, where it tells us of all of it."""
        return self._telling.get(neighbor)

    def had(self, prefixes: Iterable[Prefix]) -> Mapping[Prefix, bool | None]:
        """Return which of some prefixes all sessions have; None where they differ, or one is not told of.

        A session that is down has nothing.
        """
        nothing = Sendings()
        sessions = {
            version: [self._telling.get(n, nothing) for n in self._neighbors.carrying(version)]
            for version in (4, 6)
        }
        found = {}
        for prefix in prefixes:
            states = {session.has(str(prefix)) for session in sessions[prefix.version]}
            found[prefix] = states.pop() if len(states) == 1 else None
        return found

    def waits(self, change: Change, neighbors: Iterable[ConfiguredNeighbor]) -> bool:
        """Tell whether any of some neighbours, of which it tells us, was not sent a change yet."""
        text = str(change.prefix)
        for neighbor in neighbors:
            wanted = isinstance(change, Announce) and change.route.to(neighbor.address) is not None
            told = self._telling.get(neighbor)
            if told is not None and told.has(text) is not wanted:
                return True
        return False

    # --- where it is not as it should be ------------------------------------------------------

    def doubts(
        self,
        absent: Iterable[Prefix],
        kept_from: Mapping[ConfiguredNeighbor, Collection[Prefix]],
        up: Mapping[ConfiguredNeighbor, bool],
    ) -> tuple[set[Prefix], set[Prefix]]:
        """Return the prefixes that ExaBGP does not hold, and that some peer was sent, or may have been.

        The latter only by neighbours that are up, and of which it tells.

        Args:
            absent: what it holds for no neighbour.
            kept_from: what it holds for others, and not for these neighbours.
            up: which sessions are up.
        """
        telling = {
            version: [
                session
                for neighbor, session in self._telling.items()
                if version in neighbor.families and up.get(neighbor)
            ]
            for version in (4, 6)
        }
        phantoms, unknown = set(), set()
        for prefix in absent:
            found = {session.has(str(prefix)) for session in telling[prefix.version]}
            if True in found:
                phantoms.add(prefix)
            elif None in found:
                unknown.add(prefix)
        for neighbor, prefixes in kept_from.items():
            if up.get(neighbor) and neighbor in self._telling:
                has = {prefix: self._telling[neighbor].has(str(prefix)) for prefix in prefixes}
                phantoms.update(prefix for prefix, was in has.items() if was)
                unknown.update(prefix for prefix, was in has.items() if was is None)
        return phantoms, unknown - phantoms

    def unproven(
        self,
        absent: Iterable[Prefix],
        kept_from: Mapping[ConfiguredNeighbor, Collection[Prefix]],
        up: Mapping[ConfiguredNeighbor, bool],
    ) -> set[Prefix]:
        """Return the prefixes that ExaBGP does not hold, and that some peer may have been sent.

        See `doubts`.
        """
        nothing = Sendings()
        may_have = {
            version: [
                self._telling.get(neighbor, nothing)
                for neighbor in self._neighbors.of_family(version)
                if up.get(neighbor) is not False
            ]
            for version in (4, 6)
        }
        return {
            p for p in absent if any(s.has(str(p)) is not False for s in may_have[p.version])
        } | {
            prefix
            for neighbor, prefixes in kept_from.items()
            if up.get(neighbor) is not False
            for prefix in prefixes
            if self._telling.get(neighbor, nothing).has(str(prefix)) is not False
        }

    def missing(
        self,
        held: Mapping[ConfiguredNeighbor, Collection[Prefix]],
        up: Mapping[ConfiguredNeighbor, bool],
    ) -> frozenset[tuple[str, str]]:
        """Return what ExaBGP holds for a session that is up, and what that was not sent: by its name."""
        return frozenset(
            (self._neighbors.name(neighbor), text)
            for neighbor, session in self._telling.items()
            if up.get(neighbor)
            for prefix in held.get(neighbor, ())
            if self._neighbors.carries(neighbor, prefix.version)
            if not session.has(text := str(prefix))
        )
