"""What an operator wants: recorded durably before anything else happens, carried out at once, read back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.reconcile.known_intents import KnownIntents

FIRST_LOOK = 5.0
"""How long an operator's `-a` waits for a first look at health, in seconds."""


class Operator:
    """Applies operators' intents."""

    def __init__(
        self,
        intents: KnownIntents,
        looked: asyncio.Event,
        wake: Callable[[], None],
        is_unknown: Callable[[Prefix], bool],
        act: Callable[[Collection[Prefix]], Awaitable[object]],
        read_back: Callable[[], Awaitable[object]],
        until_sent: Callable[[Collection[Prefix]], Awaitable[None]],
    ) -> None:
        """Take what a reconciler can do.

        Args:
            intents: those in force, and where to record others.
            looked: set once health was looked at.
            wake: has it looked at.
            is_unknown: whether the health of a prefix is unknown.
            act: decides under the lock, and asks the daemon for what differs, of some prefixes at once.
            read_back: reads the daemon back, under the lock.
            until_sent: waits until the sessions were sent what the daemon accepted.
        """
        self._intents = intents
        self._looked = looked
        self._wake = wake
        self._is_unknown = is_unknown
        self._act = act
        self._read_back = read_back
        self._until_sent = until_sent

    async def apply(self, intents: Mapping[Prefix, Intent]) -> Mapping[Prefix, Intent]:
        """Take an operator's intents: record them durably, and carry them out.

        Returns:
            The intents that were in force until now, and are replaced.

        Raises:
            StoreError: they could not be recorded; nothing was changed.
        """
        replaced = await self.record(intents)
        await self.carry_out(intents, is_noted=True)
        return replaced

    async def record(self, intents: Mapping[Prefix, Intent]) -> Mapping[Prefix, Intent]:
        """Record an operator's intents durably. See `apply`."""
        restored = [prefix for prefix, intent in intents.items() if intent.restores]
        await self._look_first(restored)
        return await self._intents.record(intents, filter(self._is_unknown, restored))

    async def record_by(
        self,
        intents: Mapping[Prefix, Intent],
        write: Callable[[Collection[Prefix]], Mapping[Prefix, Intent]],
    ) -> Mapping[Prefix, Intent]:
        """Have something else record an operator's intents durably. See `apply`.

        Args:
            intents: what an operator asks for.
            write: records it, and is given the prefixes that are to be announced although their health is unknown.
        """
        restored = [prefix for prefix, intent in intents.items() if intent.restores]
        await self._look_first(restored)
        unknown = [*filter(self._is_unknown, restored)]
        replaced = await self._intents.record_by(lambda: write(unknown))
        self._intents.wanted(restored)
        return replaced

    async def carry_out(self, intents: Mapping[Prefix, Intent], *, is_noted: bool = False) -> None:
        """Act on intents that are recorded, and read back.

        Args:
            intents: what an operator wants.
            is_noted: whether `record` recorded them; else that was done before all was read.
        """
        if not is_noted:
            self._intents.wanted(prefix for prefix, intent in intents.items() if intent.restores)
        await self.enforce(intents)

    async def enforce(self, prefixes: Collection[Prefix]) -> None:
        """Act at once on what is recorded of some prefixes, and read back."""
        await self._act(prefixes)
        await self._until_sent(prefixes)
        await self._read_back()
        # Of neighbours of which only this reading showed that ExaBGP reports them, too.
        await self._until_sent(prefixes)

    async def _look_first(self, restored: Collection[Prefix]) -> None:
        """Wait for a look, but not for long, at what is to be announced and was not looked at yet."""
        if self._looked.is_set() or not any(map(self._is_unknown, restored)):
            return
        self._wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK):
                await self._looked.wait()
