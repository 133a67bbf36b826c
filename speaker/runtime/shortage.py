"""What the event loop can't give to any caller: a shortage of descriptors, memory or threads, said once."""

from __future__ import annotations

import errno
import logging
import os
from typing import TYPE_CHECKING, Any

from speaker.errors import SpeakerError
from speaker.printable import reason

if TYPE_CHECKING:
    import asyncio

    from speaker.reconcile.alarms import Alarms

log = logging.getLogger(__name__)

SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN}
SHORT_FOR = 10.0
"""How long a shortage is reported after it was last met, in seconds."""


class Shortage:
    """Reports what the loop meets: one line for a shortage, or an error that is foreseen; all of anything else."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._over: asyncio.TimerHandle | None = None

    def met(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take what the loop passes to its exception handler."""
        error = context.get("exception")
        if not isinstance(error, OSError | SpeakerError):
            loop.default_exception_handler(context)
            return
        if not isinstance(error, OSError) or error.errno not in SHORT:
            log.warning("an error that nobody waits for: %s", reason(error))
            return
        remedy = (
            "see what its user runs, and raise the limit of threads (systemd: TasksMax=)"
            if error.errno == errno.EAGAIN
            else f"see what this process has open in /proc/{os.getpid()}/fd, and raise its limit "
            "(systemd: LimitNOFILE=)"
        )
        text = f"{error.strerror}: vip_mgmt may have to wait; {remedy}"
        self._alarms.note("resources", text)
        if self._over is not None:
            self._over.cancel()
        self._over = loop.call_later(SHORT_FOR, self._alarms.note, "resources", "")
