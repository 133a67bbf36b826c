"""Reads a whole file of a bounded size, which another user may have put there."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePath

MAX_SIZE = 1 << 24
"""Bytes: a bgpd.conf of 30,000 VIPs has two million."""


@contextmanager
def regular(path: PurePath) -> Iterator[int]:
    """Open a regular file to be read, and have its descriptor while the context lasts.

    In its place may be a pipe, which would be waited for, or a device that has no end.

    Raises:
        OSError: it can't be opened, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def of_one_name(descriptor: int) -> int:
    """Return the descriptor of a regular file that has no other name, where what is written would stand too.

    Raises:
        OSError: it is none, and was closed.
    """
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "is not a regular file of one name; remove it")


def read(path: PurePath | int, limit: int = MAX_SIZE) -> bytes:
    """Read all of a file, of whatever kind: an operator may name a pipe.

    Args:
        path: the file, or the descriptor of one that is open, and stays so.
        limit: how many bytes it may have.

    Raises:
        OSError: it can't be read, or has more bytes than the limit.
    """
    with open(path, "rb", closefd=not isinstance(path, int)) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"too large, more than {limit} bytes")
    return data
