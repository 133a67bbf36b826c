"""The state file itself: how it is opened, made and copied, and what may go wrong."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import ref

from speaker.state import versions
from speaker.state.access import LOST, StoreError
from speaker.state.journal import check_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_SIZE = 1 << 28
"""Bytes: with all the history that is kept, 100,000 VIPs have a quarter as many."""
MAX_VALUE = 1 << 24
"""Bytes of one value: the names of 100,000 prefixes, which a question has as one, have a third as many."""
MAX_STEPS, _STEPS_AT_ONCE = 1 << 27, 1 << 20
"""Steps of SQLite's in a transaction, of which recording 100,000 intents takes a tenth."""
MODE = 0o660  # ExaBGP's umask would keep its group, the operators, from recording a drain


def opened(path: Path, wait: float, *, may_be_empty: bool = True) -> sqlite3.Connection:
    """Open the file, which is there, and bring it to its newest version.

    Args:
        path: the file.
        wait: how long another program may hold it, in seconds.
        may_be_empty: whether an empty one is made a state file: one that was none before may just be put back.

    Raises:
        StoreError: it is of a newer program, or empty.
        OSError, sqlite3.Error: it can't be used.
    """
    _check_files(path)
    db = _connected(path, wait)
    try:
        _prepare(path, db, may_be_empty=may_be_empty)
    except BaseException:
        db.close()
        raise
    return db


def make(path: Path) -> None:
    """Make an empty file where there is none. It belongs to its directory's owner, also if root makes it."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, MODE)  # whatever the umask
    finally:
        os.close(descriptor)


def reading(path: Path, wait: float) -> sqlite3.Connection:
    """Open the file, which is there, only to read: a connection that waits to write lets no other in.

    Raises:
        OSError, sqlite3.Error: it can't be used.
    """
    _check_files(path)
    return _connected(path, wait)


def is_newest(db: sqlite3.Connection) -> bool:
    """Tell whether the file is of the newest version."""
    with transaction(db, "DEFERRED"):
        (version,) = db.execute("PRAGMA user_version").fetchone()
    return bool(version == versions.SCHEMA_VERSION)


def _check_files(path: Path) -> None:
    """Refuse a file of which reading takes more memory than is good, and what SQLite must not open beside it."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise StoreError(
            f"state: {path}: is not a regular file, and reading it may block; remove it"
        )
    if (size := found.st_size) > MAX_SIZE:
        raise StoreError(f"state: {path}: has {size} bytes, at most {MAX_SIZE} are read; {LOST}")
    check_beside(path)


class _Connection(sqlite3.Connection):
    """One that is closed at the latest when nothing holds it any more, and whose transactions end.

    Any other is closed then too, but since Python 3.13 with a warning.

    Attributes:
        file: of which it is; None in memory.
        steps: how many more a transaction may take.
    """

    file: Path | None = None
    steps = MAX_STEPS

    def step(self) -> bool:
        """Count steps; return whether there were too many."""
        self.steps -= _STEPS_AT_ONCE
        return self.steps < 0

    def __del__(self) -> None:
        """Close it, if it was ever open."""
        with suppress(sqlite3.ProgrammingError):
            self.close()


def _connected(path: Path | str, busy: float) -> _Connection:
    db = sqlite3.connect(
        path, timeout=busy, isolation_level=None, check_same_thread=False, factory=_Connection
    )
    db.file = None if path == ":memory:" else Path(path)
    db.text_factory = _text
    db.set_authorizer(_allow)
    db.set_progress_handler(_step_of(db), _STEPS_AT_ONCE)
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
    return db


def _step_of(db: _Connection) -> Callable[[], bool]:
    """Return what counts a connection's steps, and does not keep it from being closed."""
    weak = ref(db)

    def step() -> bool:
        held = weak()
        return held is not None and held.step()

    return step


# In SQLite's WAL mode, into which any user who may write a file can put it, processes share memory by a file
# beside it: who shortens that file kills them (SIGBUS). A connection that is to have the file alone while
# it begins to read shares none; a file in that mode is put back into the one that this program uses.
_ALONE, _BESIDE_OTHERS = "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA locking_mode = NORMAL"


def _begin(db: sqlite3.Connection, kind: str) -> None:
    if isinstance(db, _Connection):
        db.steps = MAX_STEPS
        if db.file is not None:
            check_beside(db.file)
    db.execute(_ALONE)
    try:
        db.execute(f"BEGIN {kind}")
        if _mode(db) == "wal":
            db.execute("ROLLBACK")
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute(f"BEGIN {kind}")
            _check_mode(_mode(db))
    except BaseException:
        _let_go(db)
        raise
    db.execute(_BESIDE_OTHERS)


def _mode(db: sqlite3.Connection) -> str:
    """Read the file, and return the mode that it has."""
    db.execute("PRAGMA user_version").fetchone()
    (mode,) = db.execute("PRAGMA journal_mode").fetchone()
    return str(mode)


def _check_mode(mode: str) -> None:
    if mode == "wal":
        raise sqlite3.OperationalError("another program keeps putting it into WAL mode")


def _let_go(db: sqlite3.Connection) -> None:
    """Unlock a file of which no transaction could begin, by one that only reads."""
    with suppress(sqlite3.Error):
        if not db.in_transaction:
            db.execute("BEGIN DEFERRED")
            db.execute("PRAGMA user_version").fetchone()
    db.execute(_BESIDE_OTHERS)
    if db.in_transaction:
        db.execute("ROLLBACK")


def _allow(
    action: int, _one: str | None, _two: str | None, _database: str | None, inner: str | None
) -> int:
    """Let SQLite read and write tables alone, and run nothing that was put into the file.

    A view or a trigger, of which `inner` is the name, may take the place of a table, and never end.
    """
    is_foreign = inner is not None or action == sqlite3.SQLITE_RECURSIVE
    return sqlite3.SQLITE_DENY if is_foreign else sqlite3.SQLITE_OK


def _text(found: bytes) -> str:
    """Return a text that may not be UTF-8: then it makes no sense, and its row alone is bad."""
    return found.decode("utf-8", "surrogateescape")


def copy(path: Path, wait: float) -> sqlite3.Connection:
    """Return a copy in memory, in the newest version. See `opened`."""
    db = _connected(":memory:", wait)
    try:
        if path.exists():
            _check_files(path)
            uri = f"{path.absolute().as_uri()}?mode=rw"  # which never makes it
            with closing(sqlite3.connect(uri, timeout=wait, uri=True)) as file:
                file.execute(_ALONE)
                file.backup(db)
        _prepare(path, db)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(path: Path, db: sqlite3.Connection, *, may_be_empty: bool = True) -> None:
    # A power cut after the commit must not lose it, nor the journal's directory entry.
    db.execute(_ALONE)
    db.execute("PRAGMA synchronous = EXTRA")
    with transaction(db):
        versions.renew(path, db, may_be_empty=may_be_empty)


@contextmanager
def transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Write all of what the context writes, on the disk when it ends; or nothing, where it raises.

    Args:
        db: the connection.
        kind: IMMEDIATE; or DEFERRED, where it is only read, as it was at one moment.
    """
    _begin(db, kind)
    try:
        yield
        db.execute("COMMIT")  # which fails, and may be tried again, while another one reads
    except BaseException:
        if db.in_transaction:  # a full disk ends it by itself
            db.execute("ROLLBACK")
        raise
