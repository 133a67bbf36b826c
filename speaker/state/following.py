"""A state file for who writes none: a copy in memory, whose intents are those of the file as it is now."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

from speaker.state.access import access, identity
from speaker.state.database import copy, is_newest, reading
from speaker.state.rows import Intents
from speaker.state.store import Store
from speaker.state.waits import BUSY_READING
from speaker.state.windows import IntentsReader

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


class FollowingStore(Store):
    """What was recorded when it was made; of intents, what operators have recorded since, too."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, in_memory_copy=True)
        self._path = path
        self._reads = threading.Lock()
        self._followed = IntentsReader()
        self._last = Intents()

    def intents(self, *, wait: float = BUSY_READING) -> Intents:
        """See `Store.intents`. The same object while they are the same."""
        with self._reads, access(self._path, None):
            if identity(self._path) is None:
                found = Intents()
            else:
                with closing(self._now(wait)) as db:
                    found = self._followed.read(db)
        if found != self._last:
            self._last = found
        return self._last

    def _now(self, wait: float) -> sqlite3.Connection:
        """Return the file as it is now: a copy of one that an older program writes."""
        db = reading(self._path, wait)
        try:
            if is_newest(db):
                return db
        except BaseException:
            db.close()
            raise
        db.close()
        return copy(self._path, wait)
