"""Cycles for ever: when the next one is due, what wakes it before, and what is recorded beside them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.printable import cause_of
from speaker.reconcile import reach
from speaker.reconcile.alarms import APART
from speaker.reconcile.clock_alarm import ClockAlarm
from speaker.reconcile.dead import dead
from speaker.reconcile.read_back import AGAIN
from speaker.reconcile.recording import LOOK
from speaker.reconcile.status import Snapshot
from speaker.reconcile.witnesses import EVERY
from speaker.supervision.cancellation import heed_cancellation
from speaker.supervision.steps import in_steps

if TYPE_CHECKING:
    from speaker.reconcile.reconciler import Reconciler

log = logging.getLogger(__name__)

BRIEFLY = 0.25
"""How long what is recorded beside the cycles waits for another program, in seconds."""


async def run_cycles(reconciler: Reconciler, *, acts: bool = True) -> None:
    """Run cycles for ever. No fault of one stops the next.

    Args:
        reconciler: the watchdog.
        acts: whether what it does is done: else what died is not withdrawn, and not said to be.
    """
    reconciler.pulse.start()
    reconciler.first_reading.begin()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_keep_recording(reconciler))
        tasks.create_task(_keep_comparing(reconciler))
        await _cycles(reconciler, acts=acts)


async def _cycles(reconciler: Reconciler, *, acts: bool) -> None:
    clock = ClockAlarm(reconciler.clock)
    while True:
        reconciler.awake.clear()
        started = reconciler.clock.steady()
        reconciler.meter.began()
        try:
            if await reconciler.cycle():
                reconciler.pulse.completed()
                reconciler.meter.completed(started)
            reconciler.alarms.note("cycle", "")
            reconciler.alarms.note("clock", clock.look(reconciler.durable.intents.in_force()))
            if (apart := reach.alarm(reconciler.backend.peers())) is not None:
                reconciler.alarms.note(APART, apart)
            if acts:
                await _say_dead(reconciler)
        except SpeakerError as error:
            heed_cancellation()
            reconciler.alarms.note("cycle", str(error))
        except Exception as error:
            heed_cancellation()
            if not isinstance(error, OSError):  # a shortage, with which no other would start
                reconciler.pulse.failed()
            # Whatever it is: the process must not die, because ExaBGP would die with it.
            text = f"{cause_of(error)}; the next one tries again"
            if reconciler.alarms.note("cycle", text):
                log.exception("cycle: unexpected error")
            await asyncio.sleep(reconciler.config.settings.interval)
        reconciler.pulse.moved()
        try:
            async with asyncio.timeout(reconciler.rest(started)):
                await reconciler.awake.wait()
        except TimeoutError:
            continue


async def _say_dead(reconciler: Reconciler) -> None:
    """Say of what was just withdrawn because of its health what to look at, in the words of `status`."""
    died = reconciler.take_died()
    if died:
        for text in dead(await in_steps(Snapshot(reconciler).routes(died))):
            log.warning("DOWN: %s", text)


async def _keep_comparing(reconciler: Reconciler) -> None:
    """Look where witnesses have something else than what was sent."""
    while True:
        await asyncio.sleep(EVERY)
        try:
            await reconciler.witnesses.look(reconciler.view)
        except Exception:
            heed_cancellation()
            log.exception("witnesses could not be compared with what was sent")


async def _keep_recording(reconciler: Reconciler) -> None:
    """Record what is to be remembered, beside the cycles: a locked file holds none up.

    It is not waited for, because an operator's intent would wait, too; it is tried again. Where there is nothing
    to be recorded, it is looked at now and then whether there could be.
    """
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await reconciler.recorder.due.wait()
        if not reconciler.recorder.due.is_set():
            await reconciler.recorder.look()
            continue
        reconciler.recorder.due.clear()
        if not await reconciler.record(wait=BRIEFLY):
            await asyncio.sleep(AGAIN)
            reconciler.recorder.due.set()
