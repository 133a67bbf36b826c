"""The state file as one that is opened, written and closed: what all that is recorded in it shares."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from speaker.state.connections import FileConnections
from speaker.state.history import add_history
from speaker.state.rows import Intents
from speaker.state.waits import BUSY
from speaker.state.windows import IntentsReader

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable
    from pathlib import Path

    from speaker.api import HistoryEntry


class BaseStore:
    """See `Store`."""

    def __init__(self, path: Path, *, in_memory_copy: bool = False, most_wait: float = inf) -> None:
        self._connections = FileConnections(path, in_memory=in_memory_copy, most_wait=most_wait)
        self.keep: float | None = None
        """For how long history is kept, in seconds; None leaves that to others who write."""
        self._intents = Intents()
        self._intents_version: tuple[int, int] | None = None
        self._reader = IntentsReader()

    def close(self) -> None:
        """Close the file."""
        self._connections.close()

    @property
    def fault(self) -> str:
        """Why the last writing failed, in words; empty where it did not."""
        return self._connections.fault

    def may_be_full(self) -> bool:
        """Tell whether writing may fail, as far as that costs no write."""
        return self._connections.may_be_full()

    def try_writing(self, *, wait: float = BUSY) -> None:
        """Write what changes nothing, to see whether that can be done."""
        self._connections.try_writing(wait)

    def _tell(self, db: sqlite3.Connection, history: Iterable[HistoryEntry]) -> None:
        """Add to history; forget what is beyond the number that is kept, or older than what is kept."""
        add_history(db, history, self.keep)
