"""The kernel's lock of a file or directory, which one open descriptor has at a time, and which ends with it."""

from __future__ import annotations

import fcntl


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
