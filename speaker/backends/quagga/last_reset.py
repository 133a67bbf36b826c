"""Why a session of bgpd is down, as `show ip bgp neighbors` tells of its last end. No I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from speaker.backends.notification import remedy_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from speaker.backends.quagga.summary import SummarySession

TOLD = 5
"""Of how many sessions it is asked why they are down."""
_NAME = re.compile(r"[0-9A-Za-z_.:-]+")
_NEIGHBOR = re.compile(r"BGP neighbor (?:is ([0-9A-Za-z_.:-]+), .*|on ([0-9A-Za-z_.-]+)[:,].*)")
"""By its address; or by an interface, behind which stands the address."""
_RESET = re.compile(r" +Last reset [^,]+, +(?:due to )?(\S.*)")


def down(sessions: Iterable[SummarySession]) -> list[str]:
    """Return the first sessions that are down, by names that may stand in a command."""
    names = [each.address for each in sessions if not each.up and _NAME.fullmatch(each.address)]
    return names[:TOLD]


def questions(names: Sequence[str]) -> list[str]:
    """Return the commands, of which one vtysh gets all. Quagga knows them, too."""
    return [f"show ip bgp neighbors {name}" for name in names]


def reasons(lines: Iterable[str]) -> Mapping[str, str]:
    """Return why each session's last end was, and what to do, by the session's name."""
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        if neighbor := _NEIGHBOR.fullmatch(line):
            name = neighbor[1] or neighbor[2]
        elif name and (reset := _RESET.fullmatch(line)):
            found[name] = f"{reset[1][:150]}; {remedy_for(reset[1])}"
    return found
