"""The lock of the rolls over one data centre on this machine: one roll has it at a time, and says in it who that is."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.intent import is_time, timestamp
from speaker.api import Count, Text, Time  # noqa: TC001 - pydantic reads the form by it
from speaker.control.identity import user
from speaker.errors import SpeakerError
from speaker.files import bounded
from speaker.files.directory_owner import as_owner
from speaker.files.locking import holder, locked
from speaker.json_value import FormError, Value
from speaker.printable import reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODE = 0o600
MAX_HOLDER = 1 << 10
"""Bytes: a process, a user and a time."""
_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class RollLockError(SpeakerError):
    """Another roll is under way, or the lock can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockHolder(Value):
    """Who has the lock, and since when."""

    pid: Count
    user: Text
    since: Time

    def __str__(self) -> str:
        """Say it in words."""
        since = f", since {timestamp(self.since)}" if is_time(self.since) else ""
        return f"process {self.pid} of {self.user[:80]}{since}"


class RollLock:
    """The lock. The kernel ends it with the process, however that ends.

    Args:
        path: of its file, which stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only roll over that data centre on this machine while the context lasts.

        Raises:
            RollLockError: another one is under way; says which. Or the file can't be used.
        """
        with self._opened(os.O_RDWR | os.O_CREAT) as descriptor:
            if not self._taken(descriptor):
                who = _holder(descriptor) or "another vip_mgmt"
                raise RollLockError(
                    f"roll: another roll over this data centre is under way on this machine: {who}; nothing was changed: wait for its end"
                )
            yield

    def holder(self) -> str:
        """Return who has it, in words; nothing where nobody is known to. It is not locked for that.

        Raises:
            RollLockError: the file can't be used.
        """
        try:
            with self._opened(os.O_RDONLY) as descriptor:
                return _holder(descriptor)
        except RollLockError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return ""
            raise

    @contextmanager
    def _opened(self, flags: int) -> Iterator[int]:
        """Open it: a file of one name alone, as it is written to."""
        try:
            with as_owner(self._path.parent):
                descriptor = bounded.of_one_name(os.open(self._path, flags | _FLAGS, MODE))
        except OSError as error:
            raise self._error(error) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _taken(self, descriptor: int) -> bool:
        """Lock it, if nobody has, and write into it who that is; tell whether that was done."""
        try:
            if not locked(descriptor):
                return False
            own = LockHolder(pid=os.getpid(), user=user(), since=time.time())
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(own.to_json()).encode(), 0)
        except OSError as error:
            raise self._error(error) from error
        return True

    def _error(self, error: OSError) -> RollLockError:
        return RollLockError(
            f"roll: {self._path}: {reason(error)}; one roll at a time has it: run it as root"
        )


def _holder(descriptor: int) -> str:
    """Return who has it. What one wrote there that has ended counts for nothing: the kernel tells which process has it."""
    with suppress(OSError, FormError):
        said = LockHolder.from_text(bounded.read(descriptor, MAX_HOLDER))
        if said.pid == holder(descriptor):
            return str(said)
    return ""
