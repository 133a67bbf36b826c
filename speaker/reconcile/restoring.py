"""What operators want announced, by any process: it is announced although its health is unknown, once that is certain.

Not known yet is not unknown: right after a start or a new configuration nothing was looked at, and a check was not asked often enough.
What waits for that stays as it is, and is announced by itself as soon as it is up.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from speaker.supervision.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from policy.route import Prefix
    from speaker.reconcile.decider import Decider
    from speaker.reconcile.durable_state import DurableState

FIRST_LOOK = 5.0
"""How long an operator's `-a` waits until health is known, in seconds."""


class Restoring:
    """Heeds what operators want announced.

    Args:
        decider: knows the health of all.
        durable: has the intents, and what is taken to be up.
        wake: has health looked at.
    """

    def __init__(self, decider: Decider, durable: DurableState, wake: Callable[[], object]) -> None:
        self._decider, self._durable, self._wake = decider, durable, wake
        self._waiting: frozenset[Prefix] = frozenset()
        self.judged = Bell()
        """Rings when health was judged."""

    async def known(self, prefixes: Collection[Prefix]) -> Collection[Prefix]:
        """Wait until the health of some prefixes is known, but not for long. Return those of which it is unknown.

        A look that takes longer leaves it unknown; a check that still counts its answers does not.
        """
        if any(map(self._decider.is_pending, prefixes)):
            self._wake()
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK):
                    while any(map(self._decider.is_pending, prefixes)):
                        await self.judged.rings()
                    return self._unknown(prefixes)
            self._decider.is_late = True
        return self._unknown(prefixes)

    def _unknown(self, prefixes: Collection[Prefix]) -> Collection[Prefix]:
        return [*filter(self._decider.is_unknown, prefixes)]

    def heed(self) -> None:
        """Take over what operators have wanted announced since, and what waited."""
        restored = self._durable.intents.restored()
        if not restored and not self._waiting:
            return
        in_force = self._durable.intents.in_force()
        wanted = {
            prefix
            for prefix in self._waiting.union(restored)
            if (intent := in_force.get(prefix)) is None or intent.restores
        }
        self._waiting = frozenset(filter(self._decider.is_pending, wanted))
        self._durable.restore(restored, self._unknown(wanted))
        if restored:
            self._decider.forgive(restored)
