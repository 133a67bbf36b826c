"""Root's files in a directory of another user: touched as that user, who could replace them.

The directories of the state file and of the control socket belong to the user that the daemon runs
as, and its group, the operators, may write there. Each of them could put a symbolic link or a
database's journal there, through which root would change any file of the machine. So this thread
is that user to the file system before the first file in there is opened, and root's rights over
files are gone as long (setfsuid(2), capabilities(7)). The groups that root is a member of would still
open what is theirs. The C library changes these for all threads, and restoring them would race with
another thread; so the process gives them up for good: root opens its own files without them.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.files import trusted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class DirectoryError(SpeakerError):
    """Root must not work in a directory: another user could lead it elsewhere."""


@contextmanager
def as_owner(directory: Path) -> Iterator[None]:
    """As root, be the directory's owner to the file system, in this thread and context alone.

    The process is a member of no further group from then on. Nothing may be awaited in the context, and no thread started, which would stay so. Other users are
    what they are.

    Raises:
        DirectoryError: it is root's and others may write there, or others may replace it.
        OSError: it can't be looked at.
    """
    if os.geteuid() != 0:
        yield
        return
    found = directory.stat()
    _check(directory, found)
    if found.st_uid == 0:
        yield
        return
    if os.getgroups():
        os.setgroups([])
    group = _change("setfsgid", found.st_gid)
    user = _change("setfsuid", found.st_uid)
    try:
        yield
    finally:
        _change("setfsuid", user)
        _change("setfsgid", group)


def _check(directory: Path, found: os.stat_result) -> None:
    try:
        trusted.check_folders(directory)
        trusted.check_link(directory)
    except trusted.UntrustedError as error:
        raise DirectoryError(str(error)) from error
    writers = stat.S_IWOTH | (stat.S_IWGRP if found.st_gid != 0 else 0)
    if found.st_uid == 0 and found.st_mode & writers and not found.st_mode & stat.S_ISVTX:
        raise DirectoryError(
            f"{directory}: root's, and mode {stat.S_IMODE(found.st_mode):04o} lets others write; "
            "chown it to the user that the daemon runs as"
        )


def _change(call: str, number: int) -> int:
    """Call setfsuid or setfsgid, which change only this thread, and return what was before.

    Neither tells of a failure, but by what a second call returns.
    """
    import ctypes  # noqa: PLC0415 - only root needs it, and only in another user's directory

    function = getattr(ctypes.CDLL(None), call)
    function.argtypes, function.restype = [ctypes.c_uint], ctypes.c_int
    before = int(function(number))
    if function(2**32 - 1) != number:
        raise PermissionError(0, f"{call}({number}) was refused")
    return before
