"""The end of a stage of a soft drain, as it is recorded: where nobody has recorded anything else meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from speaker.api import HistoryEntry

if TYPE_CHECKING:
    import sqlite3

    from policy.drain import Progress
    from policy.intent import Intent
    from policy.route import Prefix


class StageEnd(NamedTuple):
    """The intent that a stage was of, the one that follows (None for none), what to remember of it, and why."""

    before: Intent
    after: Intent | None
    progress: Progress | None
    why: str

    def entry(self, prefix: Prefix, now: float) -> HistoryEntry:
        """Return the line of history. `now` is seconds since the epoch."""
        if self.after is None:
            return HistoryEntry(now, str(prefix), "auto", f"{self.why}; was {self.before}")
        return HistoryEntry(now, str(prefix), self.after.mode, f"{self.after}; {self.why}")


def follow(db: sqlite3.Connection, prefix: Prefix, end: StageEnd) -> bool:
    """Have the next intent in force, if the file still has the one before. Return whether it had."""
    # Who asks again may insist, or no longer, in a stage that goes on: its end must be of that word.
    insisted = int(end.before.insisted)
    row = [str(prefix), end.before.mode, end.before.owner, end.before.since, insisted]
    where = "WHERE prefix = ? AND mode = ? AND owner = ? AND since = ? AND insisted = ?"
    if end.after is None:
        done = db.execute(f"DELETE FROM intent {where}", row)  # noqa: S608 - of the line above
    else:
        new = [end.after.mode, int(end.after.forced), int(end.after.insisted)]
        update = f"UPDATE intent SET mode = ?, forced = ?, insisted = ? {where}"  # noqa: S608 - of the line above
        done = db.execute(update, [*new, *row])
    return done.rowcount > 0
