"""Puts a file in the place of another one in one step: it is there as a whole, or as it was."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from speaker.files.directory_owner import as_owner

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_file(path: Path, content: bytes, mode: int, *, durable: bool = False) -> None:
    """Put a file in its place, as the owner of its directory. It waits for the disk.

    Args:
        path: where. What is there, a symbolic link too, is replaced.
        content: all of it.
        mode: its rights, whatever the umask.
        durable: have it survive a machine that loses power then.

    Raises:
        OSError: it can't be done; what was there is there still, unless the directory alone could not be synced.
        DirectoryError: root must not write in that directory.
    """
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")  # which nobody reads
    with as_owner(path.parent):
        try:
            with os.fdopen(os.open(made, _FLAGS, mode), "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            made.replace(path)
        except BaseException:
            with suppress(OSError):
                made.unlink()
            raise
        if durable:
            _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
