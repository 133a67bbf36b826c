"""Hands on to etcd what is asked here, and what etcd lacks: each key as it was known, so that nothing is lost of what others ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speaker.site.base import Compare, Put, UnreachableError
from speaker.site.keys import intent_key
from speaker.state.site_text import site_text
from speaker.state.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from policy.route import Prefix
    from policy.site_intent import Extent, SiteIntent
    from speaker.site.base import Etcd
    from speaker.site.known import Known
    from speaker.state.store import Store

    Rows = Mapping[tuple[Extent, Prefix], tuple[SiteIntent, ...]]

MOST, MOST_BYTES = 100, 500_000
"""How many keys are stored at once, and how many bytes."""
WITHIN = 3.0
"""How long etcd may take, in seconds."""
OTHERS_FIRST = 1.0
"""For how long to wait to hear what others stored first, in seconds."""
MOST_FIRST = 20
"""How often others may be first, one time after the other."""
AGAIN = 30.0
"""How often it is looked whether there is something, though nobody said so, in seconds."""


class HandingOn:
    """What is asked of the site and etcd is not known to have."""

    def __init__(self, etcd: Etcd, store: Callable[[], Store], known: Known) -> None:
        """Hand on nothing yet.

        Args:
            etcd: where to.
            store: has what is to be handed on.
            known: what etcd has.
        """
        self._etcd, self._store, self._known = etcd, store, known
        self.due = asyncio.Event()
        self.due.set()
        self._added: set[tuple[Extent, Prefix]] = set()
        self.queued: frozenset[tuple[Extent, Prefix]] = frozenset()
        """What etcd is not known to have."""

    def add(self, rows: AbstractSet[tuple[Extent, Prefix]]) -> None:
        """Note that there is something else in rows, which is recorded."""
        self._added |= rows
        self.queued |= rows
        self.due.set()

    async def step(self) -> None:
        """Wait until there may be something, and hand it on.

        Raises:
            EtcdError: not all of it could be.
        """
        try:
            async with asyncio.timeout(AGAIN):
                await self.due.wait()
        except TimeoutError:
            pass
        self.due.clear()
        try:
            await self._all()
        except BaseException:
            self.due.set()
            raise

    async def look(self) -> Rows:
        """Return what is to be handed on."""
        self._added.clear()
        try:
            rows = await asyncio.to_thread(self._store().site_dirty)
        except StoreError as error:
            raise UnreachableError(f"what is to be handed on can't be read: {error}") from error
        self.queued = frozenset(rows) | self._added
        self._known.bell.ring()
        return rows

    async def _all(self) -> None:
        for _ in range(MOST_FIRST):
            rows = await self.look()
            if faults := self._known.faults:
                rows = {k: v for k, v in rows.items() if str(intent_key(*k)) not in faults}
            if not rows:
                return
            for some in _chunks(rows):
                await self._hand_on(some)
        raise UnreachableError("others store the same keys all the time; it is tried again")

    async def _hand_on(self, rows: Rows) -> None:
        known = self._known
        keys = {row: intent_key(*row) for row in rows}
        done = await self._etcd.transact(
            [Compare(f"{known.prefix}{k}", known.asked.get(k, 0)) for k in keys.values()],
            [Put(f"{known.prefix}{keys[r]}", site_text(rows[r]).encode()) for r in rows],
            within=WITHIN,
        )
        if not done.done:
            await known.bell.rings(OTHERS_FIRST)
            return
        known.stored_at(dict.fromkeys(keys.values(), done.revision))
        try:
            await asyncio.to_thread(self._store().site_clean, rows)
        except StoreError as error:
            raise UnreachableError(f"that etcd has it can't be recorded: {error}") from error
        self.queued -= rows.keys() - self._added
        known.bell.ring()


def _chunks(rows: Rows) -> Iterator[Rows]:
    """Yield them in parts that a transaction takes."""
    part: dict[tuple[Extent, Prefix], tuple[SiteIntent, ...]] = {}
    size = 0
    for row, standing in rows.items():
        length = len(site_text(standing))
        if part and (len(part) >= MOST or size + length > MOST_BYTES):
            yield part
            part, size = {}, 0
        part[row] = standing
        size += length
    if part:
        yield part
