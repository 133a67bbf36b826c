"""What may go wrong with the state file, and the remedy: each fault of it is a StoreError."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.files.directory_owner import DirectoryError, as_owner
from speaker.printable import reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Identity = tuple[int, int]


class StoreError(SpeakerError):
    """The state file can't be used. Nothing was changed."""


class NoMoreError(StoreError):
    """The state file is well, and takes no more of that. Nothing was changed."""


def identity(path: Path) -> Identity | None:
    """Return what tells a file from another one of its name: device and inode. None for no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)


def is_spent(error: sqlite3.Error) -> bool:
    """Tell whether a connection may be of no more use, whatever becomes of its file.

    The file could only be read when it was opened; or what was read was damaged, and is kept.
    """
    return getattr(error, "sqlite_errorcode", 0) & 0xFF not in _PASSING


_MOVED = "it was moved or removed; restart vip_watchdog, and drain again what was drained"
_REMEDY = "its directory must be writable for this user, and node.state names it"
_READ_ONLY = "it, its directory or its file system is read-only for this user; no intent can be recorded until that is fixed"
_FULL = "make room on its file system (df), or in the quota of its owner"
_HELD = "another program holds it, such as a backup: stop it"
MOVED_AWAY = "move it away and drain again what it had as drained"
LOST = f"put a copy of it back, or {MOVED_AWAY}"
_FOREIGN = f"it has a table, a view or a trigger that this program does not make; {LOST}"
_ENDLESS = f"reading it takes too many steps, as of a file that is damaged; {LOST}"
_REMEDIES = {
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_IOERR_DELETE: _READ_ONLY,  # of a journal, whose directory became so meanwhile
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
    sqlite3.SQLITE_NOTADB: LOST,
    sqlite3.SQLITE_INTERRUPT: _ENDLESS,
    sqlite3.SQLITE_TOOBIG: LOST,
    sqlite3.SQLITE_AUTH: _FOREIGN,
    sqlite3.SQLITE_ERROR: _FOREIGN,  # it lacks one, or a view there calls what no view may call
    sqlite3.SQLITE_CONSTRAINT: _FOREIGN,
    sqlite3.SQLITE_CORRUPT: LOST,
    sqlite3.SQLITE_READONLY_DBMOVED: _MOVED,
    sqlite3.SQLITE_FULL: _FULL,
}
"""What to do about a fault of the file, by SQLite's code."""


def moved(path: Path) -> StoreError:
    """Return the error of a file that is another one than was opened."""
    return StoreError(f"state: {path}: {_MOVED}")


def _remedy(path: Path, code: int, was: Identity | None) -> str:
    """Return what to do about a fault.

    SQLite takes a file for moved that it can't look for either, such as in a directory of mode 0.
    """
    if code == sqlite3.SQLITE_READONLY_DBMOVED and not _is_moved(path, was):
        return _READ_ONLY
    return _REMEDIES.get(code) or _REMEDIES.get(code & 0xFF, _REMEDY)


def _is_moved(path: Path, was: Identity | None) -> bool:
    try:
        return identity(path) != was
    except OSError:
        return False


@contextmanager
def access(path: Path, was: Identity | None = None) -> Iterator[None]:
    """Use the file, as root as its directory's owner; raise what goes wrong as StoreError.

    Args:
        path: the file.
        was: which it was when it was opened.
    """
    try:
        with as_owner(path.parent):
            yield
    except DirectoryError as error:
        raise StoreError(f"state: {error}") from error
    except UnicodeDecodeError as error:  # of what SQLite says, where it quotes a damaged file
        raise StoreError(f"state: {path}: damaged: {error.reason}; {LOST}") from error
    except (sqlite3.Error, OSError) as error:
        code = getattr(error, "sqlite_errorcode", 0)
        raise StoreError(f"state: {path}: {reason(error)}; {_remedy(path, code, was)}") from error
