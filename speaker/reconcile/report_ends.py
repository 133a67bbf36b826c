"""Notes, in history too, that a report holds no more: so that it does not hold again by a clock that is set back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from speaker.reconcile.loop import BRIEFLY
from speaker.state.store import StoreError

if TYPE_CHECKING:
    from speaker.reconcile.reconciler import Reconciler

EVERY = 1.0
"""How often to look, in seconds."""


async def run_ends(reconciler: Reconciler) -> NoReturn:
    """Note it of all reports, for ever."""
    while True:
        await note_ends(reconciler)
        await asyncio.sleep(EVERY)


async def note_ends(reconciler: Reconciler) -> None:
    """Note it of those that expired, as far as they are known.

    Where the state file can't be written now, that is an alarm of its own, and this is tried again.
    """
    over = [(name, report.at) for name, report in reconciler.reports.over]
    if not over:
        return
    store, now = reconciler.durable.store, reconciler.clock.wall()
    try:
        await asyncio.to_thread(store.end_reports, over, now, wait=BRIEFLY)
    except (StoreError, BlockingIOError):  # the latter: no thread to do it in
        reconciler.recorder.note()
