"""The sessions that bring routes to us, as witnesses: what each told, and which is to tell it again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from policy.witness import Hearing, Witness
from speaker.backends.exabgp.feed import MAX_SESSIONS
from speaker.backends.exabgp.heard import HeardEnd, HeardGarbled, HeardTable, HeardUpdate
from speaker.backends.exabgp.messages import Garbled, PeerState
from speaker.backends.exabgp.neighbors import ConfiguredNeighbors

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from policy.route import Prefix
    from speaker.backends.exabgp.messages import Report
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, Ends
    from speaker.backends.exabgp.requests import Requests

LOST = "what ExaBGP told could not be read"
NO_REFRESH = (
    "its session can't ask for its routes again; with ExaBGP 5.0 set capability { route-refresh enable; } there, "
    "with 4.2 restart the session at the router"
)
FAMILIES = {4: "ipv4 unicast", 6: "ipv6 unicast"}


class Ears:
    """What all of them told. Times are of one steady clock."""

    def __init__(self) -> None:
        self._tables: dict[Ends, HeardTable] = {}
        self._neighbors = ConfiguredNeighbors()
        self._hearing: Mapping[ConfiguredNeighbor, HeardTable] = {}
        self._ours: Mapping[str, Prefix] = {}
        self._refreshable: Collection[ConfiguredNeighbor] = ()
        self._shown: tuple[object, Sequence[Witness]] = ((), ())

    def listen_for(self, prefixes: Iterable[Prefix]) -> None:
        """Take our prefixes: of new ones, nothing was kept until now."""
        ours = {str(prefix): prefix for prefix in prefixes}
        if not ours.keys() <= self._ours.keys():
            for table in self._tables.values():
                table.forget("vip.toml has prefixes that it had not")
        if ours != self._ours:
            for table in self._tables.values():
                table.keep(ours)
        self._ours = ours

    def take(self, event: Report, now: float) -> None:
        """Take over what ExaBGP told."""
        match event:
            case PeerState(ends, up):
                self._session(ends, up=up, now=now)
            case HeardUpdate(ends):
                self._table(ends).take(event, self._ours, now)
            case HeardEnd(ends, version):
                self._table(ends).ends(version)
            case HeardGarbled(ends):
                self._table(ends).give_up("it sent something that can't be read")
            case Garbled():
                for table in self._tables.values():
                    table.forget(LOST)

    def _session(self, ends: Ends, *, up: bool, now: float) -> None:
        table, neighbor = self._table(ends), self._neighbors.of(ends)
        if up and ends in self._tables:
            self._tables[ends] = self._tables.pop(
                ends
            )  # the last one is its neighbour's: see `_of`
        if up and (neighbor is None or neighbor in self._hearing):
            table.begin(now)
        else:
            table.forget("its session is down")

    def _table(self, ends: Ends) -> HeardTable:
        """Return what a session told. Of one too many nothing is kept."""
        if ends not in self._tables and len(self._tables) >= MAX_SESSIONS:
            return HeardTable()
        return self._tables.setdefault(ends, HeardTable())

    def look(
        self,
        neighbors: ConfiguredNeighbors,
        process: str | None,
        missed: Iterable[Ends],
        refreshable: Iterable[Ends],
    ) -> None:
        """Take over which neighbours tell us what they are sent.

        Of one that did not until now, what it told since is kept: it began to before this was seen.

        Args:
            neighbors: those of ExaBGP's configuration now.
            process: our name there; where it is not known, each that a neighbour lists has to be told.
            missed: sessions that came up, of which ExaBGP did not tell.
            refreshable: sessions whose peer can be asked to tell all again.
        """
        self._neighbors = neighbors
        self._hearing = {
            neighbor: self._of(neighbor)
            for neighbor in neighbors.ours
            if (neighbor.processes if process is None else {process}) <= neighbor.hears
        }
        for neighbor in neighbors.all:
            if neighbor not in self._hearing and neighbor.ends in self._tables:
                self._tables[neighbor.ends].forget("its api has no receive { parsed; update; }")
        for ends in missed:
            self._table(ends).forget("its session came up unseen")
        found = (neighbors.of(ends) for ends in refreshable)
        self._refreshable = frozenset(each for each in found if each is not None)

    def _of(self, neighbor: ConfiguredNeighbor) -> HeardTable:
        """Return what a neighbour's session told: ExaBGP may choose its local address, each time another one."""
        known = [t for ends, t in self._tables.items() if self._neighbors.of(ends) == neighbor]
        return known[-1] if known else self._table(neighbor.ends)

    def to_ask(self, up: Mapping[ConfiguredNeighbor, bool]) -> Sequence[ConfiguredNeighbor]:
        """Return the neighbours that are to be asked to tell all again: nothing else makes their table whole."""
        return [
            neighbor
            for neighbor, table in self._hearing.items()
            if up.get(neighbor) and table.is_lost and neighbor in self._refreshable
        ]

    def asked(self, neighbor: ConfiguredNeighbor, now: float) -> None:
        """Take over that a neighbour was asked."""
        self._hearing[neighbor].asked(now)

    def heard(self, up: Mapping[ConfiguredNeighbor, bool], now: float) -> Sequence[Witness]:
        """Return the witnesses: the same object while nothing changes.

        Args:
            up: which sessions are up.
            now: the time.
        """
        states = [(n, t, self._state(n, t, up, now)) for n, t in self._hearing.items()]
        basis = tuple((n, t.version, state, t.reason) for n, t, state in states), id(self._ours)
        if basis != self._shown[0]:
            self._shown = basis, tuple(self._witness(*each) for each in states)
        return self._shown[1]

    def _state(
        self,
        neighbor: ConfiguredNeighbor,
        table: HeardTable,
        up: Mapping[ConfiguredNeighbor, bool],
        now: float,
    ) -> Hearing:
        if not up.get(neighbor):
            return Hearing.DOWN if up.get(neighbor) is False else Hearing.UNKNOWN
        hearing = table.hearing(neighbor.families, now)
        if hearing is Hearing.UNKNOWN and table.is_lost and neighbor in self._refreshable:
            return Hearing.LEARNING  # it is asked again with the next reading
        return hearing

    def _witness(
        self, neighbor: ConfiguredNeighbor, table: HeardTable, hearing: Hearing
    ) -> Witness:
        is_up = hearing is not Hearing.DOWN
        reason = table.reason if is_up else "its session is down"
        if hearing is Hearing.UNKNOWN and neighbor not in self._refreshable:
            reason = f"{reason}; {NO_REFRESH}"
        return Witness(
            self._neighbors.name(neighbor),
            neighbor.peer_as,
            neighbor.local_as,
            hearing,
            table.paths(self._ours) if is_up else {},
            reason,
            families=neighbor.families,
        )


async def ask_again(ears: Ears, up: Mapping[ConfiguredNeighbor, bool], requests: Requests) -> None:
    """Have those witnesses tell their routes again whose table nothing else makes whole (RFC 2918)."""
    for neighbor in ears.to_ask(up):
        families = [FAMILIES[version] for version in sorted(neighbor.families)]
        lines = [f"{neighbor.selector} announce route-refresh {family}" for family in families]
        if all([await requests.is_taken(line) for line in lines]):
            ears.asked(neighbor, asyncio.get_running_loop().time())
