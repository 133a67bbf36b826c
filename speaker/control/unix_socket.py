"""A socket's name in the file system: made for those who may connect, kept there, and removed."""

from __future__ import annotations

import grp
import logging
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from speaker.control.identity import name_of
from speaker.errors import SpeakerError
from speaker.files.directory_owner import DirectoryError, as_owner

log = logging.getLogger(__name__)

CONNECTIONS = 64
"""About how many may ask at a time: a client that opens more must not use up this process's descriptors."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may connect to a socket, and what for.

    Attributes:
        mode: of the socket; connecting takes the right to write.
        group: the group that it is given; None leaves it to the directory and the process.
        connections: about how many may be open at a time.
        asks_only: whether nothing can be changed there.
        key: of vip.toml, which names it.
        group_key: ... its group.
    """

    mode: int = 0o660
    group: str | None = None
    connections: int = CONNECTIONS
    asks_only: bool = False
    key: str = "node.control"
    group_key: str = "node.read_group"


OPERATORS = Access()


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


def bind(path: Path, access: Access = OPERATORS) -> Bound:
    """Make a unix socket, in the place of one that no process serves.

    Args:
        path: its name.
        access: who may connect.

    Raises:
        ControlError: it can't be made, something else is there, or another watchdog serves it.
    """
    try:
        with as_owner(path.parent):
            return _bind(path, access)
    except DirectoryError as error:
        raise ControlError(f"control: {error}") from error
    except OSError as error:
        raise ControlError(
            f"control: {path}: {error.strerror or error}; its directory must be writable for user "
            f"{name_of(os.geteuid())}, and {access.key} names it"
        ) from error


def _bind(path: Path, access: Access) -> Bound:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # Group and mode are set before any client can connect: listening comes after.
        listener.bind(str(path))
        made = _give(path, access)
        listener.listen()
    except (OSError, ControlError):
        listener.close()
        raise
    return Bound(path, listener, made)


def _give(path: Path, access: Access) -> os.stat_result:
    """Give a socket its group and mode. Whoever may write its directory may have put a link in its place by now."""
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise ControlError(f"control: {path}: was replaced while it was made; see who does so")
        # By what is open, whatever its name leads to: such a descriptor has no calls of its own for that.
        itself = Path(f"/proc/self/fd/{descriptor}")
        if access.group is not None:
            _give_group(path, itself, access)
        itself.chmod(access.mode)
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _give_group(path: Path, itself: Path, access: Access) -> None:
    """Give it to its group. A process that is not root gives it to groups that it is in alone."""
    group = access.group or ""
    try:
        number = grp.getgrnam(group).gr_gid
        if itself.stat().st_gid != number:
            os.chown(itself, -1, number)
    except KeyError:
        raise ControlError(
            f"control: {path}: group {group} does not exist; groupadd --system {group}, or correct "
            f"{access.group_key}"
        ) from None
    except PermissionError as error:
        raise ControlError(
            f"control: {path}: {name_of(os.geteuid())} may not give it to group {group}; it must be a member, "
            'and its unit needs SystemCallFilter=@chown: see "Who may do what" in docs/exabgp.md'
        ) from error


def _remove_stale(path: Path) -> None:
    """Remove a socket that no process serves, such as a killed watchdog leaves."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ControlError(f"control: {path}: exists, and is not a socket; remove it")
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
