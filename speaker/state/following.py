"""A state file for who writes none: a copy in memory, whose intents are those of the file as it is now."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

from speaker.state.access import access, identity
from speaker.state.database import BUSY_READING, reading
from speaker.state.fetched import fetched
from speaker.state.rows import INTENTS, IntentReader, Intents
from speaker.state.store import Store

if TYPE_CHECKING:
    from pathlib import Path


class FollowingStore(Store):
    """What was recorded when it was made; of intents, what operators have recorded since, too."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, in_memory_copy=True)
        self._path = path
        self._reads = threading.Lock()
        self._followed = IntentReader()
        self._last = Intents()

    def intents(self, *, wait: float = BUSY_READING) -> Intents:
        """See `Store.intents`. The same object while they are the same."""
        with self._reads, access(self._path, None):
            if identity(self._path) is None:
                found = Intents()
            else:
                with closing(reading(self._path, wait)) as db:
                    found = self._followed.read(fetched(db, INTENTS))
        if found != self._last:
            self._last = found
        return self._last
