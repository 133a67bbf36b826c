"""Descriptors that no connection may use up: a look at health, or a recording, never fails for want of one."""

from __future__ import annotations

import os
import resource

RESERVE = 200
"""For 128 realservers at once, the state file, what is read of the kernel and of keepalived, and accepting."""


def too_few_are_left(connections: int) -> bool:
    """Return whether another connection would take what is kept: RESERVE, or half of what they could share.

    Args:
        connections: how many are open.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        lowest = os.eventfd(0)  # the next descriptor is the lowest one that is free
    except OSError:
        return True
    os.close(lowest)
    left = limit - lowest
    return left < min(RESERVE, (left + connections) // 2)
