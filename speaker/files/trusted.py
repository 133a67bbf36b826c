"""What root takes orders from: files and programs that only root can change or replace.

Who can write vip.toml names the program that is run, so root must not take it from anybody. The
rule is sshd's: the file and every folder above it are root's, and neither their group nor others
may write there. A folder like /tmp, where no user can replace what is another's, may be written.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from speaker.errors import SpeakerError

_MAX_LINKS = 40


class UntrustedError(SpeakerError):
    """Root would take orders from another user. Says which file or folder, and what to do."""


def check(path: Path, user: int) -> None:
    """Refuse a file that root must not trust. For other users there is nothing to refuse.

    Args:
        path: the file. Symbolic links are followed, each where it stands.
        user: the effective user that this process has.

    Raises:
        UntrustedError: another user may change or replace it.
        OSError: it can't be looked at.
    """
    if user != 0:
        return
    here = path.absolute()  # with each `..`: before it may stand another user's folder
    for _ in range(_MAX_LINKS):
        check_folders(here)
        if not here.is_symlink():
            break
        check_link(here)
        here = here.parent / here.readlink()
    # Folders on the way may be links too.
    check_folders(Path(os.path.realpath(path)))
    _check(here, here.stat())


def check_open(path: Path, descriptor: int, user: int) -> None:
    """Refuse a file that was opened, as `check` does, by what is really open.

    Raises:
        UntrustedError: another user may change or replace it.
        OSError: it can't be looked at.
    """
    if user == 0:
        _check(path, os.fstat(descriptor))
        check(path, user)


def check_folders(path: Path) -> None:
    """Refuse a path whose folders others may change or replace. A folder like /tmp may be root's.

    Raises:
        UntrustedError: another user may.
        OSError: one can't be looked at.
    """
    for folder in path.parents:
        check_link(folder)
        found = folder.stat()
        if not found.st_mode & stat.S_ISVTX or found.st_uid != 0:
            _check(folder, found)


def check_link(path: Path) -> None:
    """Refuse a symbolic link of another user's, who may put another one in its place, in /tmp too.

    Raises:
        UntrustedError: it is one.
        OSError: it can't be looked at.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) and found.st_uid != 0:
        _check(path, found)


def _check(path: Path, found: os.stat_result) -> None:
    if found.st_uid != 0:
        problem = f"belongs to user {found.st_uid}"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problem = f"mode {stat.S_IMODE(found.st_mode):04o} lets others write"
    else:
        return
    raise UntrustedError(
        f"{path}: {problem}, and root would do as it says; chown root and chmod go-w it, or run "
        "this as a member of the operators' group instead of root"
    )
