"""The lines of history: what each tells, and their order."""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

from policy.intent import is_time
from speaker.api import HistoryEntry
from speaker.state.remembered import HISTORY_ROWS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from policy.intent import Intent
    from policy.route import Prefix

NEAR = 5.0
"""For how long something that was done may wait to be recorded, in seconds. Usually it is less."""
LAST = 1000
"""So many lines stay, however old they are."""


def told(intent: object, replaced: Intent | None) -> str:
    """Return the reason for an intent's line: with the intent that it replaces, if any is in force."""
    return str(intent) if replaced is None else f"{intent}; was {replaced}"


def expiry(prefix: Prefix, intent: Intent) -> HistoryEntry:
    """Return the line for an intent that ended by itself, at the time at which it did."""
    return HistoryEntry(intent.until or intent.since, str(prefix), "expired", str(intent))


def in_order(newest_first: Iterable[tuple[float, str, str, str]]) -> list[HistoryEntry]:
    """Return lines in the order of time, as far as that can be told from the order of recording.

    What a watchdog does is recorded a moment later, and may stand after an intent that came
    meanwhile. Else what was recorded later is later: the clock may have been set back.
    """
    lines: list[HistoryEntry] = []
    begun = 0  # from there on they are in the order of time: before it the clock was set back
    for line in [HistoryEntry(*row) for row in newest_first if _has_sense(row)][::-1]:
        if lines and lines[-1].time - line.time > NEAR:
            begun = len(lines)
        lines.insert(bisect_right(lines, line.time, begun, key=attrgetter("time")), line)
    return lines


def _has_sense(row: tuple[object, ...]) -> bool:
    """Tell whether a row of the file, which others may write, is a line of history."""
    time, *texts = row
    return isinstance(time, float) and is_time(time) and all(isinstance(t, str) for t in texts)


def add_history(
    db: sqlite3.Connection, history: Iterable[HistoryEntry], keep: float | None
) -> None:
    """Add lines; forget those beyond the number that is kept, and those that are too old.

    How old a line is, the newest that is added says: those before it go, up to the first that is not older.
    The last lines stay, however old: a clock that is set ahead for a moment takes no history along.

    Args:
        db: the file, in a transaction.
        history: the new lines.
        keep: for how long, in seconds; None forgets none by its age.
    """
    lines = [(entry.time, entry.prefix, entry.event, entry.reason) for entry in history]
    db.executemany("INSERT INTO history (time, prefix, event, reason) VALUES (?, ?, ?, ?)", lines)
    if not lines:
        return
    _forget_beyond(db)
    if keep is None:
        return
    oldest = max(line[0] for line in lines) - keep
    db.execute(
        "DELETE FROM history WHERE id < (SELECT id FROM history WHERE time >= ? ORDER BY id LIMIT 1) "
        "AND id <= (SELECT max(id) FROM history) - ?",
        [oldest, LAST],
    )


def _forget_beyond(db: sqlite3.Connection) -> None:
    """Forget the oldest lines of too many. Those that were forgotten before leave gaps in the numbers, and take no room."""
    newest, oldest = db.execute(
        "SELECT (SELECT max(id) FROM history), (SELECT min(id) FROM history)"
    ).fetchone()
    if newest - oldest < HISTORY_ROWS:
        return
    (count,) = db.execute("SELECT count(*) FROM history").fetchone()
    if count > HISTORY_ROWS:
        oldest = "SELECT id FROM history ORDER BY id LIMIT ?"
        db.execute(f"DELETE FROM history WHERE id IN ({oldest})", [count - HISTORY_ROWS])  # noqa: S608 - a query of ours
