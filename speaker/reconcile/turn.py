"""A turn: the right to read, decide and apply, while this run has the lock. See `speaker.reconcile.lock`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from policy.plan import Announce

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from policy.intent import Intent
    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.base import Backend, Reading
    from speaker.reconcile.durable_state import DurableState
    from speaker.reconcile.lock import Lock

UNSURE = "not announced while the state file can't be read: a drain may be recorded there"
UNRECORDED = "not announced while it can't be recorded as vip_watchdog's own in the state file"


class Turn:
    """The right to decide and to write, for as long as the context lasts that gave it."""

    def __init__(
        self,
        backend: Backend,
        intents: Mapping[Prefix, Intent],
        unrecorded: Collection[Prefix] = (),
        *,
        alone: bool,
        certain: bool,
    ) -> None:
        """Made by `Exclusive` alone.

        Args:
            backend: the driver.
            intents: those that are in force, read since the lock was got.
            unrecorded: prefixes that are not recorded as ours yet.
            alone: whether no other process had the lock since we did.
            certain: whether the intents are those that are recorded now.
        """
        self._backend: Backend | None = backend
        self.intents = intents
        self._unrecorded = unrecorded
        self.alone = alone
        self.certain = certain

    def end(self) -> None:
        """Make it of no use."""
        self._backend = None

    def _daemon(self) -> Backend:
        if self._backend is None:
            raise RuntimeError("the lock is not held any more: what was decided under it is old")
        return self._backend

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`."""
        return await self._daemon().read(prefixes)

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`. Nothing is announced where an intent may be unknown."""
        withheld = {c.prefix: why for c in changes if (why := self._withheld(c))}
        ready = [change for change in changes if change.prefix not in withheld]
        if withheld and not ready:
            return withheld
        return {**await self._daemon().apply(ready), **withheld}

    async def end_of_rib(self) -> None:
        """See `Backend.end_of_rib`. Not where something may be withheld that is to be announced."""
        if not self.withholds:
            await self._daemon().end_of_rib()

    def _withheld(self, change: Change) -> str:
        """Return why a change must not be made, in words; nothing where it may."""
        if not isinstance(change, Announce):
            return ""
        if not self.certain:
            return UNSURE
        return UNRECORDED if change.prefix in self._unrecorded else ""

    @property
    def withholds(self) -> Collection[str]:
        """The reasons for which an announcement is withheld in this turn, or may be."""
        unsure = () if self.certain else (UNSURE,)
        return (*unsure, UNRECORDED) if self._unrecorded else unsure


class Exclusive:
    """A daemon and the intents, as they are used: in our turn.

    Args:
        backend: the driver.
        lock: keeps other runs out.
        durable: has the intents.
    """

    def __init__(self, backend: Backend, lock: Lock, durable: DurableState) -> None:
        self._backend = backend
        self._lock = lock
        self._durable = durable
        self._ours = asyncio.Lock()
        # They were read at the start, or not; another run had the lock before us then.
        self._certain = durable.intents.is_read

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait for our turn, and read the intents in it.

        Raises:
            LockError: it did not become our turn.
        """
        async with self._ours, self._lock.held() as alone:
            self._certain = await self._durable.intents.refresh() or (self._certain and alone)
            turn = Turn(
                self._backend,
                self._durable.intents.in_force(),
                self._durable.unrecorded,
                alone=alone,
                certain=self._certain,
            )
            try:
                yield turn
            finally:
                turn.end()

    @asynccontextmanager
    async def pause(self) -> AsyncIterator[None]:
        """Keep our own turns away, while the driver is given other settings."""
        async with self._ours:
            yield
