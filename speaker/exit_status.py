"""Exit statuses of both commands: scripts, cron and systemd rely on the numbers."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ended."""

    DONE = 0
    """All is as it was asked for, or the question is answered."""
    NOT_AS_WANTED = 1
    """Something is not as decided, or not known to be."""
    DIFFERENT = 2
    """There is something to look at: a change, a finding, a difference."""
    USAGE = 255
    """The command line or the configuration is refused. Nothing was done."""
