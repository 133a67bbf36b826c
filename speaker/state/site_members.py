"""Which machines of the site there are, and when each was known to live last: so that one that dies is missed after a restart, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import is_time
from policy.site_intent import Extent

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

MOST = 500
"""How many machines are remembered at most: those that were seen last."""


def read_members(db: sqlite3.Connection) -> dict[Extent, float]:
    """Return the machines that are remembered, and when each was seen last (seconds since the epoch)."""
    found = db.execute(
        "SELECT dc, machine, seen FROM site_member ORDER BY seen DESC LIMIT ?", [MOST]
    )
    return {
        Extent(dc, machine): seen for dc, machine, seen in found if dc and machine and is_time(seen)
    }


def note_members(db: sqlite3.Connection, seen: Mapping[Extent, float], before: float) -> None:
    """Remember when machines were seen last, and forget those that were not since a time.

    Args:
        db: the file.
        seen: when each machine was, in seconds since the epoch.
        before: who was seen last before that is forgotten.
    """
    db.executemany(
        "INSERT OR REPLACE INTO site_member (dc, machine, seen) VALUES (?, ?, ?)",
        [(each.dc, each.machine, at) for each, at in seen.items()],
    )
    db.execute("DELETE FROM site_member WHERE seen < ?", [before])
    db.execute(
        "DELETE FROM site_member WHERE (dc, machine) NOT IN "
        "(SELECT dc, machine FROM site_member ORDER BY seen DESC LIMIT ?)",
        [MOST],
    )
