"""Whether an address is on this machine: ExaBGP says nothing of a session that it can't even try from another."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speaker.units import IpAddress


def is_here(address: IpAddress) -> bool | None:
    """Tell whether a session may come from an address, as ExaBGP finds it: by binding. None where that can't be told."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        return False if error.errno == errno.EADDRNOTAVAIL else None
    return True
