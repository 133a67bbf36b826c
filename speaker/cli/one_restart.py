"""One `vip_mgmt restart` at a time: a second one beside it would stop what the first waits for."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.files.locking import LOCKS, holder, locked
from speaker.printable import reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class RestartingError(SpeakerError):
    """Another one restarts."""


@contextmanager
def one_restart(folder: Path, locks: Path = LOCKS) -> Iterator[None]:
    """Restart alone while the context lasts. The kernel ends the lock with the process, however that ends.

    Args:
        folder: which is locked, without a file in it: that of the state file, which outlives the units.
        locks: where the kernel tells who has which lock.

    Raises:
        RestartingError: another one restarts; says which process.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RestartingError(
            f"restart: {folder}: {reason(error)}; nothing was restarted: run it as root, or correct node.state"
        ) from error
    try:
        if not locked(descriptor):
            raise RestartingError(
                f"restart: {_holder(descriptor, locks)} restarts already; nothing was restarted: wait for its end"
            )
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int, locks: Path) -> str:
    """Return which process has the lock, as far as the kernel tells."""
    with suppress(OSError):
        if (found := holder(descriptor, locks)) is not None:
            return f"process {found}"
    return "another vip_mgmt"
