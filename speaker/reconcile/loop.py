"""Cycles for ever: when the next one is due, what wakes it before, and what is recorded beside them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.reconcile.read_back import AGAIN
from speaker.supervision.cancellation import heed_cancellation

if TYPE_CHECKING:
    from speaker.reconcile.reconciler import Watchdog

log = logging.getLogger(__name__)

BRIEFLY = 0.25
"""How long what is recorded beside the cycles waits for another program, in seconds."""


async def run_cycles(watchdog: Watchdog) -> None:
    """Run cycles for ever. No fault of one stops the next."""
    watchdog.pulse.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_keep_recording(watchdog))
        await _cycles(watchdog)


async def _cycles(watchdog: Watchdog) -> None:
    while True:
        watchdog.awake.clear()
        started = watchdog.clock.steady()
        try:
            if await watchdog.cycle():
                watchdog.pulse.completed()
            watchdog.troubles.note("cycle", "")
        except SpeakerError as error:
            heed_cancellation()
            watchdog.troubles.note("cycle", str(error))
        except Exception as error:
            heed_cancellation()
            if not isinstance(error, OSError):  # a shortage, with which no other would start
                watchdog.pulse.failed()
            # Whatever it is: the process must not die, because ExaBGP would die with it.
            text = f"{type(error).__name__}: {error}; the next one tries again"
            if watchdog.troubles.note("cycle", text):
                log.exception("cycle: unexpected error")
            await asyncio.sleep(watchdog.config.settings.interval)
        watchdog.pulse.moved()
        try:
            async with asyncio.timeout(watchdog.rest(started)):
                await watchdog.awake.wait()
        except TimeoutError:
            continue


async def _keep_recording(watchdog: Watchdog) -> None:
    """Record what is to be remembered, beside the cycles: a locked file holds none up.

    It is not waited for, because an operator's intent would wait, too; it is tried again.
    """
    while True:
        await watchdog.recordable.wait()
        watchdog.recordable.clear()
        if not await watchdog.record(wait=BRIEFLY):
            await asyncio.sleep(AGAIN)
            watchdog.recordable.set()
