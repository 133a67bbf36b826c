"""keepalived's `lvs_notify_fifo`, read as a word to look now. What it says is not believed.

keepalived makes it for root alone, removes it when it ends, and leaves one alone that is there
already. So it is made here beforehand: for this user alone, because keepalived runs as root.
"""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

from speaker.files.directory_owner import DirectoryError, as_owner
from speaker.health.keepalived.events import FifoLines, is_event
from speaker.health.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODE = 0o600
CHUNK = 65536
"""How much to read at once, in bytes: all that a fifo holds. A flood gets no more than its turn."""
CHECK = 1.0
"""How often to see whether it is still the same, in seconds."""


class Fifo:
    """Reads the fifo for as long as it runs, and makes it where there is none.

    Args:
        where: gives the fifo's path, None where none is needed. It may change.
        wake: is called for an event: look now.
        note: takes what is wrong, in words; nothing where all is well.
        check: how often to see whether it is still the same, in seconds.
    """

    def __init__(
        self,
        where: Callable[[], Path | None],
        wake: Callable[[], None],
        note: Callable[[str], None],
        *,
        check: float = CHECK,
    ) -> None:
        self._where = where
        self._throttle = Throttle(wake)
        self._note = note
        self._check = check
        self._path: Path | None = None
        self._descriptor: int | None = None
        self._lines = FifoLines()
        self._garbage = ""

    async def run(self) -> None:
        """Keep it open for ever."""
        try:
            while True:
                self._keep()
                await asyncio.sleep(self._check)
        finally:
            self._close()
            self._throttle.stop()

    def _keep(self) -> None:
        """Have the fifo open that is at the path now."""
        path = self._where()
        try:
            if path is not None and path == self._path and self._is_the_same(path):
                self._note(self._garbage)
                return
            self._close()
            self._garbage = ""
            if path is not None:
                self._open(path)
            self._note("")
        except DirectoryError as error:
            self._note(f"keepalived_fifo: {error}; looking each interval only")
        except OSError as error:
            self._close()
            reason = error.strerror or str(error)
            self._note(f"keepalived_fifo: {path}: {reason}; looking each interval only")

    def _is_the_same(self, path: Path) -> bool:
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(path.lstat(), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False

    def _open(self, path: Path) -> None:
        try:
            with as_owner(path.parent):
                descriptor = _opened(path)
        except FileNotFoundError as error:
            raise FileNotFoundError(0, f"there is no {path.parent}; create it") from error
        self._path, self._descriptor, self._lines = path, descriptor, FifoLines()
        asyncio.get_running_loop().add_reader(descriptor, self._read, descriptor)
        self._throttle.event()  # whatever was written to the one before

    def _close(self) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
        self._path = self._descriptor = None

    def _read(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        self._throttle.event()
        for line in self._lines.feed(data):
            if not is_event(line):
                shown = line[:80].decode("ascii", "backslashreplace")
                self._garbage = f"keepalived_fifo: {self._path}: {shown!r} is not keepalived's"
                break


def _opened(path: Path) -> int:
    """Open the fifo, and make it where there is none."""
    try:
        os.mkfifo(path, MODE)
    except FileExistsError:
        if not stat.S_ISFIFO(path.lstat().st_mode):
            raise FileExistsError(0, "exists, and is not a FIFO; remove it") from None
    # Opened for writing, too, it has no end: that keepalived goes is no event.
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except PermissionError as error:
        raise PermissionError(
            0, "is another user's; stop keepalived, remove it, and start keepalived again"
        ) from error
