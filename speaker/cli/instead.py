"""What to type instead of what names no VIP: of vip.toml, and the nearest first."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from itertools import islice
from typing import TYPE_CHECKING

from policy.route import parse_prefix
from speaker.nearest import nearest

if TYPE_CHECKING:
    from policy.topology import Topology

_SOME = 3
"""How many prefixes are named."""
_HOST = re.compile(
    r"(?:[a-z0-9+.-]+://)?(?:\[([^]]+)\]|([^\[\]/:]+))(?::[0-9]*)?(?:/.*)?", re.IGNORECASE
)
"""What names a host within a URL, or before a port."""


def instead(typed: str, topology: Topology) -> str:
    """Return `; name 192.0.2.1, of vip-1.tld` or alike; nothing where nothing of vip.toml is near.

    Args:
        typed: what is no VIP, and no address or prefix of one.
        topology: the configuration's.
    """
    host, _, length = typed.partition("/")
    try:
        address = ip_address(host)
    except ValueError:
        return _of_a_name(typed, topology)
    home = topology.home(address)
    if home is not None:
        prefix = home[1].prefix
        known = address if prefix.prefixlen == prefix.max_prefixlen else prefix
        return f"; name {known}, of {home[0].name}"
    try:
        around = ip_network(f"{address}/{length}" if length else address, strict=False)
    except ValueError:
        return ""
    inside = (
        f"{own.prefix} of {vip.name}"
        for vip, own in topology
        if own.prefix.network_address in around
    )
    if few := [*islice(inside, _SOME)]:
        return f"; name what is in it: {', '.join(few)}" + ("" if len(few) < _SOME else ", …")
    return ""


def _of_a_name(typed: str, topology: Topology) -> str:
    """Return the VIPs that are called alike, or what a URL or a port is of."""
    found = _HOST.fullmatch(typed)
    host = (found[1] or found[2] or "").lower() if found else ""
    if host != typed.lower():
        try:
            is_known = topology.find(parse_prefix(host)) is not None
        except ValueError:
            is_known = topology.vip(host.removesuffix(".")) is not None
        if is_known:
            return f"; name it alone: {host}"
    return nearest(typed, (vip.name for vip in topology.vips))
