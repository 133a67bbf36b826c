"""What answers wait for, how many there are at a time, and that of `status`, over one watchdog."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from aiohttp import web

from speaker.control.connections import sent
from speaker.control.places import Places
from speaker.reconcile.loaded_file import look_at_file
from speaker.reconcile.loop import BRIEFLY
from speaker.reconcile.status import Snapshot
from speaker.supervision.steps import in_steps, json_list

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speaker.reconcile.reconciler import Reconciler

log = logging.getLogger(__name__)

ANSWER_WITHIN = 2.0
FEW = 5000
"""Of how many prefixes, or entries of history, an answer needs no place: an explanation of them takes seven million bytes."""
ROOM_WITHIN = 10.0
"""How long another answer waits for its place, in seconds."""


class ControlAnswers:
    """Those of one socket.

    Args:
        reconciler: the watchdog.
    """

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._places = Places(f"answers of more than {FEW} parts", ROOM_WITHIN)
        self._settling: asyncio.Future[None] | None = None
        self._recording: asyncio.Future[bool] | None = None

    async def settle(self) -> None:
        """Wait for what was changed to be read back; not for a daemon that does not answer.

        All who ask meanwhile wait for the same reading.
        """
        task = self._settling
        if task is None or task.done():
            task = self._settling = asyncio.ensure_future(self._reconciler.read_back_if_changed())
            task.add_done_callback(_look_at)
        await asyncio.wait({task}, timeout=ANSWER_WITHIN)
        if task.done():
            task.result()

    async def record(self) -> None:
        """Wait for what happened until now to be recorded; not for a state file that is held.

        A recording that is under way may have begun before: the next one is for all who ask meanwhile.
        """
        await self.settle()
        if self._recording is not None:
            await asyncio.wait({self._recording}, timeout=ANSWER_WITHIN)
        if self._recording is None or self._recording.done():
            self._recording = asyncio.ensure_future(self._reconciler.record(BRIEFLY))
            self._recording.add_done_callback(_look_at)
            await asyncio.wait({self._recording}, timeout=ANSWER_WITHIN)

    @asynccontextmanager
    async def room(self, count: int) -> AsyncIterator[None]:
        """Have room for an answer of that many parts while the context lasts: until it was sent."""
        async with self._places.one() if count > FEW else nullcontext():
            yield

    async def status(self, request: web.Request) -> web.Response:
        """Answer with all that `status --json` says."""
        await asyncio.gather(
            self.settle(), look_at_file(self._reconciler.file, self._reconciler.alarms)
        )
        async with self.room(len(self._reconciler.assignments)):
            now = Snapshot(self._reconciler)
            shown = await in_steps(now.routes())
            head = now.status(shown, routes=()).to_json()
            del head["routes"]  # which is written in steps
            text = json.dumps(head).removesuffix("}")
            response = as_json(f'{text}, "routes": {await json_list(shown)}}}')
            await sent(request, response)
        return response


def as_json(text: str) -> web.Response:
    """Return an answer that has some JSON."""
    return web.Response(text=text, content_type="application/json")


def _look_at(task: asyncio.Future[Any]) -> None:
    """Log the failure of what not every caller has waited for."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s", error)
