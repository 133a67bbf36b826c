"""Intents, what we own, and history, in one SQLite file that outlives every process.

Several processes may use it: the watchdog, and `vip_mgmt` where no watchdog runs. A write is on
the disk when the call returns. Several threads may, too: what is called in one waits there until
what was called in another has ended, and a reading does not wait for a write.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from policy.drain import resolved
from policy.intent import Mode
from speaker.api import HistoryEntry
from speaker.state import rows
from speaker.state.access import StoreError
from speaker.state.connections import FileConnections
from speaker.state.database import BUSY, BUSY_READING, transaction
from speaker.state.fetched import Fetcher, fetched
from speaker.state.history import add_history, expiry, in_order, told
from speaker.state.remembered import News, Remembered
from speaker.state.rows import INTENTS, IntentReader, Intents, Owned
from speaker.state.stages import StageEnd, follow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from policy.damping import Damping
    from policy.drain import Progress
    from policy.health import Service, ServiceMemory
    from policy.intent import Intent
    from policy.route import Prefix

NEWEST, NEWEST_SINCE = 200, 10_000
"""How many entries of history are told of at most: without a time, and since a time."""
SHOWN = 10_000
"""How many letters of a text of history are read: whoever may write the file may have put millions there."""
_TEXTS = ", ".join(f"substr({text}, 1, {SHOWN})" for text in ("prefix", "event", "reason"))
_NEWEST = f"SELECT time, {_TEXTS} FROM history {{}} ORDER BY id DESC LIMIT ?2"  # noqa: S608 - names of columns


class Store:
    """The state file.

    Raises:
        StoreError: from every method, where the file can't be read or written.

    Args:
        path: the file.
        in_memory_copy: work on a copy in memory; the file stays as it is, or is not made.
    """

    def __init__(self, path: Path, *, in_memory_copy: bool = False) -> None:
        self._connections = FileConnections(path, in_memory=in_memory_copy)
        self.keep: float | None = None
        """For how long history is kept, in seconds; None leaves that to others who write."""
        self._intents = Intents()
        self._intents_version = -1
        self._rows = IntentReader()

    # --- reading ---------------------------------------------------------------------------

    def load(self, *, wait: float = BUSY_READING) -> Remembered:
        """Read the whole file, but its history. See `intents` for `wait`."""
        faults: list[str] = []
        memory: dict[Prefix, dict[Service, ServiceMemory]] = {}
        with self._connections.reading(wait) as db, transaction(db, "DEFERRED"):
            found = fetched(db, "SELECT prefix, route, up FROM owned")
            owned = dict(rows.parsed("owned", found, rows.owned, faults))
            found = fetched(
                db, "SELECT prefix, service, up, turning_since, gone_since, proven_at FROM health"
            )
            for (prefix, service), last in rows.parsed("health", found, rows.health, faults):
                memory.setdefault(prefix, {})[service] = last
            found = fetched(db, "SELECT prefix, penalty, at, damped, up FROM damping")
            damping = dict(rows.parsed("damping", found, rows.damping, faults))
            found = fetched(
                db, "SELECT prefix, stage, of, began, quiet_since, connections FROM drain"
            )
            drains = dict(rows.parsed("drain", found, rows.drain, faults))
            intents = self._rows.read(fetched(db, INTENTS))
        return Remembered(intents, owned, memory, damping, drains, tuple(faults))

    def intents(self, *, wait: float = BUSY_READING) -> Intents:
        """Return all intents, expired ones too. Cheap where nothing has changed.

        Args:
            wait: how long another program may hold the file, in seconds.
        """
        with self._connections.reading(wait) as db:
            if not self._connections.in_memory:
                self._connections.check_identity()
            with transaction(db, "DEFERRED"):
                (version,) = db.execute("PRAGMA data_version").fetchone()
                if version != self._intents_version:
                    self._intents = self._rows.read(fetched(db, INTENTS))
                    self._intents_version = version
            return self._intents

    def history(
        self,
        prefixes: Collection[Prefix],
        limit: int | None = None,
        since: float | None = None,
    ) -> list[HistoryEntry]:
        """Return the newest entries of some prefixes, or of all where none is given, oldest first.

        By default 200 of them, or 10,000 where there is a time since when (seconds since the epoch).

        Newest is what was recorded last: the watchdog records what it did a moment later, and an
        operator's intent before anything is done. What is returned is in the order of time.
        """
        names = json.dumps([str(prefix) for prefix in prefixes])  # SQLite takes few parameters
        wanted = ["prefix IN (SELECT value FROM json_each(?1))"] * bool(prefixes)
        wanted += ["time >= ?3"] * (since is not None)
        query = _NEWEST.format("WHERE " * bool(wanted) + " AND ".join(wanted))
        most = limit or (NEWEST if since is None else NEWEST_SINCE)
        values = [names, most, since] if since is not None else [names, most]
        with self._connections.aside() as db:
            return in_order(fetched(db, query, values))

    def latest(self, prefixes: Iterable[Prefix], each: int) -> dict[Prefix, list[HistoryEntry]]:
        """Return the newest entries of each of some prefixes, at most that many, oldest first."""
        query = _NEWEST.format("WHERE prefix = ?1")
        with self._connections.aside() as db:
            newest = Fetcher(db).all
            return {prefix: in_order(newest(query, [str(prefix), each])) for prefix in prefixes}

    def close(self) -> None:
        """Close the file."""
        self._connections.close()

    # --- writing ---------------------------------------------------------------------------

    def set_intents(
        self, intents: Mapping[Prefix, Intent], up: Iterable[Prefix] = (), *, wait: float = BUSY
    ) -> Mapping[Prefix, Intent]:
        """Record intents, all or none, in history too. One of mode auto lifts what was there.

        An operator who wants a prefix announced forgives its flapping. What a soft stage comes to, what is in
        force decides: see `resolved`.

        Args:
            intents: what the operator asks for.
            up: our prefixes that are taken to be up from now on.
            wait: how long another program may hold the file, in seconds.

        Returns:
            The intents that were in force until now.
        """
        asked = intents
        with self._connections.writing(wait) as db:
            known = self._rows.read(fetched(db, INTENTS))
            before = {p: known.of[p] for p in intents if p in known.of}
            names = [str(prefix) for prefix in before]  # the others have no row
            names += [name for prefix in before for name in known.rows.get(prefix, ())]
            replaced = {p: was for p, was in before.items() if was.in_force(asked[p].since)}
            intents = {p: resolved(intent, replaced.get(p)) for p, intent in asked.items()}
            new = [rows.of_intent(prefix, intent) for prefix, intent in intents.items()]
            self._tell(db, _ended(db, {p: i for p, i in before.items() if p not in replaced}))
            db.executemany("DELETE FROM intent WHERE prefix = ?", [(name,) for name in names])
            db.executemany(
                "INSERT INTO intent (prefix, mode, owner, reason, since, until, forced) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [row for row in new if row[1] != Mode.AUTO],
            )
            db.executemany(
                "DELETE FROM damping WHERE prefix = ?",
                [(str(prefix),) for prefix, intent in intents.items() if intent.restores],
            )
            db.executemany(
                "UPDATE owned SET up = 1 WHERE prefix = ?", [(str(prefix),) for prefix in up]
            )
            self._tell(
                db,
                [
                    HistoryEntry(when.since, str(p), i.mode, told(i, replaced.get(p)))
                    for (p, i), when in zip(intents.items(), asked.values(), strict=True)
                ],
            )
        self._rows.expect(dict(zip(new, intents.items(), strict=True)))
        self._intents_version = -1
        return replaced

    def advance(
        self, ended: Mapping[Prefix, StageEnd], now: float, *, wait: float = BUSY
    ) -> Collection[Prefix]:
        """Record the ends of stages and what follows them, in history too. Return those for which that was so still.

        What an operator, or another process, has recorded since holds.

        Args:
            ended: by prefix.
            now: seconds since the epoch.
            wait: how long another program may hold the file, in seconds.
        """
        with self._connections.writing(wait) as db:
            done = [p for p, end in ended.items() if follow(db, p, end)]
            _replace(db, "drain", done, _drain_rows({p: ended[p].progress for p in done}))
            self._tell(db, [ended[p].entry(p, now) for p in done])
        self._intents_version = -1
        return done

    def own(self, prefixes: Iterable[Prefix], *, wait: float = BUSY) -> None:
        """Record prefixes as ours, before any of them is announced. See `record` for `wait`."""
        with self._connections.writing(wait) as db:
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
        with self._connections.writing(wait) as db:
            db.executemany(
                "UPDATE owned SET route = ?, up = ? WHERE prefix = ?",
                [(state.column, int(state.up), str(p)) for p, state in news.owned.items()],
            )
            _replace(db, "health", news.health, _health_rows(news.health))
            _replace(db, "damping", news.damping, _damping_rows(news.damping))
            _replace(db, "drain", news.drains, _drain_rows(news.drains))
            for table in ("owned", "health", "damping", "drain"):
                _replace(db, table, news.gone, [])
            self._tell(db, news.history)
            if news.expired is not None:
                known = self._rows.read(fetched(db, INTENTS)).of
                ended = {p: i for p, i in known.items() if not i.in_force(news.expired)}
                self._tell(db, _ended(db, ended))

    def _tell(self, db: sqlite3.Connection, history: Iterable[HistoryEntry]) -> None:
        """Add to history; forget what is beyond the number that is kept, or older than what is kept."""
        add_history(db, history, self.keep)


# --- rows to be written --------------------------------------------------------------------------


def _replace(
    db: sqlite3.Connection, table: str, prefixes: Iterable[Prefix], new: list[rows.Row]
) -> None:
    """Replace all rows of some prefixes."""
    db.executemany(
        f"DELETE FROM {table} WHERE prefix = ?",  # noqa: S608 - one of four names
        [(str(prefix),) for prefix in prefixes],
    )
    if new:
        marks = ", ".join("?" * len(new[0]))
        db.executemany(f"INSERT INTO {table} VALUES ({marks})", new)  # noqa: S608 - one of four names


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


def _drain_rows(drains: Mapping[Prefix, Progress | None]) -> list[rows.Row]:
    return [rows.of_drain(p, progress) for p, progress in drains.items() if progress is not None]


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


__all__ = ["Intents", "News", "Owned", "Remembered", "StageEnd", "Store", "StoreError"]
