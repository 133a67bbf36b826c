"""What this machine tells of itself in etcd: its lease, and what has it. Only what changed is stored, and not too often."""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from typing import TYPE_CHECKING

from speaker.site.base import MAX_TRANSACTION, Compare, Delete, LeaseOverError, Put
from speaker.site.known import NOT_STORED, STEP, OwnKey
from speaker.supervision.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from speaker.site.base import Etcd
    from speaker.site.keys import SiteKey
    from speaker.site.known import Known

log = logging.getLogger(__name__)

OFTEN = 0.2
"""How often states are stored at most, in seconds."""


class OwnPresence:
    """The lease of this machine, and what it stores with it.

    Args:
        etcd: where to.
        known: what etcd has.
        ttl: for how long a lease lasts that is not kept, in seconds.
        machine: returns what this machine tells of itself.
        obeys: returns what it tells that it obeys, None for nothing else than it told last.
        states: returns these.
    """

    def __init__(
        self,
        etcd: Etcd,
        known: Known,
        ttl: float,
        machine: Callable[[], Mapping[SiteKey, bytes]],
        obeys: Callable[[], Mapping[SiteKey, bytes] | None],
        states: Callable[[], Mapping[SiteKey, bytes]],
    ) -> None:
        self._etcd, self._known, self._ttl = etcd, known, ttl
        self._machine, self._obeys, self._states = machine, obeys, states
        self.lease, self._over = 0, Bell()
        self.bell, self.states_bell = Bell(), Bell()
        """Ring when something else is to be told."""

    async def keep_lease(self) -> None:
        """Get a lease where there is none, or keep it, and wait until that is due again.

        Raises:
            EtcdError: it could not be done.
        """
        within = max(self._ttl / 6, 1.0)
        if self.lease and not await self._etcd.keep(self.lease, within=within):
            log.warning("site: the lease was over, although this machine lives; another is granted")
            self.lease = 0
        if not self.lease:
            lease = await self._etcd.grant(int(self._ttl), within=within)
            await self._known.disown()
            self.lease = lease
            self.bell.ring()
            self.states_bell.ring()
        await self._over.rings(self._ttl / 3)

    async def tell(self) -> None:
        """Store what this machine tells of itself, where it is not stored, and wait until it may be something else.

        Raises:
            EtcdError: it could not be done.
        """
        was_stored = await self._put(self._machine())
        if (obeys := self._obeys()) is not None:
            was_stored |= await self._put(obeys, self._known.as_known())
        if not was_stored:
            await self.bell.rings(1.0)

    async def tell_states(self) -> None:
        """Do the same for the states of prefixes, and not too often."""
        if not await self._put(self._states()):
            await self.states_bell.rings(1.0)
        await asyncio.sleep(OFTEN)

    async def _put(
        self, wanted: Mapping[SiteKey, bytes], conditions: Sequence[Compare] = ()
    ) -> bool:
        """Store what is not stored, all of one kind, if something is so. Return whether anything was stored."""
        changes = await self._differing(wanted)
        if not changes or not self.lease:
            return False
        rest = iter(changes.items())
        was_stored = True
        while some := dict(islice(rest, MAX_TRANSACTION)):
            was_stored &= await self._store(some, conditions)
            await asyncio.sleep(0)
        return was_stored

    async def _differing(self, wanted: Mapping[SiteKey, bytes]) -> dict[SiteKey, OwnKey]:
        """Return what is not stored as wanted, with the revision at which it was looked at. So many are compared in a step.

        What is wanted of a key and what is known of it are looked up in the same moment: between two steps either may change.
        """
        known = self._known
        changes: dict[SiteKey, OwnKey] = {}
        for some in _some([*wanted]):
            for key in some:
                text, had = wanted.get(key), known.own.get(key, NOT_STORED)
                if text is not None and had.text != text:
                    changes[key] = OwnKey(text, had.modified)
            await asyncio.sleep(0)
        kind = next(iter(wanted)).kind if wanted else None
        for some in _some([*known.own]):
            for key in some:
                if key.kind is kind and key not in wanted and key in known.own:
                    changes[key] = OwnKey(None, known.own[key].modified)
            await asyncio.sleep(0)
        return changes

    async def _store(self, some: Mapping[SiteKey, OwnKey], conditions: Sequence[Compare]) -> bool:
        """Store texts, if each is still stored at the revision at which it was when it was looked what to store."""
        known, lease = self._known, self.lease
        own = [Compare(f"{known.prefix}{key}", had.modified) for key, had in some.items()]
        try:
            done = await self._etcd.transact(
                [*conditions, *own],
                [*_changes(some, known.prefix, lease)],
                within=max(self._ttl / 3, 1.0),
            )
        except LeaseOverError:
            if self.lease == lease:
                self.lease = 0
                self._over.ring()
            raise
        if done.done:
            known.wrote({key: had.text for key, had in some.items()}, done.revision)
        return done.done  # else somebody else stored one of them, which the watch tells


def _changes(some: Mapping[SiteKey, OwnKey], prefix: str, lease: int) -> Iterator[Put | Delete]:
    for key, own in some.items():
        name = f"{prefix}{key}"
        yield Delete(name) if own.text is None else Put(name, own.text, lease)


def _some(keys: Sequence[SiteKey]) -> Iterator[Sequence[SiteKey]]:
    return (keys[at : at + STEP] for at in range(0, len(keys), STEP))
