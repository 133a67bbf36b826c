"""The state file's connections: one that writes and one that reads, each used by one thread at a time.

A file that could not be opened is tried again by the next use. Once there was a file, no other one is
made in its place, or read: that would have no drain.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager
from math import inf
from typing import TYPE_CHECKING

from speaker.state.access import (
    Identity,
    NoMoreError,
    StoreError,
    access,
    identity,
    is_spent,
    moved,
)
from speaker.state.database import copy, is_newest, make, opened, reading, transaction
from speaker.state.room import may_be_full
from speaker.state.waits import BUSY, BUSY_READING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FileConnections:
    """Opens the file where it is not open yet, and makes it where there is none.

    Args:
        path: the file.
        in_memory: work on a copy in memory; the file stays as it is, or is not made.
        most_wait: no use waits longer than this for another program that holds the file, in seconds.
    """

    def __init__(self, path: Path, *, in_memory: bool, most_wait: float = inf) -> None:
        self.path = path
        self._most_wait = most_wait
        self.in_memory = in_memory
        self._writes = threading.RLock()
        self._reads = self._writes if in_memory else threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._was_there = False
        self._identity: Identity | None = None
        self.openings = 0
        """How often the connection that reads was opened: what SQLite tells of changes is of one connection."""
        self.fault = ""
        """Why the last writing failed, in words; empty where it did not."""

    def for_writing(self, wait: float) -> sqlite3.Connection:
        """Return the connection that writes.

        Args:
            wait: how long another program may hold the file, in seconds.
        """
        wait = min(wait, self._most_wait)
        if self._writer is None:
            if self.in_memory:
                self._writer = copy(self.path, wait)
            else:
                self._make()
                is_first = self._identity is None
                writer = opened(self.path, wait, may_be_empty=is_first)
                try:
                    self.check_identity()
                except BaseException:
                    writer.close()
                    raise
                self._writer = writer
        self._writer.execute(f"PRAGMA busy_timeout = {round(1000 * wait)}")
        return self._writer

    def for_reading(self, wait: float) -> sqlite3.Connection:
        """Return the connection that reads: one that waits to write would let no other read."""
        if self.in_memory:
            return self.for_writing(wait)
        wait = min(wait, self._most_wait)
        if self._reader is None:
            self._make()
            reader = reading(self.path, wait)
            try:
                if not is_newest(reader):
                    with self._writes:
                        self.for_writing(wait)
                self.check_identity()
            except BaseException:
                reader.close()
                raise
            self._reader, self.openings = reader, self.openings + 1
        self._reader.execute(f"PRAGMA busy_timeout = {round(1000 * wait)}")
        return self._reader

    def _make(self) -> None:
        if self._was_there:
            if identity(self.path) is None:
                raise moved(self.path)
            return
        make(self.path)
        self._was_there = True

    def check_identity(self) -> None:
        """Note which file was opened, or refuse one that is another than was opened before."""
        found = identity(self.path)
        if self._identity is None:
            self._identity = found
        if found is None or found != self._identity:
            raise moved(self.path)

    @contextmanager
    def writing(self, wait: float = BUSY) -> Iterator[sqlite3.Connection]:
        """Write in one transaction: a thread whose caller was cancelled is waited for."""
        with self._writes, self._keep_fault(), access(self.path, self._identity):
            db = self.for_writing(wait)
            before = db.total_changes
            with self._unless_spent(db), transaction(db):
                yield db
            if db.total_changes != before:  # else nothing was written, which proves nothing
                self.fault = ""

    @contextmanager
    def _keep_fault(self) -> Iterator[None]:
        """Keep why a writing failed, until another one does not."""
        try:
            yield
        except NoMoreError:
            raise
        except StoreError as error:
            self.fault = str(error)
            raise

    def try_writing(self, wait: float) -> None:
        """Write what changes nothing, to see whether that can be done."""
        with self.writing(wait) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            db.execute(f"PRAGMA user_version = {int(version)}")
        self.fault = ""

    def may_be_full(self) -> bool:
        """Tell whether writing may fail, as far as that costs no write."""
        return not self.in_memory and may_be_full(self.path.parent)

    @contextmanager
    def reading(self, wait: float) -> Iterator[sqlite3.Connection]:
        """Read, as the file is now.

        Args:
            wait: how long another program may hold the file, in seconds.
        """
        with self._reads, access(self.path, self._identity):
            db = self.for_reading(wait)
            with self._unless_spent(db):
                yield db

    @contextmanager
    def _unless_spent(self, db: sqlite3.Connection) -> Iterator[None]:
        """Have a connection that is of no more use opened again by its next use."""
        try:
            yield
        except sqlite3.Error as error:
            if is_spent(error) and not self.in_memory:
                db.close()
                if db is self._writer:
                    self._writer = None
                else:
                    self._reader = None
            raise

    @contextmanager
    def aside(self) -> Iterator[sqlite3.Connection]:
        """Read by a connection of its own: it may take long, and a turn must not wait for it."""
        if self.in_memory:
            with self._reads, access(self.path, self._identity):
                db = self.for_reading(BUSY_READING)
                with transaction(db, "DEFERRED"):
                    yield db
            return
        with self._reads, access(self.path, self._identity):
            self.for_reading(BUSY_READING)  # which makes the file where there is none
        with (
            access(self.path, self._identity),
            closing(reading(self.path, BUSY_READING)) as db,
            transaction(db, "DEFERRED"),
        ):
            yield db

    def close(self) -> None:
        """Close the file."""
        with self._reads, access(self.path, self._identity):
            if self._reader is not None:
                self._reader.close()
        with self._writes, access(self.path, self._identity):
            if self._writer is not None:
                self._writer.close()
