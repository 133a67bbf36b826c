"""The last things that happened since this process listens: a bounded number, newest first."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speaker.reconcile.notices import Notice
    from speaker.reconcile.reconciler import Reconciler

KEPT = 50
"""How many are shown."""


class Recent:
    """What happened last."""

    def __init__(self) -> None:
        self._kept: deque[Notice] = deque(maxlen=KEPT)
        self.count = 0
        """How many there were in all."""

    def _happened(self, notice: Notice) -> None:
        self._kept.appendleft(notice)
        self.count += 1

    @property
    def all(self) -> tuple[Notice, ...]:
        """Those that are kept, newest first."""
        return tuple(self._kept)

    @contextmanager
    def listening(self, reconciler: Reconciler) -> Iterator[None]:
        """Keep what happens while the context lasts."""
        ends = [
            listeners.add(self._happened)
            for listeners in (reconciler.durable.listeners, reconciler.alarms.listeners)
        ]
        try:
            yield
        finally:
            for end in ends:
                end()
