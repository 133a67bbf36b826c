"""What vip_mgmt says beside its answer: on stderr, and in syslog."""

from __future__ import annotations

import syslog

from speaker.printable import printable
from speaker.terminal import say, would_stand_twice

MANAGER = "bgp_mgt"
"""The tag of the shell toolkit, by which operators find it in syslog."""


def open_syslog() -> None:
    """Have syslog show under which name something is said."""
    syslog.openlog(MANAGER, facility=syslog.LOG_DAEMON)


def tell_operator(text: str, *, tag: bool = True) -> None:
    """Say something on stderr and in syslog, where every line has the tag; where both are the journal's, once.

    Args:
        text: lines.
        tag: whether they have it on stderr too: the shell toolkit had some without.
    """
    twice = would_stand_twice()
    for line in printable(text, keep="\n").split("\n"):
        if not twice:
            say(f"{MANAGER}: {line}" if tag else line)
        syslog.syslog(line)
