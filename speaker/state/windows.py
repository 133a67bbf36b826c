"""Planned drains in the state file: recorded, cancelled, begun or missed, each wholly or not at all, once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from policy.window import Moment, Window
from policy.wording import count
from speaker.api import HistoryEntry
from speaker.state.access import NoMoreError
from speaker.state.fetched import fetched
from speaker.state.reports import read_reports
from speaker.state.rows import INTENTS, IntentReader, Intents, parsed
from speaker.state.site_rows import owned, read_unread
from speaker.state.writing import put_intents

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from policy.route import Prefix
    from speaker.state.rows import Row

MAX_WINDOWS, MAX_TEXT = 200, 1 << 23
"""How many there may be, and how many letters all their prefixes may have: a window of 100,000 IPv6 hosts has half."""
_COLUMNS = "number, prefixes, mode, owner, made, at, reason, seconds, late, missed"
_WINDOWS = f"SELECT {_COLUMNS} FROM planned ORDER BY number"  # noqa: S608 - names of columns
_INSERT = f"INSERT INTO planned ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - as above


class IntentsReader:
    """Reads all that operators want, now and later. What was read before costs next to nothing."""

    def __init__(self) -> None:
        self.now = IntentReader()
        self._known: dict[Row, tuple[int, Window]] = {}

    def read(self, db: sqlite3.Connection) -> Intents:
        """Return the intents and the windows of a file, in a transaction, and whether the orders of the site were ever read."""
        found = self.now.read(fetched(db, INTENTS))
        faults: list[str] = []
        self._known = {
            row: self._known.get(row) or pair
            for row, pair in _windows(fetched(db, _WINDOWS), faults, self._known)
        }
        windows = tuple(window for _, window in self._known.values())
        reports = read_reports(db, faults)
        return replace(
            found,
            windows=windows,
            reports=reports,
            faults=(*found.faults, *faults),
            unread=read_unread(db),
        )


def _windows(
    rows: Sequence[Row], faults: list[str], known: Mapping[Row, tuple[int, Window]]
) -> list[tuple[Row, tuple[int, Window]]]:
    """Return what rows mean, each with its row; what makes no sense is added to the faults."""
    found = []
    for row in rows:
        for pair in parsed("planned", [row], lambda r: known.get(r) or _window(r), faults):
            found.append((row, pair))  # noqa: PERF401 - of one that makes no sense there is none
    return found


def _window(row: Row) -> tuple[int, Window]:
    """Parse the columns."""
    number, prefixes, mode, *more = row
    names = json.loads(prefixes)
    if not isinstance(names, list) or not isinstance(number, int):
        raise TypeError("prefixes: not a list, or not a number that it is called by")
    return number, Window(number, frozenset(map(parse_prefix, names)), Mode(mode), *more)


def _of_window(window: Window) -> Row:
    names = json.dumps(sorted(map(str, window.prefixes)))
    told = names, window.mode, window.owner, window.made, window.at, window.reason
    return (window.number or None, *told, window.seconds, window.late, window.missed)


def put_window(db: sqlite3.Connection, window: Window) -> tuple[Window, Sequence[HistoryEntry]]:
    """Record a window. Return it with its number, and the lines of history.

    Raises:
        NoMoreError: there are too many.
    """
    number, text = db.execute("SELECT count(*), sum(length(prefixes)) FROM planned").fetchone()
    row = _of_window(window)
    if number >= MAX_WINDOWS or (text or 0) + len(row[1]) > MAX_TEXT:
        raise NoMoreError(
            f"state: {count(number, 'window', 'planned')}, and no more fit; vip_mgmt schedule"
        )
    number = db.execute(_INSERT, row).lastrowid
    window = replace(window, number=number or 0)
    return window, _lines(window, "scheduled", window.made, str(window))


def take_window(
    db: sqlite3.Connection, number: int, who: str, now: float
) -> tuple[Window | None, Sequence[HistoryEntry]]:
    """Remove a window that has not begun, or one that was missed. Return it, None where there is none."""
    window = _found(db, number)
    if window is None:
        return None, ()
    _remove(db, number)
    if window.missed is not None:
        return window, ()  # which history has
    return window, _lines(window, "cancelled", now, f"by {who}; was {window}")


def run_window(
    db: sqlite3.Connection, reader: IntentReader, number: int, now: float
) -> Sequence[HistoryEntry]:
    """Begin a window whose time has come, or note that it was missed. Return the lines of history.

    It is looked at once more: another process may have done it, or an operator cancelled it.
    """
    window = _found(db, number)
    if window is None or window.missed is not None:
        return ()
    match window.moment(now):
        case Moment.DUE:
            return _begin(db, reader, window, now)
        case Moment.OVER:
            db.execute("UPDATE planned SET missed = ? WHERE number = ?", [now, number])
            return _lines(window, "missed", now, f"nothing ran in time: {window}")
        case _:
            return ()


def _begin(
    db: sqlite3.Connection, reader: IntentReader, window: Window, now: float
) -> Sequence[HistoryEntry]:
    known = reader.read(fetched(db, INTENTS))
    own = owned(db, known.of, window.prefixes)  # as a roll's: that lasts no longer than its turn
    asked: dict[Prefix, Intent] = {}
    lines: list[HistoryEntry] = []
    for prefix in sorted(window.prefixes, key=str):
        current = None if prefix in own else known.of.get(prefix)
        wanted = window.begins(current, now)
        if wanted is not None:
            asked[prefix] = wanted
        stays = "" if wanted is not None else f"; stays {current}"
        lines.append(HistoryEntry(now, str(prefix), "started", f"{window}{stays}"))
    put = put_intents(db, known, asked)
    _remove(db, window.number)
    return [*lines, *put.history]


def _found(db: sqlite3.Connection, number: int) -> Window | None:
    query = f"SELECT {_COLUMNS} FROM planned WHERE number = ?"  # noqa: S608 - names of columns
    return next((window for _, (_, window) in _windows(fetched(db, query, [number]), [], {})), None)


def _remove(db: sqlite3.Connection, number: int) -> None:
    db.execute("DELETE FROM planned WHERE number = ?", [number])


def _lines(window: Window, event: str, when: float, text: str) -> Sequence[HistoryEntry]:
    return [HistoryEntry(when, str(p), event, text) for p in sorted(window.prefixes, key=str)]
