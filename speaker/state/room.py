"""Whether a file system has room left to write, by what it says of itself, which costs no write."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOM = 1 << 16
"""Bytes that must be left: a journal and some pages."""


def may_be_full(folder: Path) -> bool:
    """Tell whether writing there may fail: no room, no more files, or read-only. False where it tells nothing.

    A quota is not seen so, nor a disk that fails.
    """
    try:
        found = os.statvfs(folder)
    except OSError:
        return True
    return lacks_room(found)


def lacks_room(found: os.statvfs_result) -> bool:
    """Tell whether a file system lacks room for a record, by its numbers; where one is 0, it has no such limit."""
    is_out_of_room = bool(found.f_blocks) and found.f_bavail * found.f_frsize < ROOM
    is_out_of_files = bool(found.f_files) and not found.f_favail
    return is_out_of_room or is_out_of_files or bool(found.f_flag & os.ST_RDONLY)
