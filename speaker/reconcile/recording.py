"""Records what is to be remembered, and says where the state file can't be written, on a quiet night too.

Theory of operation. Whatever is written, the store keeps why the last writing failed: an intent, a window, what
is ours, news. So a drain that was refused is an alarm at once. Where nothing is written nothing fails either, so
the file system is asked whether it has room, which costs no write; where it may have none, or the last writing
failed, what changes nothing is written: what comes of that decides, also that all is well again. A quota, or a disk that
fails, tells nothing before: so that is written now and then in any case, too seldom to wear a disk out.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.state.waits import BUSY

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.clock import Clock
    from speaker.reconcile.alarms import Alarms
    from speaker.reconcile.durable_state import DurableState

SUBJECT = "state"
LOOK = 5.0
"""How often the file system is looked at, in seconds."""
TRY = 900.0
"""How often it is tried to write, at least, in seconds."""


class Recorder:
    """Records what one reconciler is to remember.

    Args:
        durable: that.
        alarms: where to note that it can't be done.
        clock: the time.
        wake: has a cycle done, where something may be announced that is recorded by now.
    """

    def __init__(
        self, durable: DurableState, alarms: Alarms, clock: Clock, wake: Callable[[], None]
    ) -> None:
        self._durable = durable
        self._alarms = alarms
        self._clock = clock
        self._wake = wake
        self._tried = clock.steady()
        self.due = asyncio.Event()
        """Set while there is something to be recorded."""

    def ask(self) -> None:
        """Have recorded what there is."""
        if self._durable.has_news:
            self.due.set()

    async def record(self, wait: float = BUSY) -> bool:
        """Record what is to be remembered. Return whether that could be done; else it is kept.

        Args:
            wait: how long another program may hold the state file, in seconds.
        """
        withheld = bool(self._durable.unrecorded)
        try:
            await self._durable.flush(wait)
        except (SpeakerError, BlockingIOError) as error:  # the latter: no thread to record it in
            self._alarms.note(SUBJECT, str(error))
            return False
        self._alarms.note(SUBJECT, self._durable.store.fault)
        if withheld and not self._durable.unrecorded:
            self._wake()
        return True

    def note(self) -> None:
        """Note that the last writing failed, whatever it was of. That it does no more, `record` and `look` note."""
        if fault := self._durable.store.fault:
            self._alarms.note(SUBJECT, fault)

    async def look(self) -> None:
        """Try to write, where that may fail, or was not tried for long."""
        store, now = self._durable.store, self._clock.steady()
        try:
            may_fail = bool(store.fault) or await asyncio.to_thread(store.may_be_full)
            if not may_fail and now - self._tried < TRY:
                return
            self._tried = now
            await asyncio.to_thread(store.try_writing)
        except (SpeakerError, BlockingIOError) as error:
            self._alarms.note(SUBJECT, str(error))
        else:
            self._alarms.note(SUBJECT, "")
