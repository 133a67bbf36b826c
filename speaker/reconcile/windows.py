"""Begins what is planned when its time comes, and says what was missed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from policy.window import look, missed
from speaker.reconcile.loop import BRIEFLY
from speaker.state.store import StoreError

if TYPE_CHECKING:
    from speaker.reconcile.reconciler import Reconciler

log = logging.getLogger(__name__)

EVERY = 1.0
"""How often the clock is looked at, at least, in seconds: it may be set."""
SUBJECT = "windows"


async def run_windows(reconciler: Reconciler) -> None:
    """Begin windows for ever. What they ask for is carried out by the cycle that follows."""
    while True:
        if await run_due(reconciler):
            reconciler.wake()
        now = reconciler.clock.wall()
        following = look(reconciler.durable.intents.windows, now).following
        wait = EVERY if following is None else min(max(following - now, 0.01), EVERY)
        await asyncio.sleep(wait)


async def run_due(reconciler: Reconciler, *, say: bool = True) -> bool:
    """Begin those windows whose time has come, as far as they are known. Return whether any intent was recorded.

    Where the state file can't be written now, it is an alarm, and tried again: until it is too late.

    Args:
        reconciler: the watchdog.
        say: whether to say in the log, too, that some were missed at an earlier look.
    """
    windows, now = reconciler.durable.intents.windows, reconciler.clock.wall()
    found, changed = look(windows, now), False
    wrong = missed(windows)
    if found:
        numbers = [window.number for window in (*found.due, *found.over)]
        store = reconciler.durable.store
        try:
            changed = await asyncio.to_thread(store.run_windows, numbers, now, wait=BRIEFLY)
        except (StoreError, BlockingIOError) as error:  # the latter: no thread to do it in
            waiting = " | ".join(map(str, found.due))
            wrong = " | ".join(filter(None, (wrong, f"{error}; can't begin: {waiting}")))
        else:
            for window in found.over:
                log.error("missed: %s", window)
    reconciler.alarms.note(SUBJECT, wrong, wording_moves=True, say=say)
    return changed
