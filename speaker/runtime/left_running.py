"""A second ExaBGP that was left running beside this one is an alarm: both announce, and a drain has to be made at both."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

from policy.intent import timestamp

if TYPE_CHECKING:
    from pathlib import Path

    from speaker.reconcile.reconciler import Reconciler

SUBJECT = "beside"
EVERY = 10.0
"""How often it is looked, in seconds."""
PASSING = 600.0
"""For how long it may run before that is said, in seconds: a restart takes less."""


async def watch(reconciler: Reconciler) -> None:
    """Note for ever whether a second one was left running."""
    while True:
        path = reconciler.config.settings.beside
        reconciler.alarms.note(SUBJECT, left_running(path, reconciler.clock.wall()))
        await asyncio.sleep(EVERY)


def left_running(path: Path, now: float) -> str:
    """Say that a second one runs, by the socket that it made, or was killed; nothing where neither is so.

    Args:
        path: its socket.
        now: seconds since the epoch.
    """
    try:
        found = path.lstat()
    except OSError:
        return ""
    if not stat.S_ISSOCK(found.st_mode) or now - found.st_mtime < PASSING:
        return ""
    return (
        f"a second ExaBGP runs since {timestamp(found.st_mtime)}, or was killed: vip_mgmt restart --beside was not ended; "
        f"when this one has all routes: systemctl stop exabgp-vip-beside; rm -f {path}"
    )
