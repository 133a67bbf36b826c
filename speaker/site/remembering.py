"""Remembers in the state file which machines there are, so that one that died is named after a restart of this one, too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speaker.site.members import BothClocks
from speaker.state.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy.site_intent import Extent
    from speaker.clock import Clock
    from speaker.site.known import Known
    from speaker.state.store import Store

FORGOTTEN = 7 * 86400.0
"""How long after it was seen last a machine is forgotten, in seconds: by then it is gone on purpose, or has another name."""
FIRST = 0.25
"""How often it is looked whether etcd is there at first, in seconds."""
LOOK, EVERY = 5.0, 300.0
"""How often it is looked whether another machine is there or silent, and that machines are still seen is recorded, in seconds."""


class Remembering:
    """Knows of the machines what an earlier process knew.

    Args:
        known: the machines that are known now, and this one, which needs no remembering.
        store: the state file.
        is_connected: tells whether it is known which machines live: before that, nobody is silent.
        clock: the time.
        note: is told what is wrong, in words; nothing where all is well.
    """

    def __init__(
        self,
        known: Known,
        store: Callable[[], Store],
        is_connected: Callable[[], bool],
        clock: Clock,
        note: Callable[[str], object],
    ) -> None:
        self._known, self._store = known, store
        self._members, self._here = known.members, known.here
        self._is_connected, self._clock, self._note = is_connected, clock, note

    async def run(self) -> None:
        """Take over what is remembered, and remember from then on, for ever."""
        while not self._is_connected():
            await self._known.bell.rings(FIRST)
        is_taken = False
        live: frozenset[Extent] | None = None
        at = self._clock.steady()
        while True:
            now = self._members.live() - {self._here}
            try:
                if not is_taken:
                    found = await asyncio.to_thread(self._store().site_members)
                    wall, steady = self._clock.wall(), self._clock.steady()
                    self._members.remember(found, self._here, BothClocks(wall, steady))
                    is_taken = True
                if now != live or self._clock.steady() - at >= EVERY:
                    await self._record()
                    live, at = now, self._clock.steady()
            except StoreError as error:
                self._note(f"which machines there are can't be remembered: {error}")
            else:
                self._note("")
            await asyncio.sleep(LOOK)

    async def _record(self) -> None:
        wall = self._clock.wall()
        before = wall - FORGOTTEN
        self._members.forget(before)
        seen = self._members.seen(wall)
        seen.pop(self._here, None)
        await asyncio.to_thread(self._store().site_seen, seen, before)
