"""The right to write to bgpd, which one run of ours has at a time: a pass, vip_mgmt, the daemon."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from speaker.backends.base import BackendError
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence
    from pathlib import Path

    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.base import Backend, Peer, Reading

MODE = 0o660  # operators of the same group take turns too
POLL = 0.05


class TurnError(SpeakerError):
    """It did not become our turn: another run does not end, or the lock's file can't be used."""


@asynccontextmanager
async def turn(state: Path, within: float) -> AsyncIterator[None]:
    """Wait for our turn, and have it while the context lasts. It ends with the process, too.

    Args:
        state: the state file; the lock's is beside it.
        within: for how long to wait, in seconds.

    Raises:
        TurnError: it did not become our turn.
    """
    path = state.with_suffix(".lock")
    try:
        descriptor = _open(path)
    except OSError as error:
        raise TurnError(
            f"{path}: {error.strerror}; its directory must be writable, and node.state names it"
        ) from error
    with os.fdopen(descriptor, "a") as file:
        try:
            async with asyncio.timeout(within):
                while not _locked(file.fileno()):  # noqa: ASYNC110 - nothing tells when it is free
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise TurnError(
                f"{path}: another vip_mgmt or vip_watchdog runs, and does not end"
            ) from None
        yield


def _open(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, MODE)
    if os.fstat(descriptor).st_uid == os.geteuid():
        os.fchmod(descriptor, MODE)  # whatever the umask
    return descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class InTurn:
    """Another backend, used only while it is our turn. It is a `Backend` itself.

    A pass holds its turn from what it reads to what it has read back. So whoever withdraws what an
    operator drained, and finds it withdrawn, can't be followed by a pass that decided before.
    """

    def __init__(self, backend: Backend, within: float) -> None:
        """Be of no use until `configure` has named the lock.

        Args:
            backend: the driver.
            within: for how long a change or a reading waits, in seconds.
        """
        self._backend = backend
        self._within = within

    def configure(self, state: Path) -> None:
        """Take the state file, which the lock is beside."""
        self._state = state

    @property
    def heal(self) -> float:
        """See `Backend.heal`."""
        return self._backend.heal

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`."""
        try:
            async with turn(self._state, self._within):
                return await self._backend.apply(changes)
        except TurnError as error:
            return {change.prefix: str(error) for change in changes}

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`."""
        try:
            async with turn(self._state, self._within):
                return await self._backend.read(prefixes)
        except TurnError as error:
            raise BackendError(str(error)) from error

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        """See `Backend.until_sent`."""
        await self._backend.until_sent(prefixes)

    def peers(self) -> Sequence[Peer]:
        """See `Backend.peers`."""
        return self._backend.peers()
