"""The kernel's lock of a file or directory, which one open descriptor has at a time, and which ends with it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

LOCKS = Path("/proc/locks")
"""Where the kernel tells who has which lock."""
MOST = 1 << 20
"""Bytes of it that are read: others may hold many."""


def locked(descriptor: int) -> bool:
    """Lock what is open, if nobody has that lock; tell whether it is locked by this descriptor now. It does not wait.

    Raises:
        OSError: it can't be locked.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(descriptor: int, locks: Path = LOCKS) -> int | None:
    """Return which process has the lock of what is open; None where none is known to. It takes no lock.

    Raises:
        OSError: the kernel does not tell.
    """
    inode = os.fstat(descriptor).st_ino
    with locks.open("rb") as file:
        text = file.read(MOST).decode("ascii", "replace")
    for line in text.splitlines():
        words = line.split()
        if words[1:2] == ["FLOCK"] and words[5:] and words[5].endswith(f":{inode}"):
            return int(words[4])
    return None
