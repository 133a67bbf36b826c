"""What is shown last, so that it is made once for all who ask at the same time, and once a second at most."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from speaker.telemetry import exposition
from speaker.telemetry.look import Look
from speaker.telemetry.sending import Content

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.reconcile.reconciler import Reconciler

T = TypeVar("T")

FRESH = 1.0
"""For how long what was made is shown, in seconds."""


class Made(Generic[T]):
    """Something that is made of a look, in a thread, when somebody wants to see it.

    Args:
        reconciler: is looked at.
        make: makes it.
    """

    def __init__(self, reconciler: Reconciler, make: Callable[[Look], T]) -> None:
        self._reconciler = reconciler
        self._make = make
        self._at = 0.0
        self._making: asyncio.Future[T] | None = None

    async def latest(self) -> T:
        """Return it, as it was a moment ago at most. A caller who goes away ends it for nobody."""
        if self._making is None or (
            self._making.done() and (_failed(self._making) or time.monotonic() - self._at > FRESH)
        ):
            self._at = time.monotonic()
            look = Look(self._reconciler)
            self._making = asyncio.ensure_future(asyncio.to_thread(self._make, look))
        return await asyncio.shield(self._making)


def _failed(made: asyncio.Future[T]) -> bool:
    return made.cancelled() or made.exception() is not None


class Shown:
    """All that is shown of one watchdog."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._metrics = Made(reconciler, _metrics)

    async def metrics(self) -> Content:
        """Return the metrics."""
        return await self._metrics.latest()


def _metrics(look: Look) -> Content:
    return Content(exposition.CONTENT_TYPE, exposition.text(look))
