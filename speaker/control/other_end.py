"""Who is at the other end of a unix socket, as the kernel tells when it connected."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from policy.errors import PolicyError

if TYPE_CHECKING:
    import asyncio

_PEERGROUPS = 59
"""SO_PEERGROUPS (Linux 4.13), which Python's socket has no name for."""
_MOST = 1024
"""Bytes that Python reads of an option: 256 groups."""


class OtherEnd(NamedTuple):
    """A user, and the groups that its process has: of one that has more than 256, the first alone."""

    uid: int
    groups: frozenset[int]


def other_end(transport: asyncio.BaseTransport | None) -> OtherEnd:
    """Return who connected (SO_PEERCRED, SO_PEERGROUPS).

    Raises:
        PolicyError: the caller is gone.
    """
    if transport is None:
        raise PolicyError("control: the client is gone")
    connected: socket.socket = transport.get_extra_info("socket")
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, gid = struct.unpack("3i", credentials)
    try:
        others = connected.getsockopt(socket.SOL_SOCKET, _PEERGROUPS, _MOST)
    except OSError:  # more of them, or a kernel that does not tell
        others = b""
    return OtherEnd(
        uid, frozenset((gid, *(number for (number,) in struct.iter_unpack("I", others))))
    )
