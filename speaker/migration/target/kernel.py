"""This machine's kernel, asked from which address it would reach a neighbour: what bgpd leaves to it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.printable import reason

if TYPE_CHECKING:
    from speaker.units import IpAddress


def source(neighbor: IpAddress) -> IpAddress | None:
    """Return the address that a connection to a neighbour would have, None where there is no route.

    The same as `ip route get`.

    Raises:
        MigrationError: the kernel can't be asked.
    """
    from pyroute2 import IPRoute, NetlinkError  # noqa: PLC0415 - 20 MB, for those who need it

    try:
        with IPRoute() as route:
            answers = list(route.route("get", dst=str(neighbor)))
    except NetlinkError:  # ENETUNREACH, EHOSTUNREACH, EACCES: there is none, or it is prohibited
        return None
    except OSError as error:
        raise MigrationError(
            f"netlink: {reason(error)}; use --local DC:NEIGHBOR=ADDRESS"
        ) from error
    for answer in answers:
        text = answer.get("prefsrc")
        if text:
            return ip_address(text)
    return None
