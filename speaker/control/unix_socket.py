"""The control socket's name in the file system: made, kept there, and removed; and who holds it."""

from __future__ import annotations

import logging
import os
import socket
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speaker.control.offline import name_of
from speaker.errors import SpeakerError
from speaker.files.directory_owner import DirectoryError, as_owner

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

MODE = 0o660


class ControlError(SpeakerError):
    """The socket can't be made."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that listens, and the name that it was given."""

    path: Path
    listener: socket.socket
    made: os.stat_result

    @property
    def is_in_place(self) -> bool:
        """Whether its name still leads to it."""
        try:
            return os.path.samestat(self.path.lstat(), self.made)
        except OSError:
            return False

    def remove(self) -> None:
        """Remove its name, where it is still its own. What goes wrong is said, and holds up nothing."""
        if not self.is_in_place:
            return
        try:
            with as_owner(self.path.parent):
                self.path.unlink()
        except DirectoryError as error:
            log.warning("control: not removed: %s", error)
        except OSError as error:
            log.warning("control: %s: not removed: %s", self.path, error.strerror)


def bind(path: Path) -> Bound:
    """Make a unix socket of mode 0660, in the place of one that nobody serves.

    Raises:
        ControlError: it can't be made, something else is there, or another watchdog serves it.
    """
    try:
        with as_owner(path.parent):
            return _bind(path)
    except DirectoryError as error:
        raise ControlError(f"control: {error}") from error
    except OSError as error:
        raise ControlError(
            f"control: {path}: {error.strerror or error}; its directory must be writable for user "
            f"{name_of(os.geteuid())}, and node.control names it"
        ) from error


def _bind(path: Path) -> Bound:
    listener = None
    try:
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        # The mode is set before anybody can connect: listening comes after.
        listener.bind(str(path))
        path.chmod(MODE)
        made = path.lstat()
        listener.listen()
    except OSError:
        if listener is not None:
            listener.close()
        raise
    return Bound(path, listener, made)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody serves, such as a killed watchdog leaves."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ControlError(f"control: {path}: is there, and no socket; remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # it serves, and has no time
        except PermissionError as error:
            owner = name_of(path.stat().st_uid)
            raise ControlError(
                f"control: {path}: belongs to {owner}, and {name_of(os.geteuid())} can't tell whether "
                "it is served; stop the vip_watchdog that made it, or remove it"
            ) from error
    raise ControlError(f"control: {path}: another watchdog serves it; stop that one first")
