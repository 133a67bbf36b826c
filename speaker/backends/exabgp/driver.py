"""The ExaBGP driver: the commands it is sent, and which of its answers cannot be trusted."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from speaker.backends.base import BackendError, Peer, Reading
from speaker.backends.exabgp.announced import listed
from speaker.backends.exabgp.doubts import doubtful
from speaker.backends.exabgp.ears import Ears, ask_again
from speaker.backends.exabgp.end_of_rib import EndOfRib, lines
from speaker.backends.exabgp.lines import render
from speaker.backends.exabgp.messages import Garbled, PeerState
from speaker.backends.exabgp.neighbors import (
    ConfiguredNeighbors,
    parse_neighbors,
    parse_refreshable,
    parse_refused,
    parse_sessions,
)
from speaker.backends.exabgp.obstacles import impossible, trouble
from speaker.backends.exabgp.pipe import Gone, Pipe
from speaker.backends.exabgp.requests import Requests
from speaker.backends.exabgp.sent import wait_until_sent, who_was_sent
from speaker.backends.exabgp.sessions import Sessions
from speaker.backends.exabgp.staleness import CALM, SETTLE, Event, Staleness
from speaker.backends.exabgp.strays import withdraw_strays
from speaker.backends.exabgp.told import Told
from speaker.backends.exabgp.version import parse_version
from speaker.supervision.steps import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Asn, Prefix
    from policy.wanted import WantedRoutes
    from policy.witness import Witness
    from speaker.backends.base import Daemon
    from speaker.backends.exabgp.announced import Listed, ListedRoutes
    from speaker.backends.exabgp.messages import Report
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor
    from speaker.config.settings import ExabgpSettings

log = logging.getLogger(__name__)

PATIENCE = 5.0


class ExabgpBackend:
    """The ExaBGP that spawned us. `run` must be running, as `Pipe` says."""

    read_interval = 30.0

    def __init__(
        self,
        reader: asyncio.StreamReader,
        write: Callable[[bytes], object],
        *,
        wake: Callable[[], None],
        patience: float = PATIENCE,
        settle: Sequence[float] = SETTLE,
        calm: float = CALM,
        sessions: Sessions | None = None,
    ) -> None:
        """Make a driver, which `configure` makes ready.

        Args:
            reader: what ExaBGP writes to us.
            write: takes what we write to ExaBGP, without blocking.
            wake: called when the daemon must be looked at.
            patience: how long no line of a reply may come while ExaBGP owes one, in seconds.
            settle: how long after a session came up its routes are sent again, each time, in seconds.
            calm: how long nothing may have changed before everything is sent again, in seconds.
            sessions: what is known of the sessions: nothing yet.
        """
        self._pipe = Pipe(reader, write, told=self._hear, patience=patience)
        self._wake = wake
        self._daemon: Daemon | None = None
        self._requests = Requests(self._pipe)
        self._neighbors = ConfiguredNeighbors()
        self._listed: Listed | None = None
        self._strays: Mapping[ConfiguredNeighbor, Collection[Prefix]] = {}
        self._sessions = sessions or Sessions()
        self._up: Mapping[ConfiguredNeighbor, bool] = {}
        self._told, self._ears = Told(), Ears()
        self._clock: Callable[[], float] = lambda: 0.0  # nothing is heard before it runs
        self._ends = EndOfRib()
        self._news = asyncio.Event()
        self._stale = Staleness(settle, calm)
        self._wanted: WantedRoutes | None = None

    @property
    def gone(self) -> Gone:
        """Set when ExaBGP has gone away."""
        return self._pipe.gone

    def configure(
        self, asn: Asn, settings: ExabgpSettings, wanted: WantedRoutes | None = None
    ) -> None:
        """Take a configuration.

        Args:
            asn: the data centre's.
            settings: the next hops, and which neighbours are ours.
            wanted: what single neighbours get; None where all get the same.
        """
        self._asn = asn
        self._settings = settings
        self._wanted = wanted
        self._ears.listen_for(() if wanted is None else wanted.prefixes)

    # --- sessions --------------------------------------------------------------------------

    async def run(self) -> None:
        """Read until ExaBGP goes away, which sets `gone`."""
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._sessions.began = loop.time()
        self._stale.began(self._sessions.began)
        await self._pipe.run()

    def _hear(self, event: Report) -> None:
        self._told.take(event)
        self._ears.take(event, asyncio.get_running_loop().time())
        match event:
            case PeerState():
                self._peer_changed(event)
            case Garbled():
                self._sessions.forget()
                self._up = {}
                self._wake()
        self._news.set()

    def _peer_changed(self, state: PeerState) -> None:
        ends, up, now = state.ends, state.up, asyncio.get_running_loop().time()
        before = self._sessions.reason(ends)
        known = self._sessions.is_told(ends, now, up=up, reason=state.reason)
        self._up = self._sessions.of(self._neighbors)
        neighbor = self._neighbors.of(ends)
        self._ends.begins(neighbor)
        name = str(ends.peer) if neighbor is None else self._neighbors.name(neighbor)
        if up != known:
            self._wake()  # who was sent what is not what it was
        if up:
            log.warning("peer %s: up", name)
            self._session_came_up()
        elif known is not False or self._sessions.reason(ends) != before:
            log.warning("peer %s: down: %s", name, self._sessions.reason(ends) or "not told why")

    def _session_came_up(self) -> None:
        loop = asyncio.get_running_loop()
        for delay, event in self._stale.session_came_up(loop.time()):
            loop.call_later(delay, self._happened, event)

    def _happened(self, event: Event) -> None:
        self._stale.happened(event)
        self._wake()

    # --- the contract ----------------------------------------------------------------------

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`."""
        if not all(map(self._neighbors.of_family, {change.prefix.version for change in changes})):
            try:
                await self._look_at_neighbors()
            except BackendError as error:
                return {change.prefix: str(error) for change in changes}
        hops = self._settings.next_hop
        failures = impossible(changes, self._neighbors, hops)
        had = self._told.had(change.prefix for change in changes)
        try:
            failures |= await self._requests.ask_for(
                changes, lambda group: render(group, self._neighbors, hops)
            )
            for prefix, reason in (
                await withdraw_strays(changes, self._neighbors, self._strays, self._requests)
            ).items():
                failures.pop(prefix, None)
                if reason:
                    failures[prefix] = reason
        finally:
            loop = asyncio.get_running_loop()
            if (due := self._stale.changed(changes, loop.time(), had.get)) is not None:
                loop.call_later(due, self._wake)
        return failures

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`. ExaBGP's Adj-RIB-Out is a cache, and no proof of what a peer has.

        What it lacks is doubtful after a session came up, and now and then; what it has is sent
        again where it may not have been.
        """
        now = asyncio.get_running_loop().time()
        attempt = self._stale.begin(now)
        if self._daemon is None:  # it stays the same for as long as it lets us live
            self._daemon = parse_version(await self._pipe.ask_lines("version"))
        await self._look_at_neighbors()
        await ask_again(self._ears, self._up, self._requests)
        flushed = attempt.may_flush(some_up=any(peer.up for peer in self.peers()))
        if flushed and attempt.must_flush:
            flushed = (await self._pipe.ask("flush adj-rib out")).ok
        announced = await self._list(prefixes)
        routes, held = announced.routes(), announced.held()
        self._stale.end(attempt, now, flushed=flushed)
        doubted = doubtful(announced, attempt, self._stale, self._told, self._up, flushed=flushed)
        is_settling = self._stale.is_settling(now)
        if attempt.is_calm and not is_settling:
            self._send_again_what_is_missing(held)
        converged = (
            all(peer.up for peer in self.peers())
            and not is_settling
            and attempt.is_calm
            and not self._stale.is_mixed()
            and not doubted
        )
        wrong = trouble(self._daemon, self._neighbors, self._strays, self._missing(), self._asn)
        sent = who_was_sent(routes, held, self._neighbors, self._told, self._up)
        return Reading(routes, doubted, wrong, converged, sent)

    async def _list(self, prefixes: Collection[Prefix]) -> ListedRoutes:
        """Have all that ExaBGP holds for its neighbours listed."""
        lines = await self._pipe.ask_lines("show adj-rib out extensive")
        by = self._neighbors, self._settings.next_hop, self._asn
        found = self._listed = await in_thread(
            len(lines), listed, lines, prefixes, *by, self._listed, self._wanted
        )
        self._strays = found.routes.strays
        return found.routes

    def _missing(self) -> Sequence[str]:
        """Return the rules of vip.toml for neighbours that ExaBGP lacks, in words."""
        ours = (neighbor.address for neighbor in self._neighbors.ours)
        return () if self._wanted is None else self._wanted.missing(ours)

    async def _look_at_neighbors(self) -> None:
        configured = parse_neighbors(await self._pipe.ask_lines("show neighbor configuration"))
        self._sessions.ask()
        lines = await self._pipe.ask_lines("show neighbor extensive")
        self._neighbors = ConfiguredNeighbors(
            configured, self._settings.process, parse_refused(lines)
        )
        missed = self._sessions.shown(parse_sessions(lines), asyncio.get_running_loop().time())
        self._told.look(self._neighbors, self._settings.process, missed)
        refreshable = parse_refreshable(lines)
        self._ears.look(self._neighbors, self._settings.process, missed, refreshable)
        self._up = self._sessions.of(self._neighbors)
        for ends in missed:
            self._ends.begins(self._neighbors.of(ends))
        if missed:
            self._session_came_up()

    # --- who was sent what ------------------------------------------------------------------

    def _send_again_what_is_missing(
        self, held: Mapping[ConfiguredNeighbor, Collection[Prefix]]
    ) -> None:
        """Have all sent again if a session that is up was not sent what is held for it: once for the same."""
        if self._stale.is_newly_missing(self._told.missing(held, self._up)):
            self._wake()

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        """See `Backend.until_sent`."""
        await wait_until_sent(prefixes, self._news, self._is_to_be_sent)

    def _is_to_be_sent(self, prefix: Prefix) -> bool:
        change = self._stale.change_of(prefix)
        neighbors = self._neighbors.carrying(prefix.version) if change is not None else ()
        up = [neighbor for neighbor in neighbors if self._up.get(neighbor)]
        return change is not None and self._told.waits(change, up)

    def heard(self) -> Sequence[Witness]:
        """See `Backend.heard`."""
        return self._ears.heard(self._up, self._clock())

    @property
    def owes_end_of_rib(self) -> bool:
        """See `Backend.owes_end_of_rib`."""
        return bool(self._ends.owed(self._neighbors, self._up))

    async def end_of_rib(self) -> None:
        """See `Backend.end_of_rib`."""
        for neighbor in self._ends.owed(self._neighbors, self._up):
            session = self._ends.session(neighbor)
            if all([await self._requests.is_taken(line) for line in lines(neighbor)]):
                self._ends.was_sent(neighbor, session)

    def peers(self) -> Sequence[Peer]:
        """See `Backend.peers`."""
        return self._neighbors.peers(self._up, self._sessions.reasons(self._neighbors))

    def daemon(self) -> Daemon | None:
        """See `Backend.daemon`."""
        return self._daemon or self._pipe.untold_daemon()
