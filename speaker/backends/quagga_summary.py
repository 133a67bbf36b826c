"""bgpd's neighbours, as `show bgp summary` has them."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Session:
    """A neighbour as a summary shows it. `state` is a number of prefixes where it is established."""

    address: str
    asn: int
    state: str

    @property
    def up(self) -> bool:
        """Whether the session is established."""
        return self.state.isdigit() or self.needs_policy

    @property
    def needs_policy(self) -> bool:
        """Whether FRR sends it nothing, for want of a policy (RFC 8212)."""
        return self.state == "(Policy)"


def parse_summary(lines: Iterable[str]) -> list[Session]:
    """Parse `show bgp summary`: each neighbour once, in the order of the families."""
    sessions: dict[str, Session] = {}
    state_at = -1
    for line in lines:
        words = line.split()
        if words[:1] == ["Neighbor"]:
            state_at = words.index("State/PfxRcd")
        elif len(words) > state_at >= 0 and words[1] == "4":
            try:
                ip_address(words[0])
            except ValueError:
                continue
            before = sessions.get(words[0])
            if before is None or not before.needs_policy:
                sessions[words[0]] = Session(words[0], int(words[2]), words[state_at])
    return list(sessions.values())
