"""Whose fault it is that a connection fails: what the other end says, or this machine's own."""

from __future__ import annotations

import errno

REFUSALS = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.EPIPE,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.EHOSTDOWN,
        errno.EPROTO,
        errno.ENOPROTOOPT,
    }
)
"""What the other end, or the network before it, says.

Everything else is a fault of this machine (no descriptors, no memory, no local port, no route, a firewall), and
tells nothing of the other end.
"""
