"""The ExaBGP driver: what is asked of it, and which of its words must be doubted."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from policy.plan import Announce, Drift
from policy.route import Route
from speaker.backends.base import BackendError, Peer, Reading
from speaker.backends.exabgp_neighbors import Neighbors, parse_neighbors, parse_sessions
from speaker.backends.exabgp_pipe import Pipe, SilentError
from speaker.backends.exabgp_protocol import PeerState
from speaker.backends.exabgp_text import Line, as_ebgp, next_hop_for, parse_rib, render, unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Asn, Prefix
    from speaker.backends.base import SentTo
    from speaker.backends.exabgp_feed import Update
    from speaker.backends.exabgp_neighbors import Ends, Neighbor
    from speaker.backends.exabgp_protocol import Garbled
    from speaker.backends.exabgp_text import Sent
    from speaker.settings import ExabgpSettings

log = logging.getLogger(__name__)

PATIENCE = 5.0
SETTLE = (1.0, 10.0)
DOUBT = 60.0
# What changes again within MIXED seconds may be sent in an earlier shape, and what changed while
# a session was down too: after CALM seconds without a change, all is sent again.
MIXED = 10.0
CALM = 3.0


class ExabgpBackend:
    """The ExaBGP that spawned us. `run` must be running, as `Pipe` says."""

    heal = 30.0

    def __init__(
        self,
        reader: asyncio.StreamReader,
        write: Callable[[bytes], object],
        *,
        wake: Callable[[], None],
        patience: float = PATIENCE,
        settle: Sequence[float] = SETTLE,
        calm: float = CALM,
    ) -> None:
        """Make a driver, which `configure` makes ready.

        Args:
            reader: what ExaBGP writes to us.
            write: takes what we write to ExaBGP, without blocking.
            wake: called when the daemon must be looked at.
            patience: how long no line of a reply may come while ExaBGP owes one, in seconds.
            settle: how long after a session came up its routes are sent again, in seconds. More
                than once, because a large table is still being sent at first.
            calm: how long nothing may have changed before everything is sent again, in seconds.
        """
        self._pipe = Pipe(reader, write, told=self._told, patience=patience)
        self._wake = wake
        self._settle = settle
        self._calm = calm
        self._configured = Neighbors()
        self._neighbors: tuple[Neighbor, ...] = ()  # those that are ours
        self._up: dict[Ends, bool] = {}
        self._came_up = self._must_flush = True  # a session may have come up before we were started
        self._doubted = 0.0
        self._settles_at = 0.0
        self._changed: dict[Prefix, tuple[Change, float]] = {}
        self._mixed: set[Prefix] = set()
        self._lost: set[Prefix] = set()

    @property
    def gone(self) -> asyncio.Event:
        """Set when ExaBGP has gone away."""
        return self._pipe.gone

    def configure(self, asn: Asn, settings: ExabgpSettings) -> None:
        """Take the data centre's ASN, the next hops, and which neighbours are ours."""
        self._asn = asn
        self._settings = settings

    # --- sessions --------------------------------------------------------------------------

    async def run(self) -> None:
        """Read until ExaBGP goes away, which sets `gone`."""
        self._settles_at = asyncio.get_running_loop().time() + DOUBT
        await self._pipe.run()

    def _told(self, event: PeerState | Update | Garbled) -> None:
        if isinstance(event, PeerState):
            self._peer_changed(event)

    def _peer_changed(self, state: PeerState) -> None:
        ends, up, reason = state.ends, state.up, state.reason
        known = self._up.get(ends)
        self._up[ends] = up
        neighbor = self._configured.of(ends)
        name = str(ends.peer) if neighbor is None else self._configured.name(neighbor)
        if up != known:
            self._wake()  # who was sent what is not what it was
        if up:
            log.warning("peer %s: up", name)
            loop = asyncio.get_running_loop()
            *early, last = self._settle
            self._settles_at = max(self._settles_at, loop.time() + last)
            for delay in early:
                loop.call_later(delay, self._settled)
            loop.call_later(last, partial(self._settled, flush=True))
        elif known is not False:
            log.warning("peer %s: down: %.200s", name, reason)

    def _settled(self, *, flush: bool = False) -> None:
        """Doubt what was sent when the session came up: it may be what was so before.

        ExaBGP sends what was withdrawn while the session was down, and earlier attributes of
        what changed then. The one is healed by withdrawing again, the other by a flush.
        """
        self._came_up = True
        self._must_flush = self._must_flush or flush
        self._wake()

    # --- the contract ----------------------------------------------------------------------

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`."""
        if not self._neighbors:
            try:
                await self._look_at_neighbors()
            except BackendError as error:
                return {change.prefix: str(error) for change in changes}
        impossible = {version: self._impossible(version) for version in (4, 6)}
        failures = {
            change.prefix: impossible[change.prefix.version]
            for change in changes
            if isinstance(change, Announce) and impossible[change.prefix.version]
        }
        together = [change for change in changes if change.prefix not in self._lost]
        alone = [[change] for change in changes if change.prefix in self._lost]
        lines = chain.from_iterable(
            render(group, self._neighbors, self._settings.next_hop) for group in (together, *alone)
        )
        try:
            for line in lines:
                failures |= await self._ask_for(line)
        except SilentError as error:
            # Each further line would only wait as long, and vip_mgmt with it.
            left = (change.prefix for rest in (line, *lines) for change in rest.changes)
            failures |= dict.fromkeys(left, str(error))
        finally:
            self._note_changes(changes)
        return failures

    def _note_changes(self, changes: Sequence[Change]) -> None:
        """Note which prefixes change again before ExaBGP has surely sent their last change."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._changed = {p: last for p, last in self._changed.items() if now - last[1] < MIXED}
        self._mixed.update(
            change.prefix
            for change in changes
            if self._changed.get(change.prefix, (change, now))[0] != change
        )
        self._changed.update((change.prefix, (change, now)) for change in changes)
        if self._mixed:
            loop.call_later(self._calm + 0.1, self._wake)

    async def _ask_for(self, line: Line) -> Mapping[Prefix, str]:
        """Ask for a line's changes. One that is refused is halved until the culprit stands alone.

        Changes whose reply was lost are asked for one by one the next time: in 4.2 one bad route
        takes the reply with it.
        """
        prefixes = [change.prefix for change in line.changes]
        try:
            reply = await self._pipe.ask(line.text)
        except SilentError:
            raise
        except BackendError as error:
            self._lost.update(prefixes)
            return dict.fromkeys(prefixes, str(error))
        self._lost.difference_update(prefixes)
        if reply.ok:
            return {}
        if len(prefixes) == 1:
            return {prefixes[0]: "ExaBGP answered error; see ExaBGP's log"}
        first, second = line.halves()
        return {**await self._ask_for(first), **await self._ask_for(second)}

    def _impossible(self, version: int) -> str:
        """Return why routes of a family can't reach every neighbour that has it, or nothing."""
        if not self._neighbors:
            return (
                "no neighbor of ExaBGP has this process; list it in the neighbor's "
                "api { processes [ … ]; }"
            )
        hop = next_hop_for(self._settings.next_hop, version)
        concerned = [neighbor for neighbor in self._neighbors if version in neighbor.families]
        if not concerned:
            return f"no neighbor of ExaBGP has family ipv{version} unicast"
        return "; ".join(filter(None, (unreachable(n, version, hop) for n in concerned)))

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`. ExaBGP's Adj-RIB-Out is a cache, and no proof of what a peer has.

        What it lacks is doubtful after a session came up, and now and then; what it has is sent
        again where it may not have been.
        """
        came_up, must_flush, mixed = self._came_up, self._must_flush, self._mixed
        self._came_up, self._must_flush, self._mixed = False, False, set()
        try:
            return await self._read(prefixes, mixed, came_up=came_up, must_flush=must_flush)
        except BaseException:
            self._came_up = self._came_up or came_up
            self._must_flush = self._must_flush or must_flush
            self._mixed |= mixed
            raise

    async def _read(
        self, prefixes: Collection[Prefix], mixed: set[Prefix], *, came_up: bool, must_flush: bool
    ) -> Reading:
        now = asyncio.get_running_loop().time()
        await self._look_at_neighbors()
        last = max((when for _, when in self._changed.values()), default=0.0)
        calm = now - last >= self._calm
        up = any(peer.up for peer in self.peers())
        flushed = up and calm
        if flushed and (must_flush or mixed):
            flushed = (await self._pipe.ask("flush adj-rib out")).ok
        if not flushed:
            self._must_flush = self._must_flush or must_flush
            self._mixed |= mixed
            mixed = set()
        rib = self._by_neighbor(await self._pipe.ask_lines("show adj-rib out extensive"))
        routes = {prefix: self._seen(prefix, rib) for prefix in prefixes}
        absent = {prefix for prefix, seen in routes.items() if seen is None}
        doubtful = absent & mixed
        if came_up or now - self._doubted >= DOUBT:
            self._doubted = now
            doubtful = absent
        up = all(peer.up for peer in self.peers())
        settled = up and now > self._settles_at and calm and not self._mixed and not doubtful
        return Reading(routes, doubtful, settled=settled, sent=self._sent(prefixes, rib))

    async def _look_at_neighbors(self) -> None:
        lines = await self._pipe.ask_lines("show neighbor configuration")
        self._configured = Neighbors(parse_neighbors(lines))
        own = self._settings.process
        self._neighbors = tuple(
            neighbor
            for neighbor in self._configured.all
            if neighbor.processes and (own is None or own in neighbor.processes)
        )
        self._up = {**parse_sessions(await self._pipe.ask_lines("show neighbor extensive"))}

    def _by_neighbor(self, lines: Iterable[str]) -> Mapping[Neighbor, Mapping[Prefix, Sent | str]]:
        """Return each neighbour's Adj-RIB-Out."""
        ribs = parse_rib(lines)
        found = {self._configured.of(ends): rib for ends, rib in ribs.items()}
        return {neighbor: rib for neighbor, rib in found.items() if neighbor is not None}

    def _seen(
        self, prefix: Prefix, rib: Mapping[Neighbor, Mapping[Prefix, Sent | str]]
    ) -> Route | Drift | None:
        hop = next_hop_for(self._settings.next_hop, prefix.version)
        found = {
            neighbor: rib.get(neighbor, {}).get(prefix)
            for neighbor in self._neighbors
            if prefix.version in neighbor.families
        }
        if all(what is None for what in found.values()):
            return None
        attributes = {
            neighbor: None if what is None else as_ebgp(what, neighbor, hop, self._asn)
            for neighbor, what in found.items()
        }
        first = next(iter(attributes.values()))
        if first is not None and all(other == first for other in attributes.values()):
            return Route(prefix, first)
        return Drift(
            "; ".join(
                f"neighbor {self._configured.name(neighbor)} has {what or 'nothing'}"
                for neighbor, what in found.items()
            )
        )

    def _sent(
        self,
        prefixes: Collection[Prefix],
        rib: Mapping[Neighbor, Mapping[Prefix, Sent | str]],
    ) -> Mapping[Prefix, SentTo]:
        """Return who was sent each prefix: a session that is up is sent what its Adj-RIB-Out has."""
        up = self._established()
        sessions = {
            version: [
                (self._configured.name(neighbor), up.get(neighbor), rib.get(neighbor, {}))
                for neighbor in self._neighbors
                if version in neighbor.families
            ]
            for version in (4, 6)
        }
        shared: dict[tuple[int | bool | None, ...], SentTo] = {}
        sent = {}
        for prefix in prefixes:
            concerned = sessions[prefix.version]
            values = tuple(state and prefix in routes for _, state, routes in concerned)
            key = (prefix.version, *values)
            if key not in shared:
                names = [name for name, _, _ in concerned]
                shared[key] = dict(zip(names, values, strict=True))
            sent[prefix] = shared[key]
        return sent

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        """See `Backend.until_sent`."""

    def peers(self) -> Sequence[Peer]:
        """See `Backend.peers`."""
        up = self._established()
        return tuple(
            Peer(
                str(neighbor.address),
                neighbor.peer_as,
                up.get(neighbor),
                neighbor.local_as,
                self._configured.name(neighbor),
            )
            for neighbor in self._neighbors
        )

    def _established(self) -> Mapping[Neighbor, bool]:
        """Return of each neighbour whether its session is up, as far as it is known."""
        found: dict[Neighbor, bool] = {}
        for ends, up in self._up.items():
            if (neighbor := self._configured.of(ends)) is not None:
                found[neighbor] = up or found.get(neighbor, False)
        return found
