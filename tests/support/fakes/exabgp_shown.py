"""A neighbour as ExaBGP shows its configuration, in both dialects. Knows nothing of the driver's parser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor

ROUTER_ID = "203.0.113.2"
Told = Mapping[str, Sequence[str]]
"""What a process is told: words of its own, or of its `receive` and `send` sections."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A neighbour, and what its configuration has besides.

    Attributes:
        neighbor: what the driver needs of it.
        description: any text without quotes, as it is written between quotes.
        password: likewise; there is none where it is empty.
        received: of each process, what it is told of messages from the peer.
        families: those besides IPv4 and IPv6 unicast.
    """

    neighbor: ConfiguredNeighbor
    description: str = ""
    password: str = ""
    received: Told = field(default_factory=dict)
    families: Sequence[str] = ()

    @property
    def read(self) -> ConfiguredNeighbor:
        """What the driver is to read of it."""
        hears = {p for p, words in self.received.items() if {"parsed", "update"} <= {*words}}
        found = self.neighbor.hears | (hears & self.neighbor.processes)
        return replace(self.neighbor, hears=found)

    def lines(self, dialect: int) -> list[str]:
        """Return the lines of `show neighbor configuration`."""
        near = self.neighbor
        families = [*(f"ipv{v} unicast" for v in sorted(near.families)), *self.families]
        fifth = dialect == 5
        text = [
            f"neighbor {near.address} {{",
            f'  description "{self.description}";',
            f"  router-id {ROUTER_ID};",
            f"  host-name {'None' if fifth else 'lb1'};",
            f"  domain-name {'None' if fifth else 'example.net'};",
            f"  local-address {near.local_address or 'auto'};",
            *(["  source-interface None;"] if fifth else []),
            f"  local-as {near.local_as};",
            f"  peer-as {near.peer_as};",
            "  hold-time 180;",
            "  rate-limit disable;",
            f"  manual-eor {str(near.manual_eor).lower()};",
            "",
            "  passive false;",
            *([f'  md5-password "{self.password}";'] if self.password else []),
            f"  md5-base64 {'false' if fifth else 'auto'};",
            *([f'  md5-ip "{near.local_address}";'] if near.local_address else []),
            *([] if fifth else [""]),
            "  capability {",
            "    asn4 enable;",
            "    add-path disable;",
            "  }",
            "  family {",
            *(f"    {family};" for family in families),
            "  }",
            "  nexthop {",
            "  }",
            "  add-path {",
            "  }",
        ]
        for process in sorted(near.processes):
            text += ["  api {", f"    processes [ {process} ];", "    neighbor-changes;"]
            sent = ["parsed", "update"] if process in near.told else []
            hears = ["parsed", "update"] if process in near.hears else []
            received = [*self.received.get(process, ()), *hears]
            for way, words in (("receive", received), ("send", sent)):
                if words:
                    text += [f"    {way} {{", *(f"      {word};" for word in words), "    }"]
            text.append("  }")
        return "\n".join([*text, "}"]).split("\n")
