"""The versions of the state file: what makes each of the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.state.access import LOST, MOVED_AWAY, StoreError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

STEPS = (
    """
CREATE TABLE intent (
  prefix TEXT PRIMARY KEY, mode TEXT NOT NULL, owner TEXT NOT NULL, reason TEXT NOT NULL,
  since REAL NOT NULL, until REAL
) STRICT;
CREATE TABLE owned (prefix TEXT PRIMARY KEY, route TEXT NOT NULL, up INTEGER NOT NULL) STRICT;
CREATE TABLE health (
  prefix TEXT NOT NULL, service TEXT NOT NULL, up INTEGER NOT NULL, turning_since REAL,
  PRIMARY KEY (prefix, service)
) STRICT;
CREATE TABLE history (
  id INTEGER PRIMARY KEY, time REAL NOT NULL, prefix TEXT NOT NULL, event TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE INDEX history_by_prefix ON history (prefix, id);
""",
    """
ALTER TABLE health ADD COLUMN gone_since REAL;
ALTER TABLE health ADD COLUMN proven_at REAL;
CREATE TABLE damping (
  prefix TEXT PRIMARY KEY, penalty REAL NOT NULL, at REAL NOT NULL, damped INTEGER NOT NULL,
  up INTEGER NOT NULL
) STRICT;
""",
    """
ALTER TABLE intent ADD COLUMN forced INTEGER NOT NULL DEFAULT 0;
CREATE TABLE drain (
  prefix TEXT PRIMARY KEY, stage TEXT NOT NULL, of REAL NOT NULL, began REAL NOT NULL,
  quiet_since REAL, connections INTEGER
) STRICT;
""",
    """
CREATE TABLE planned (
  number INTEGER PRIMARY KEY AUTOINCREMENT, prefixes TEXT NOT NULL, mode TEXT NOT NULL, owner TEXT NOT NULL,
  made REAL NOT NULL, at REAL NOT NULL, reason TEXT NOT NULL, seconds REAL, late REAL NOT NULL, missed REAL
) STRICT;
""",
    """
ALTER TABLE intent ADD COLUMN insisted INTEGER NOT NULL DEFAULT 0;
CREATE TABLE report (
  name TEXT PRIMARY KEY, state TEXT NOT NULL, by TEXT NOT NULL, at REAL NOT NULL, ttl REAL NOT NULL,
  reason TEXT NOT NULL, weight REAL NOT NULL, ended REAL, begun TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE site_intent (
  prefix TEXT NOT NULL, dc TEXT NOT NULL, machine TEXT NOT NULL, intents TEXT NOT NULL, ends REAL,
  dirty INTEGER NOT NULL, shared INTEGER NOT NULL, PRIMARY KEY (prefix, dc, machine)
) STRICT, WITHOUT ROWID;
CREATE TABLE site_obeyed (
  prefix TEXT PRIMARY KEY, id TEXT NOT NULL, owner TEXT NOT NULL, since REAL NOT NULL, until REAL
) STRICT, WITHOUT ROWID;
CREATE TABLE site_read (one INTEGER PRIMARY KEY, at REAL NOT NULL) STRICT;
CREATE TABLE site_member (
  dc TEXT NOT NULL, machine TEXT NOT NULL, seen REAL NOT NULL, PRIMARY KEY (dc, machine)
) STRICT, WITHOUT ROWID;
""",
)
"""What makes each version of the one before it. One that was released is never changed."""
SCHEMA_VERSION = len(STEPS)


def renew(path: Path, db: sqlite3.Connection, *, may_be_empty: bool = True) -> None:
    """Bring a file to its newest version, in a transaction.

    Args:
        path: what it is called.
        db: the file.
        may_be_empty: whether an empty one gets its tables.

    Raises:
        StoreError: it is of a newer program, or empty.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == 0 and not may_be_empty:
        raise StoreError(f"state: {path}: is empty; {LOST}")
    if not 0 <= version <= SCHEMA_VERSION:
        raise StoreError(
            f"state: {path}: has version {version}, this program knows "
            f"{SCHEMA_VERSION}; use the newer program, or {MOVED_AWAY}"
        )
    if version < SCHEMA_VERSION:
        for statement in ";".join(STEPS[version:]).split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
