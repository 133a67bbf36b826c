"""Intents, what we own, and history, in one SQLite file that outlives every process.

Several processes may use it: the watchdog, and `vip_mgmt` where no watchdog runs. A write is on
the disk when the call returns. Several threads may, too: what is called in one waits there until
what was called in another has ended, and a reading does not wait for a write.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from speaker.state import rows
from speaker.state.access import StoreError
from speaker.state.database import transaction
from speaker.state.fetched import Fetcher, fetched
from speaker.state.history import in_order
from speaker.state.remembered import News, Remembered
from speaker.state.reports import Given, end_report, put_report
from speaker.state.rows import INTENTS, Intents, Owned
from speaker.state.site_rows import read_copy
from speaker.state.site_store import SiteStore
from speaker.state.stages import StageEnd, follow
from speaker.state.waits import BUSY, BUSY_READING
from speaker.state.windows import put_window, run_window, take_window
from speaker.state.writing import (
    damping_rows,
    drain_rows,
    ended,
    health_rows,
    put_intents,
    replace,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from policy.health import Service, ServiceMemory
    from policy.intent import Intent
    from policy.route import Prefix
    from policy.window import Window
    from speaker.api import HistoryEntry

NEWEST, NEWEST_SINCE = 200, 10_000
"""How many entries of history are told of at most: without a time, and since a time."""
SHOWN = 10_000
"""How many letters of a text of history are read: who may write the file may have put millions there."""
_TEXTS = ", ".join(f"substr({text}, 1, {SHOWN})" for text in ("prefix", "event", "reason"))
_NEWEST = f"SELECT time, {_TEXTS} FROM history {{}} ORDER BY id DESC LIMIT ?2"  # noqa: S608 - names of columns


class Store(SiteStore):
    """The state file.

    Raises:
        StoreError: from every method, where the file can't be read or written.

    Args:
        path: the file.
        in_memory_copy: work on a copy in memory; the file stays as it is, or is not made.
        most_wait: no call waits longer than this for another program that holds the file, in seconds.
    """

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
            intents = self._reader.read(db)
            faults += read_copy(db).faults
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
                if (self._connections.openings, version) != self._intents_version:
                    self._intents = self._reader.read(db)
                    self._intents_version = self._connections.openings, version
            return self._intents

    def history(
        self,
        about: Collection[Prefix | str],
        limit: int | None = None,
        since: float | None = None,
    ) -> list[HistoryEntry]:
        """Return the newest entries of some prefixes and reports (`report/NAME`), or of all where none is given, oldest first.

        By default 200 of them, or 10,000 where there is a time since when (seconds since the epoch).

        Newest is what was recorded last: the watchdog records what it did a moment later, and an
        operator's intent before anything is done. What is returned is in the order of time.
        """
        names = json.dumps([str(each) for each in about])  # SQLite takes few parameters
        wanted = ["prefix IN (SELECT value FROM json_each(?1))"] * bool(about)
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
        with self._connections.writing(wait) as db:
            found = put_intents(db, self._reader.now.read(fetched(db, INTENTS)), intents, up)
            self._tell(db, found.history)
        self._reader.now.expect(found.rows)
        self._intents_version = None
        return found.replaced

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
            replace(db, "drain", done, drain_rows({p: ended[p].progress for p in done}))
            self._tell(db, [ended[p].entry(p, now) for p in done])
        self._intents_version = None
        return done

    def schedule(self, window: Window, *, wait: float = BUSY) -> Window:
        """Record a window, in history too. Return it with the number that it is called by.

        Raises:
            StoreError: there are too many, too.
        """
        with self._connections.writing(wait) as db:
            window, lines = put_window(db, window)
            self._tell(db, lines)
        self._intents_version = None
        return window

    def cancel(self, number: int, who: str, now: float, *, wait: float = BUSY) -> Window | None:
        """Remove a window that has not begun, or was missed. Return it, None where there is none (any more).

        Args:
            number: what it is called.
            who: who wants that, for history.
            now: seconds since the epoch.
            wait: how long another program may hold the file, in seconds.
        """
        with self._connections.writing(wait) as db:
            window, lines = take_window(db, number, who, now)
            self._tell(db, lines)
        self._intents_version = None
        return window

    def run_windows(self, numbers: Iterable[int], now: float, *, wait: float = BUSY) -> bool:
        """Begin those of some windows whose time has come, and note those that were missed: each once, by whichever process.

        Return whether anything came of it. See `cancel` for `now` and `wait`.
        """
        with self._connections.writing(wait) as db:
            lines = [run_window(db, self._reader.now, number, now) for number in numbers]
            for each in lines:
                self._tell(db, each)
        self._intents_version = None
        return any(lines)

    def report(self, given: Iterable[tuple[str, Given]], *, wait: float = BUSY) -> None:
        """Record what applications said, with the names of the reports, all or none. See `cancel` for `wait`."""
        with self._connections.writing(wait) as db:
            for name, each in given:
                self._tell(db, put_report(db, self._reader.now, name, each))
        self._intents_version = None

    def end_reports(
        self, reports: Iterable[tuple[str, float]], now: float, *, wait: float = BUSY
    ) -> None:
        """Note that reports hold no more, each once, by whichever process. See `cancel` for `now` and `wait`.

        Args:
            reports: their names, and when each was reported: a later one stays.
            now: seconds since the epoch.
            wait: how long another program may hold the file, in seconds.
        """
        with self._connections.writing(wait) as db:
            for name, at in reports:
                self._tell(db, end_report(db, name, at, now))
        self._intents_version = None

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
            replace(db, "health", news.health, health_rows(news.health))
            replace(db, "damping", news.damping, damping_rows(news.damping))
            replace(db, "drain", news.drains, drain_rows(news.drains))
            for table in ("owned", "health", "damping", "drain"):
                replace(db, table, news.gone, [])
            self._tell(db, news.history)
            if news.expired is not None:
                known = self._reader.now.read(fetched(db, INTENTS)).of
                over = {p: i for p, i in known.items() if not i.in_force(news.expired)}
                self._tell(db, ended(db, over))


__all__ = ["Given", "Intents", "News", "Owned", "Remembered", "StageEnd", "Store", "StoreError"]
