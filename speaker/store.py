"""Intents, what we own, and history, in one SQLite file that outlives every process.

Several processes may use it: the watchdog, and `vip_mgmt` where no watchdog runs. A write is on
the disk when the call returns.
"""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from policy.damping import Damping
from policy.health import Service, ServiceMemory
from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker.store_file import StoreError, copy, errors, opened, reading, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from policy.route import Prefix

HISTORY_ROWS = 100_000
_NEWEST = "SELECT time, prefix, event, reason FROM history {} ORDER BY id DESC LIMIT ?2"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of history. `event` is announced, withdrawn, or an intent's mode."""

    time: float
    prefix: str
    event: str
    reason: str

    def as_json(self) -> dict[str, float | str]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Owned:
    """A prefix of ours: its route when last confirmed, and whether its health was good when last known.

    The route is text, empty where the prefix was withdrawn: it is compared and shown, and not
    parsed. An operator's drain changes the route, and not `up`.
    """

    route: str = ""
    up: bool = False


class Store:
    """The state file.

    Raises:
        StoreError: from every method, where the file can't be read or written.
    """

    def __init__(self, path: Path, *, rehearse: bool = False) -> None:
        """Open the file, and make it where there is none.

        Args:
            path: the file.
            rehearse: work on a copy in memory; the file stays as it is, or is not made.
        """
        self._path = path
        with errors(path):
            self._db = copy(path) if rehearse else opened(path)
            self._reading = self._db if rehearse else reading(path)
        self._intents: dict[Prefix, Intent] = {}
        self._intents_version = -1

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with errors(self._path), transaction(self._db):
            yield self._db

    def close(self) -> None:
        """Close the file."""
        self._reading.close()
        self._db.close()

    # --- intents ---------------------------------------------------------------------------

    def intents(self) -> Mapping[Prefix, Intent]:
        """Return all intents, expired ones too. Cheap where nothing has changed."""
        with errors(self._path):
            (version,) = self._reading.execute("PRAGMA data_version").fetchone()
            if version != self._intents_version:
                rows = self._reading.execute(
                    "SELECT prefix, mode, owner, reason, since, until FROM intent"
                ).fetchall()
                self._intents = {
                    parse_prefix(prefix): Intent(Mode(mode), owner, since, reason, until)
                    for prefix, mode, owner, reason, since, until in rows
                }
                self._intents_version = version
            return self._intents

    def set_intents(self, intents: Mapping[Prefix, Intent], up: Iterable[Prefix] = ()) -> None:
        """Record intents, all or none, in history too. One of mode auto lifts what was there.

        Whoever wants a prefix announced forgives its flapping.

        Args:
            intents: what the operator wishes.
            up: prefixes of ours that are taken to be up from now on.
        """
        rows = [
            (str(prefix), intent.mode, intent.owner, intent.reason, intent.since, intent.until)
            for prefix, intent in intents.items()
        ]
        with self._writing() as db:
            db.executemany("DELETE FROM intent WHERE prefix = ?", [row[:1] for row in rows])
            db.executemany(
                "INSERT INTO intent (prefix, mode, owner, reason, since, until) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [row for row in rows if row[1] != Mode.AUTO],
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
                    Entry(intent.since, str(prefix), intent.mode, str(intent))
                    for prefix, intent in intents.items()
                ],
            )
        self._intents_version = -1

    # --- what we own -----------------------------------------------------------------------

    def owned(self) -> dict[Prefix, Owned]:
        """Return the prefixes that are ours."""
        with errors(self._path):
            rows = self._db.execute("SELECT prefix, route, up FROM owned").fetchall()
            return {parse_prefix(prefix): Owned(route, bool(up)) for prefix, route, up in rows}

    def own(self, prefixes: Iterable[Prefix]) -> None:
        """Record prefixes as ours, before any of them is announced."""
        with self._writing() as db:
            db.executemany(
                "INSERT INTO owned (prefix, route, up) VALUES (?, '', 0) ON CONFLICT DO NOTHING",
                [(str(prefix),) for prefix in prefixes],
            )

    def disown(self, prefixes: Iterable[Prefix]) -> None:
        """Forget prefixes that are not ours any more, after they were withdrawn."""
        rows = [(str(prefix),) for prefix in prefixes]
        with self._writing() as db:
            db.executemany("DELETE FROM owned WHERE prefix = ?", rows)
            db.executemany("DELETE FROM health WHERE prefix = ?", rows)
            db.executemany("DELETE FROM damping WHERE prefix = ?", rows)

    def confirm(self, owned: Mapping[Prefix, Owned], history: Iterable[Entry] = ()) -> None:
        """Record what was confirmed of prefixes of ours, and what led to it."""
        with self._writing() as db:
            db.executemany(
                "UPDATE owned SET route = ?, up = ? WHERE prefix = ?",
                [(state.route, int(state.up), str(prefix)) for prefix, state in owned.items()],
            )
            _add_history(db, history)

    # --- health ----------------------------------------------------------------------------

    def health(self) -> dict[Prefix, dict[Service, ServiceMemory]]:
        """Return what was remembered of each prefix's services."""
        with errors(self._path):
            rows = self._db.execute(
                "SELECT prefix, service, up, turning_since, gone_since, proven_at FROM health"
            ).fetchall()
            memory: dict[Prefix, dict[Service, ServiceMemory]] = {}
            for prefix, service, up, *times in rows:
                services = memory.setdefault(parse_prefix(prefix), {})
                services[Service.parse(service)] = ServiceMemory(bool(up), *times)
            return memory

    def remember(self, memory: Mapping[Prefix, Mapping[Service, ServiceMemory]]) -> None:
        """Record what is to be remembered of some prefixes' services."""
        with self._writing() as db:
            db.executemany(
                "DELETE FROM health WHERE prefix = ?", [(str(prefix),) for prefix in memory]
            )
            db.executemany(
                "INSERT INTO health (prefix, service, up, turning_since, gone_since, proven_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (
                        str(prefix),
                        str(service),
                        int(state.up),
                        state.turning_since,
                        state.gone_since,
                        state.proven_at,
                    )
                    for prefix, services in memory.items()
                    for service, state in services.items()
                ],
            )

    def damping(self) -> dict[Prefix, Damping]:
        """Return what was remembered of the prefixes that flapped."""
        with errors(self._path):
            rows = self._db.execute("SELECT prefix, penalty, at, damped, up FROM damping")
            return {
                parse_prefix(prefix): Damping(penalty, at, bool(damped), bool(up))
                for prefix, penalty, at, damped, up in rows
            }

    def remember_damping(self, damping: Mapping[Prefix, Damping | None]) -> None:
        """Record what is to be remembered of prefixes that flapped; None forgets one."""
        with self._writing() as db:
            db.executemany(
                "DELETE FROM damping WHERE prefix = ?", [(str(prefix),) for prefix in damping]
            )
            db.executemany(
                "INSERT INTO damping (prefix, penalty, at, damped, up) VALUES (?, ?, ?, ?, ?)",
                [
                    (str(prefix), last.penalty, last.at, int(last.damped), int(last.up))
                    for prefix, last in damping.items()
                    if last is not None
                ],
            )

    # --- history ---------------------------------------------------------------------------

    def history(self, prefixes: Collection[Prefix], limit: int = 200) -> list[Entry]:
        """Return the newest entries of some prefixes, or of all where none is given, oldest first."""
        names = json.dumps([str(prefix) for prefix in prefixes])  # SQLite takes few parameters
        query = _NEWEST.format("WHERE prefix IN (SELECT value FROM json_each(?1))" * bool(prefixes))
        with errors(self._path), closing(self._reading.execute(query, [names, limit])) as rows:
            return [Entry(*row) for row in rows][::-1]

    def latest(self, prefixes: Iterable[Prefix], each: int) -> dict[Prefix, list[Entry]]:
        """Return the newest entries of each of some prefixes, so many at most, oldest first."""
        query = _NEWEST.format("WHERE prefix = ?1")
        with errors(self._path), closing(self._reading.cursor()) as rows:
            return {
                prefix: [Entry(*row) for row in rows.execute(query, [str(prefix), each])][::-1]
                for prefix in prefixes
            }


def _add_history(db: sqlite3.Connection, history: Iterable[Entry]) -> None:
    db.executemany(
        "INSERT INTO history (time, prefix, event, reason) VALUES (?, ?, ?, ?)",
        [(entry.time, entry.prefix, entry.event, entry.reason) for entry in history],
    )
    db.execute("DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?", [HISTORY_ROWS])


__all__ = ["Entry", "Owned", "Store", "StoreError"]
