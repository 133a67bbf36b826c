"""What SQLite opens beside the state file: looked at before each transaction, because operators may put it there.

SQLite waits for a pipe that stands there in a file's place. And a journal may name another one, of a
transaction over several files: SQLite removes that, wherever it is, with the rights of who opens the
state file. Nothing that this program does makes such a journal.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from speaker.state.access import StoreError

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
"""The end of a journal that names another one, after the name, its length and its sum."""


def check_beside(path: Path) -> None:
    """Refuse what stands beside a state file and is not SQLite's own, for it alone.

    Args:
        path: the state file.

    Raises:
        StoreError: something is there that must not be.
        OSError: it can't be looked at.
    """
    with suppress(PermissionError):  # then SQLite can't open them either, and says so
        # Where the state file is a link, they stand beside what it leads to.
        for name in {path, path.resolve()} if path.is_symlink() else {path}:
            for suffix in ("-journal", "-wal"):
                _check(name.with_name(f"{name.name}{suffix}"))


def _check(beside: Path) -> None:
    try:
        found = beside.lstat()
        # To close another name of the state file would unlock that.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            raise StoreError(
                f"state: {beside}: is not a regular file of one name, as SQLite makes it; remove it"
            )
        if found.st_size < len(_MAGIC) or not beside.name.endswith("-journal"):
            return
        descriptor = os.open(beside, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        end = os.pread(descriptor, len(_MAGIC), max(0, os.fstat(descriptor).st_size - len(_MAGIC)))
    finally:
        os.close(descriptor)
    if end == _MAGIC:
        raise StoreError(
            f"state: {beside}: names another journal, which SQLite would remove; remove this one"
        )
