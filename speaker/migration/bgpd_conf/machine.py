"""What the machine has of which no bgpd.conf tells: its interfaces' addresses, and routes that bgpd redistributes. Values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Interface, IPv6Interface

    from policy.route import Prefix

RUNNING = "@running"
"""In place of a file: this machine."""


@dataclass(frozen=True, slots=True)
class MachineNow:
    """Addresses and routes of a machine at one moment.

    Attributes:
        addresses: by the interface's name, in the kernel's order.
        routes: by the source that `redistribute` names, `static` or `kernel`, the prefixes, and of
            each whether it is by a gateway. A source that is not in it is not known.
    """

    addresses: Mapping[str, tuple[IPv4Interface | IPv6Interface, ...]] = field(default_factory=dict)
    routes: Mapping[str, Mapping[Prefix, bool]] = field(default_factory=dict)

    def knows(self, source: str) -> bool:
        """Tell whether all prefixes of a source are known."""
        return source == "connected" or source in self.routes
