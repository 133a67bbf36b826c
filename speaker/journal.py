"""Whether what a program says on stderr and in syslog would stand in the journal twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

SYSLOG = Path("/dev/log")
_JOURNALS = Path("/run/systemd/journal/dev-log")
"""What is /dev/log where the journal takes what goes to syslog."""


def is_twice(stream: TextIO | None, environment: Mapping[str, str]) -> bool:
    """Tell whether a stream and syslog both go to the journal. Then syslog's way, which has the tag, is enough."""
    if not is_journal(stream, environment) or not SYSLOG.is_socket():
        return False
    return _JOURNALS.resolve() == SYSLOG.resolve()


def is_journal(stream: TextIO | None, environment: Mapping[str, str]) -> bool:
    """Tell whether a stream goes to the journal, as systemd says by JOURNAL_STREAM (systemd.exec(5))."""
    named = environment.get("JOURNAL_STREAM")
    if stream is None or named is None:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{found.st_dev}:{found.st_ino}"
