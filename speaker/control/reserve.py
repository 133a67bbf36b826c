"""Descriptors that no connection may use up: a look at health, or a recording, never fails for want of one."""

from __future__ import annotations

import resource
from pathlib import Path

RESERVE = 200
"""For 128 realservers at once, the state file, what is read of the kernel and of keepalived, and accepting."""

_OPEN = Path("/proc/self/fd")


def too_few_are_left(connections: int) -> bool:
    """Return whether another connection would take what is kept: RESERVE, or half of what they could share.

    Args:
        connections: how many are open.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        left = limit - sum(1 for _ in _OPEN.iterdir())
    except OSError:
        return True
    return left < min(RESERVE, (left + connections) // 2)
