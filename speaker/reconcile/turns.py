"""What is done in a turn, one at a time: what each begins with, and what is said where none is got."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from speaker.reconcile.first_reading import SUBJECT as ORDERS
from speaker.reconcile.lock import LockError
from speaker.reconcile.turn import UNRECORDED, UNSURE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from speaker.reconcile.alarms import Alarms
    from speaker.reconcile.apply import Applier
    from speaker.reconcile.durable_state import DurableState
    from speaker.reconcile.first_reading import FirstReading
    from speaker.reconcile.recording import Recorder
    from speaker.reconcile.turn import Exclusive, Turn


class Turns:
    """The turns of one reconciler.

    Args:
        exclusive: gives them.
        durable: has the intents, which each reads.
        alarms: where to note what is wrong.
        recorder: records what they leave behind.
        applier: reads the daemon again where another process had a turn.
        first_reading: tells whether the orders of the site were ever read.
    """

    def __init__(
        self,
        exclusive: Exclusive,
        durable: DurableState,
        alarms: Alarms,
        recorder: Recorder,
        applier: Applier,
        first_reading: FirstReading,
    ) -> None:
        self.pause = exclusive.pause
        self._exclusive, self._durable, self._alarms = exclusive, durable, alarms
        self._recorder, self._applier = recorder, applier
        self._first_reading = first_reading

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[Turn]:
        """Wait for our turn, and begin it.

        Raises:
            LockError: it did not become our turn.
        """
        async with self._exclusive.turn() as turn:
            self._alarms.note("intents", self._durable.intents.trouble)
            first = self._first_reading
            self._alarms.note(ORDERS, first.trouble, say=first.stays)
            self._recorder.note()
            self._applier.view.retry({UNSURE, UNRECORDED}.difference(turn.withholds))
            yield turn

    async def act(self, act: Callable[[Turn], Awaitable[None]]) -> bool:
        """Do something in a turn. Return whether there was one: else that is said, and a next cycle tries again."""
        ours = True
        try:
            async with self.begun() as turn:
                self._alarms.note("lock", "")
                if not turn.alone:
                    self._applier.readings.ask()
                await act(turn)
        except LockError as error:
            ours = False
            self._applier.view.unreadable()
            self._alarms.note("lock", str(error))
        self._recorder.ask()
        return ours
