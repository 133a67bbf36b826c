"""A daemon that nothing is asked for: changes are only collected, and shown as if they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.plan import Announce, Withdraw, apply
from speaker.backends.base import Reading

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Prefix
    from policy.witness import Witness
    from speaker.backends.base import Backend, Daemon, Peer, SentTo


class DryRun:
    """Another backend, which is read and never written to. It is a `Backend` itself.

    What it announces is what the daemon announces with the collected changes on top, so the
    reconciler goes on as if they had been made. A change is dropped once the daemon is found to be so
    by itself: those that are left are where the two disagree.

    Args:
        backend: the driver of the daemon; it need not be used by this alone.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._changes: dict[Prefix, Change] = {}

    @property
    def read_interval(self) -> float:
        """See `Backend.read_interval`."""
        return self._backend.read_interval

    @property
    def changes(self) -> Sequence[Change]:
        """What would have been asked for, and was not so at the last reading: one to a prefix."""
        return tuple(self._changes.values())

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`. Nothing is asked for, so nothing fails."""
        for change in changes:
            self._changes.pop(change.prefix, None)  # the newest is the last
            self._changes[change.prefix] = change
        return {}

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`: what the daemon has, and the collected changes on top of it."""
        reading = await self._backend.read(prefixes)
        believed = {p: seen for p, seen in reading.routes.items() if p not in reading.doubtful}
        made = apply(self.changes, {})
        for prefix, seen in believed.items():
            if prefix in made and made[prefix] == seen:
                del self._changes[prefix]
        routes = apply(self.changes, reading.routes)
        return Reading(
            {prefix: routes[prefix] for prefix in reading.routes},
            frozenset(reading.doubtful) - self._changes.keys(),
            reading.trouble,
            reading.converged,
            self._sent(reading.sent),
        )

    def _sent(self, sent: Mapping[Prefix, SentTo]) -> Mapping[Prefix, SentTo]:
        """Return who would have been sent what: all sessions that are up and have its family."""
        peers = {peer.name: peer for peer in self._backend.peers()}

        def is_sent(change: Change, name: str) -> bool | None:
            if isinstance(change, Withdraw) or name not in peers:
                return None if isinstance(change, Announce) else False
            overrides = {str(address): what for address, what in change.route.overrides}
            peer = peers[name]
            return False if overrides.get(peer.address, change) is None else peer.up

        made = {
            change.prefix: {name: is_sent(change, name) for name in sent[change.prefix]}
            for change in self.changes
            if change.prefix in sent
        }
        return {**sent, **made}

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        """See `Backend.until_sent`. Nothing is sent, so there is nothing to wait for."""

    @property
    def owes_end_of_rib(self) -> bool:
        """See `Backend.owes_end_of_rib`. Nothing is sent."""
        return False

    async def end_of_rib(self) -> None:
        """See `Backend.end_of_rib`. Nothing is sent."""

    def peers(self) -> Sequence[Peer]:
        """See `Backend.peers`."""
        return self._backend.peers()

    def heard(self) -> Sequence[Witness]:
        """See `Backend.heard`."""
        return self._backend.heard()

    def daemon(self) -> Daemon | None:
        """See `Backend.daemon`."""
        return self._backend.daemon()
