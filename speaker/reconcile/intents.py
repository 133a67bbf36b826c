"""An operator's wish, taken by a watchdog: what vip_mgmt -a and -d ask for, and what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speaker.api import IntentOutcome
from speaker.reconcile import status
from speaker.supervision.steps import in_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.intent import Intent
    from policy.route import Prefix
    from speaker.reconcile.reconciler import Watchdog


async def take(
    watchdog: Watchdog,
    prefixes: Sequence[Prefix],
    intent: Intent,
    *,
    dry_run: bool,
    was: Mapping[str, str] | None = None,
) -> list[IntentOutcome]:
    """Take a wish, durably, and return what became of each prefix.

    Args:
        watchdog: carries it out.
        prefixes: those that were named.
        intent: what the operator wants of them.
        dry_run: whether only to return what would be.
        was: where it was recorded already, before the watchdog read the state file: what it replaced.

    Raises:
        StoreError: it could not be recorded; nothing was changed.
    """
    intents = dict.fromkeys(prefixes, intent)
    replaced: Mapping[Prefix, Intent] = {}
    alarms: Sequence[str] = ()
    if dry_run:
        await watchdog.settle()
        before = status.announced(watchdog, prefixes)
        replaced = watchdog.ledger.intents()
        after = iter(status.foreseen(watchdog, intents))
    else:
        before = status.announced(watchdog, prefixes)
        # A caller that hangs up must not leave it half done.
        if was is None:
            replaced = await asyncio.shield(watchdog.ask(intents))
        else:
            await asyncio.shield(watchdog.carry_out(intents))
        now = status.Snapshot(watchdog)
        after, alarms = now.routes(prefixes), now.troubles
    was = was or {str(prefix): str(intent) for prefix, intent in replaced.items()}
    return await in_steps(
        IntentOutcome(
            **route.values(),
            before=before[route.prefix],
            was=was.get(route.prefix, ""),
            trouble=tuple(alarms) if route.announced is None else (),
        )
        for route in after
    )
