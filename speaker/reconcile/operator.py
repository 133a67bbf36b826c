"""What an operator wants: recorded durably before anything else happens, carried out at once, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.reconcile.known_intents import KnownIntents
    from speaker.reconcile.restoring import Restoring


class Operator:
    """Applies operators' intents."""

    def __init__(
        self,
        intents: KnownIntents,
        restoring: Restoring,
        act: Callable[[Collection[Prefix]], Awaitable[object]],
        read_back: Callable[[], Awaitable[object]],
        until_sent: Callable[[Collection[Prefix]], Awaitable[None]],
    ) -> None:
        """Take what a reconciler can do.

        Args:
            intents: those in force, and where to record others.
            restoring: knows of which prefixes the health is unknown.
            act: decides under the lock, and asks the daemon for what differs, of some prefixes at once.
            read_back: reads the daemon back, under the lock.
            until_sent: waits until the sessions were sent what the daemon accepted.
        """
        self._intents = intents
        self._restoring = restoring
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
        return await self._intents.record(intents, await self._restoring.known(_by_health(intents)))

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
        unknown = await self._restoring.known(_by_health(intents))
        replaced = await self._intents.record_by(lambda: write(unknown))
        self._intents.wanted(_restored(intents))
        return replaced

    async def carry_out(self, intents: Mapping[Prefix, Intent], *, is_noted: bool = False) -> None:
        """Act on intents that are recorded, and read back.

        Args:
            intents: what an operator wants.
            is_noted: whether `record` recorded them; else that was done before all was read.
        """
        if not is_noted:
            self._intents.wanted(_restored(intents))
        await self.enforce(intents)

    async def enforce(self, prefixes: Collection[Prefix]) -> None:
        """Act at once on what is recorded of some prefixes, and read back."""
        await self._act(prefixes)
        await self._until_sent(prefixes)
        await self._read_back()
        # Of neighbours of which only this reading showed that ExaBGP reports them, too.
        await self._until_sent(prefixes)


def _restored(intents: Mapping[Prefix, Intent]) -> Collection[Prefix]:
    return [prefix for prefix, intent in intents.items() if intent.restores]


def _by_health(intents: Mapping[Prefix, Intent]) -> Collection[Prefix]:
    """Return what is to be announced if its health allows: what is forced waits for none."""
    return [p for p in _restored(intents) if intents[p].mode is not Mode.FORCED]
