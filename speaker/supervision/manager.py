"""What systemd has a unit of Type=notify tell it (sd_notify(3)): that it is ready, lives, and ends."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Manager:
    """Tells systemd; does nothing where it did not ask for it. May be used from any thread.

    Args:
        environment: has NOTIFY_SOCKET, where systemd listens, if it does.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        # An abstract one is written with @ in place of its first byte.
        self._address = f"\0{path[1:]}" if path.startswith("@") else path

    def ready(self, text: str) -> None:
        """Tell that the start is over, and in words what came of it: `systemctl status` shows it."""
        self._tell(f"READY=1\nSTATUS={text.splitlines()[0]}")

    def alive(self) -> None:
        """Tell that the process is not frozen: without it for WatchdogSec=, systemd starts it again."""
        self._tell("WATCHDOG=1")

    def ending(self) -> None:
        """Tell that the end has begun."""
        self._tell("STOPPING=1")

    def _tell(self, text: str) -> None:
        """Send it. What systemd does not take now is lost: the pulse is told again, every second."""
        if not self._address:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as sender:
            sender.sendto(os.fsencode(text), self._address)
