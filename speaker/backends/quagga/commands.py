"""bgpd's commands: a batch of network lines, and how it refuses one.

One dialect serves Quagga 0.99 and 1.2 and FRR: the commands are those that all three take.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from policy.plan import Announce

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Asn, Attributes
    from speaker.backends.quagga.running_config import Running

FAULTS = ("% Unknown", "% Ambiguous", "% Command", "% There is no matched")
"""How a question that was not understood is answered. Other answers begin with `% ` too."""
LOCKED = "locked by other VTY"
_WRONG_AS = re.compile(r"already running; AS is ([0-9.]+)")


def render(
    changes: Sequence[Change],
    running: Running,
    asn: Asn,
    names: Mapping[Attributes, str],
    again: Collection[str] = (),
) -> list[str]:
    """Render network lines as one batch: IPv4 first, then `address-family ipv6`.

    Only what is there is removed, because FRR stops a batch at a `no network` of nothing.

    Args:
        changes: at most one to a prefix.
        running: what bgpd has.
        asn: its own.
        names: the route-map for each set of attributes.
        again: route-maps that are created again: Quagga takes every line that uses one out of its
            table with the old one, so those are entered again.
    """
    lines: dict[int, list[str]] = {4: [], 6: []}
    changing = {change.prefix for change in changes}
    for prefix, name in running.networks.items():
        if name in again and prefix not in changing:
            lines[prefix.version].append(f"network {prefix} route-map {name}")
    for change in changes:
        if isinstance(change, Announce):
            name = names[change.route.attributes]
            lines[change.prefix.version].append(f"network {change.prefix} route-map {name}")
        elif change.prefix in running.networks:
            lines[change.prefix.version].append(f"no network {change.prefix}")
    if not lines[4] and not lines[6]:
        return []
    ipv6 = ["address-family ipv6", *lines[6]] if lines[6] else []
    return ["configure terminal", f"router bgp {asn}", *lines[4], *ipv6]


def refusal(stdout: str) -> str:
    """Return what bgpd refused in a batch of configuration, or nothing: success is silent."""
    lines = [line.strip() for line in stdout.splitlines() if line.strip()]
    if not lines:
        return ""
    if match := _WRONG_AS.search(stdout):
        return f"bgpd runs AS {match[1]}"
    return "; ".join(lines[:3])
