"""Intents, what we own, and history, in one SQLite file that outlives every process.

Several processes may use it: the watchdog, and `vip_mgmt` where no watchdog runs. A write is on
the disk when the call returns. Several threads may, too: what is called in one waits there until
what was called in another has ended, and a reading does not wait for a write.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.intent import Mode
from speaker.api import HistoryEntry
from speaker.state import rows
from speaker.state.database import (
    BUSY,
    BUSY_READING,
    Identity,
    StoreError,
    access,
    copy,
    identity,
    is_newest,
    is_read_only,
    make,
    moved,
    opened,
    reading,
    transaction,
)
from speaker.state.history import expiry, in_order, told
from speaker.state.rows import INTENTS, IntentReader, Intents, Owned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from policy.damping import Damping
    from policy.health import Service, ServiceMemory
    from policy.intent import Intent
    from policy.route import Prefix

HISTORY_ROWS = 100_000
_NEWEST = "SELECT time, prefix, event, reason FROM history {} ORDER BY id DESC LIMIT ?2"


@dataclass(frozen=True, slots=True)
class Remembered:
    """All of the file but its history, as it was at one moment; and what of it made no sense."""

    intents: Intents = field(default_factory=Intents)
    owned: Mapping[Prefix, Owned] = field(default_factory=dict)
    health: Mapping[Prefix, Mapping[Service, ServiceMemory]] = field(default_factory=dict)
    damping: Mapping[Prefix, Damping] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


@dataclass(slots=True)
class News:
    """What is to be recorded: of each prefix the newest, and all history.

    A prefix that is `gone` is not ours any more. A `damping` of None forgets it. `expired`: intents
    have ended by themselves until then (seconds since the epoch), which history has to tell.
    """

    owned: dict[Prefix, Owned] = field(default_factory=dict)
    health: dict[Prefix, Mapping[Service, ServiceMemory]] = field(default_factory=dict)
    damping: dict[Prefix, Damping | None] = field(default_factory=dict)
    gone: set[Prefix] = field(default_factory=set)
    history: list[HistoryEntry] = field(default_factory=list)
    expired: float | None = None

    def __bool__(self) -> bool:
        changed = self.owned or self.health or self.damping or self.gone or self.history
        return bool(changed) or self.expired is not None

    def __or__(self, newer: News) -> News:
        return News(
            self.owned | newer.owned,
            self.health | newer.health,
            self.damping | newer.damping,
            self.gone | newer.gone,
            [*self.history, *newer.history][-HISTORY_ROWS:],
            self.expired if newer.expired is None else newer.expired,
        )


class Store:
    """The state file. Each method opens it where it is not open yet, and makes it where there is none.

    A file that could not be opened is tried again by the next method. Once there was a file, no
    other one is made in its place: that would have no drain.

    Raises:
        StoreError: from every method, where the file can't be read or written.

    Args:
        path: the file.
        in_memory_copy: work on a copy in memory; the file stays as it is, or is not made.
    """

    def __init__(self, path: Path, *, in_memory_copy: bool = False) -> None:
        self._path = path
        self._rehearse = in_memory_copy
        self._writes = threading.RLock()
        self._reads = self._writes if in_memory_copy else threading.RLock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._was_there = False
        self._identity: Identity | None = None
        self._intents = Intents()
        self._intents_version = -1
        self._rows = IntentReader()

    # --- its connections, each used under its lock ------------------------------------------

    def _for_writing(self, wait: float) -> sqlite3.Connection:
        """Return the connection that writes.

        Args:
            wait: how long another program may hold the file, in seconds.
        """
        if self._writer is None:
            if self._rehearse:
                self._writer = copy(self._path, wait)
            else:
                self._make()
                self._writer = opened(self._path, wait)
                self._identify()
        self._writer.execute(f"PRAGMA busy_timeout = {round(1000 * wait)}")
        return self._writer

    def _for_reading(self, wait: float) -> sqlite3.Connection:
        """Return the connection that reads: one that waits to write would let no other read."""
        if self._rehearse:
            return self._for_writing(wait)
        if self._reader is None:
            self._make()
            reader = reading(self._path, wait)
            try:
                if not is_newest(reader):
                    with self._writes:
                        self._for_writing(wait)
                self._identify()
            except BaseException:
                reader.close()
                raise
            self._reader = reader
        self._reader.execute(f"PRAGMA busy_timeout = {round(1000 * wait)}")
        return self._reader

    def _make(self) -> None:
        if self._was_there:
            if identity(self._path) is None:
                raise moved(self._path)
            return
        make(self._path)
        self._was_there = True

    def _identify(self) -> None:
        """Note which file was opened, or refuse one that is another than was opened before."""
        found = identity(self._path)
        if self._identity is None:
            self._identity = found
        if found is None or found != self._identity:
            raise moved(self._path)

    @contextmanager
    def _writing(self, wait: float = BUSY) -> Iterator[sqlite3.Connection]:
        """Write in one transaction: a thread whose caller was cancelled is waited for."""
        with self._writes, access(self._path, self._identity):
            db = self._for_writing(wait)
            try:
                with transaction(db):
                    yield db
            except sqlite3.Error as error:
                if is_read_only(error):  # for as long as it is open, whatever becomes of the file
                    db.close()
                    self._writer = None
                raise

    def close(self) -> None:
        """Close the file."""
        with self._reads, access(self._path, self._identity):
            if self._reader is not None:
                self._reader.close()
        with self._writes, access(self._path, self._identity):
            if self._writer is not None:
                self._writer.close()

    # --- reading ---------------------------------------------------------------------------

    def load(self, *, wait: float = BUSY_READING) -> Remembered:
        """Read the whole file, but its history. See `intents` for `wait`."""
        faults: list[str] = []
        memory: dict[Prefix, dict[Service, ServiceMemory]] = {}
        with (
            self._reads,
            access(self._path, self._identity),
            transaction(db := self._for_reading(wait), "DEFERRED"),
        ):
            found = db.execute("SELECT prefix, route, up FROM owned").fetchall()
            owned = dict(rows.parsed("owned", found, rows.owned, faults))
            found = db.execute(
                "SELECT prefix, service, up, turning_since, gone_since, proven_at FROM health"
            ).fetchall()
            for (prefix, service), last in rows.parsed("health", found, rows.health, faults):
                memory.setdefault(prefix, {})[service] = last
            found = db.execute("SELECT prefix, penalty, at, damped, up FROM damping").fetchall()
            damping = dict(rows.parsed("damping", found, rows.damping, faults))
            intents = self._rows.read(db.execute(INTENTS).fetchall())
        return Remembered(intents, owned, memory, damping, tuple(faults))

    def intents(self, *, wait: float = BUSY_READING) -> Intents:
        """Return all intents, expired ones too. Cheap where nothing has changed.

        Args:
            wait: how long another program may hold the file, in seconds.
        """
        with self._reads, access(self._path, self._identity):
            db = self._for_reading(wait)
            if not self._rehearse:
                self._identify()
            with transaction(db, "DEFERRED"):
                (version,) = db.execute("PRAGMA data_version").fetchone()
                if version != self._intents_version:
                    self._intents = self._rows.read(db.execute(INTENTS).fetchall())
                    self._intents_version = version
            return self._intents

    def history(self, prefixes: Collection[Prefix], limit: int = 200) -> list[HistoryEntry]:
        """Return the newest entries of some prefixes, or of all where none is given, oldest first.

        Newest is what was recorded last: the watchdog records what it did a moment later, and an
        operator's intent before anything is done. What is returned is in the order of time.
        """
        names = json.dumps([str(prefix) for prefix in prefixes])  # SQLite takes few parameters
        query = _NEWEST.format("WHERE prefix IN (SELECT value FROM json_each(?1))" * bool(prefixes))
        with self._aside() as db, closing(db.execute(query, [names, limit])) as found:
            return in_order(found)

    def latest(self, prefixes: Iterable[Prefix], each: int) -> dict[Prefix, list[HistoryEntry]]:
        """Return the newest entries of each of some prefixes, at most that many, oldest first."""
        query = _NEWEST.format("WHERE prefix = ?1")
        with self._aside() as db, closing(db.cursor()) as found:
            return {
                prefix: in_order(found.execute(query, [str(prefix), each])) for prefix in prefixes
            }

    @contextmanager
    def _aside(self) -> Iterator[sqlite3.Connection]:
        """Read by a connection of its own: it may take long, and a turn must not wait for it."""
        if self._rehearse:
            with self._reads, access(self._path, self._identity):
                db = self._for_reading(BUSY_READING)
                with transaction(db, "DEFERRED"):
                    yield db
            return
        with self._reads, access(self._path, self._identity):
            self._for_reading(BUSY_READING)  # which makes the file where there is none
        with (
            access(self._path, self._identity),
            closing(reading(self._path, BUSY_READING)) as db,
            transaction(db, "DEFERRED"),
        ):
            yield db

    # --- writing ---------------------------------------------------------------------------

    def set_intents(
        self, intents: Mapping[Prefix, Intent], up: Iterable[Prefix] = (), *, wait: float = BUSY
    ) -> Mapping[Prefix, Intent]:
        """Record intents, all or none, in history too. One of mode auto lifts what was there.

        An operator who wants a prefix announced forgives its flapping.

        Args:
            intents: what the operator asks for.
            up: our prefixes that are taken to be up from now on.
            wait: how long another program may hold the file, in seconds.

        Returns:
            The intents that were in force until now.
        """
        new = [
            (str(prefix), intent.mode, intent.owner, intent.reason, intent.since, intent.until)
            for prefix, intent in intents.items()
        ]
        with self._writing(wait) as db:
            known = self._rows.read(db.execute(INTENTS).fetchall())
            names = [str(prefix) for prefix in intents]
            names += [name for prefix in intents for name in known.rows.get(prefix, ())]
            before = {p: known.of[p] for p in intents if p in known.of}
            replaced = {p: was for p, was in before.items() if was.in_force(intents[p].since)}
            _add_history(db, _ended(db, {p: i for p, i in before.items() if p not in replaced}))
            db.executemany("DELETE FROM intent WHERE prefix = ?", [(name,) for name in names])
            db.executemany(
                "INSERT INTO intent (prefix, mode, owner, reason, since, until) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [row for row in new if row[1] != Mode.AUTO],
            )
            db.executemany(
                "DELETE FROM damping WHERE prefix = ?",
                [(str(prefix),) for prefix, intent in intents.items() if intent.restores],
            )
            db.executemany(
                "UPDATE owned SET up = 1 WHERE prefix = ?", [(str(prefix),) for prefix in up]
            )
            _add_history(
                db,
                [
                    HistoryEntry(intent.since, str(p), intent.mode, told(intent, replaced.get(p)))
                    for p, intent in intents.items()
                ],
            )
        self._rows.expect(dict(zip(new, intents.items(), strict=True)))
        self._intents_version = -1
        return replaced

    def own(self, prefixes: Iterable[Prefix], *, wait: float = BUSY) -> None:
        """Record prefixes as ours, before any of them is announced. See `record` for `wait`."""
        with self._writing(wait) as db:
            db.executemany(
                "INSERT INTO owned (prefix, route, up) VALUES (?, '', 0) ON CONFLICT DO NOTHING",
                [(str(prefix),) for prefix in prefixes],
            )

    def record(self, news: News, *, wait: float = BUSY) -> None:
        """Record what was confirmed of our prefixes, what led to it, and what to remember.

        Args:
            news: that.
            wait: how long another program may hold the file, in seconds.
        """
        with self._writing(wait) as db:
            db.executemany(
                "UPDATE owned SET route = ?, up = ? WHERE prefix = ?",
                [(state.column, int(state.up), str(p)) for p, state in news.owned.items()],
            )
            _replace(db, "health", news.health, _health_rows(news.health))
            _replace(db, "damping", news.damping, _damping_rows(news.damping))
            for table in ("owned", "health", "damping"):
                _replace(db, table, news.gone, [])
            _add_history(db, news.history)
            if news.expired is not None:
                known = self._rows.read(db.execute(INTENTS).fetchall()).of
                ended = {p: i for p, i in known.items() if not i.in_force(news.expired)}
                _add_history(db, _ended(db, ended))


# --- rows to be written --------------------------------------------------------------------------


def _replace(
    db: sqlite3.Connection, table: str, prefixes: Iterable[Prefix], new: list[rows.Row]
) -> None:
    """Replace all rows of some prefixes."""
    db.executemany(
        f"DELETE FROM {table} WHERE prefix = ?",  # noqa: S608 - one of three names
        [(str(prefix),) for prefix in prefixes],
    )
    if new:
        marks = ", ".join("?" * len(new[0]))
        db.executemany(f"INSERT INTO {table} VALUES ({marks})", new)  # noqa: S608 - one of three names


def _health_rows(memory: Mapping[Prefix, Mapping[Service, ServiceMemory]]) -> list[rows.Row]:
    return [
        rows.of_health(p, service, last)
        for p, services in memory.items()
        for service, last in services.items()
    ]


def _damping_rows(damping: Mapping[Prefix, Damping | None]) -> list[rows.Row]:
    return [
        (str(prefix), last.penalty, last.at, int(last.damped), int(last.up))
        for prefix, last in damping.items()
        if last is not None
    ]


def _ended(db: sqlite3.Connection, intents: Mapping[Prefix, Intent]) -> list[HistoryEntry]:
    """Return the lines of intents that ended by themselves, as far as history lacks them.

    The intents stay where they are: a clock that was wrong may be set back.
    """
    lines = sorted((expiry(p, intent) for p, intent in intents.items()), key=lambda e: e.time)
    oldest = db.execute("SELECT time FROM history ORDER BY id LIMIT 1").fetchone() or (0.0,)
    told = "SELECT 1 FROM history WHERE prefix = ? AND event = ? AND time = ?"
    return [
        line
        for line in lines
        if line.time >= oldest[0]
        and not db.execute(told, [line.prefix, line.event, line.time]).fetchone()
    ]


def _add_history(db: sqlite3.Connection, history: Iterable[HistoryEntry]) -> None:
    db.executemany(
        "INSERT INTO history (time, prefix, event, reason) VALUES (?, ?, ?, ?)",
        [(entry.time, entry.prefix, entry.event, entry.reason) for entry in history],
    )
    db.execute("DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?", [HISTORY_ROWS])


__all__ = ["Intents", "News", "Owned", "Remembered", "Store", "StoreError"]
