"""The lock under which is decided and written: one run of this program at a time does so.

Theory of operation. Beside bgpd several runs may write at the same time: passes of cron, the
daemon, `vip_mgmt`. Each takes the lock first, and does everything that a change rests on while it
has it: it reads the intents from the state file, reads the daemon where another run may have
written since, decides, plans, applies, and reads back. So a process that drains a prefix and finds it
withdrawn can't be followed by a run that decided before. The types hold it: reading, deciding and
applying need a `Turn` (`turn.py`), and only the lock gives one.

An intent is recorded before the lock is waited for, and beside it: it is durable first, whatever
becomes of who waits, and a state file that keeps one waiting delays no withdrawal. The process that had the lock last left a mark in
its file. Where that is still ours, no other process has drained or written meanwhile, and what is
known is known exactly, although the state file can't be read just now. Otherwise nothing is
announced until it can; withdrawals go on.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, Self

from speaker.errors import SpeakerError
from speaker.files.bounded import of_one_name
from speaker.files.directory_owner import DirectoryError, as_owner
from speaker.files.locking import locked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

MODE = 0o660  # operators of the same group take the lock too
POLL = 0.05
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class LockError(SpeakerError):
    """The lock was not got: another run does not end, or its file can't be used."""


class Lock(Protocol):
    """What keeps other runs of this program from the daemon."""

    def held(self) -> AbstractAsyncContextManager[bool]:
        """Wait for it, and have it while the context lasts.

        Returns:
            Whether it is certain that no other process had it since we did.

        Raises:
            LockError: it was not got.
        """


class NoLock:
    """Where no other process can write: only ExaBGP's own process can, or the lock is held already."""

    @asynccontextmanager
    async def held(self) -> AsyncIterator[bool]:
        """See `Lock.held`."""
        yield True


class Kept:
    """A lock that is kept over several turns of one run, and let go while that run only waits.

    So the run's memory is read and recorded under it, too, and no other process waits for it meanwhile.

    Args:
        lock: the one to keep.
    """

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._holding = AsyncExitStack()
        self._alone = True

    async def __aenter__(self) -> Self:
        """Wait for it. See `Lock.held`."""
        self._alone = await self._holding.enter_async_context(self._lock.held())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._holding.aclose()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[bool]:
        """See `Lock.held`: it is held already."""
        alone, self._alone = self._alone, True
        yield alone

    async def rest(self, seconds: float) -> None:
        """Let others have it for a while, and wait for it again.

        Raises:
            LockError: it was not got again.
        """
        await self._holding.aclose()
        await asyncio.sleep(seconds)
        await self.__aenter__()


class FileLock:
    """A file beside the state file. It is free when the process that has it ends.

    Args:
        within: for how long to wait, in seconds.
        state: the state file, where it is known already; else `configure` tells.
    """

    def __init__(self, within: float, state: Path | None = None) -> None:
        self._within = within
        self._mark = secrets.token_hex(16).encode()
        self._path = None if state is None else state.with_suffix(".lock")

    def configure(self, state: Path) -> None:
        """Take the state file that is used. Another one takes effect at the next start only."""
        self._path = self._path or state.with_suffix(".lock")

    @asynccontextmanager
    async def held(self) -> AsyncIterator[bool]:
        """See `Lock.held`."""
        path = self._path
        if path is None:
            raise LockError("lock: no state file is configured yet")
        async with AsyncExitStack() as opened:
            try:
                async with asyncio.timeout(self._within):
                    descriptor = await self._locked(path, opened)
            except TimeoutError:
                raise LockError(
                    f"{path}: still locked by another vip_mgmt or vip_watchdog"
                ) from None
            yield self._sign(descriptor)

    async def _locked(self, path: Path, opened: AsyncExitStack) -> int:
        """Wait for it. One that was removed meanwhile is none: who comes next opens another, and does not wait."""
        while True:
            descriptor = _opened(path)
            opened.callback(os.close, descriptor)
            while not locked(descriptor):  # noqa: ASYNC110 - nothing tells when it is free
                await asyncio.sleep(POLL)
            if _is_in_place(path, descriptor):
                return descriptor

    def _sign(self, descriptor: int) -> bool:
        """Leave our mark; return whether it was there. Where there is no room for it, no mark is there."""
        if os.pread(descriptor, len(self._mark) + 1, 0) == self._mark:
            return True
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, self._mark, 0)
        return False


def _opened(path: Path) -> int:
    """Open it, and make it where it is not there.

    Raises:
        LockError: that can't be done.
    """
    with _of_its_owner(path):
        return of_one_name(_open(path))


def _is_in_place(path: Path, descriptor: int) -> bool:
    """Tell whether what is open is still the file of that name.

    Raises:
        LockError: that can't be seen.
    """
    with _of_its_owner(path):
        try:
            return os.path.samestat(path.lstat(), os.fstat(descriptor))
        except FileNotFoundError:
            return False


@contextmanager
def _of_its_owner(path: Path) -> Iterator[None]:
    try:
        with as_owner(path.parent):
            yield
    except DirectoryError as error:
        raise LockError(f"lock: {error}") from error
    except OSError as error:
        raise LockError(
            f"{path}: {error.strerror}; its directory must be writable, and node.state names it"
        ) from error


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, MODE)
    except FileExistsError:
        return _open_made(path)
    os.fchmod(descriptor, MODE)  # whatever the umask
    return descriptor


def _open_made(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | _FLAGS)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY | _FLAGS)  # it can be locked all the same
