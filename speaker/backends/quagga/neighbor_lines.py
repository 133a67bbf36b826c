"""What bgpd's running-config says of neighbours: the route-map out at each, and what else is at work there."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

PREFIX_LIST = re.compile(
    r"(?P<ip>ip|ipv6) prefix-list (?P<name>VIP-OUT-\S+) (?:seq [0-9]+ )?(?P<entry>.+)"
)
"""A line of a prefix-list that is made for neighbours: those of a site are not read."""
_FAMILY = re.compile(r" +address-family (?P<family>\S+)(?P<kind> \S+)?(?: .*)?")
_NEIGHBOR = re.compile(r" +neighbor (?P<name>\S+) (?P<rest>.+)")
DATACENTER = "frr defaults datacenter"
"""With these defaults FRR needs no policy."""
_POLICY = {"bgp ebgp-requires-policy": True, "no bgp ebgp-requires-policy": False}
Side = tuple[str, int]
"""A neighbour by its name in the configuration, mostly its address, in a family (4 or 6)."""


@dataclass(slots=True)
class NeighborLines:
    """The lines of neighbours and peer-groups.

    Attributes:
        maps: the route-map out at each.
        filtered: those at which some other filter out is.
        groups: the peer-groups that each is in.
        needs_policy: whether an FRR with this configuration sends eBGP neighbours nothing unless
            there is a policy for it (RFC 8212).
    """

    maps: dict[Side, str] = field(default_factory=dict)
    filtered: set[Side] = field(default_factory=set)
    groups: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    needs_policy: bool = True

    def take(self, line: str, family: int) -> None:
        """Take a line of `router bgp`, in a family; 0 is for those that are of no interest."""
        self.needs_policy = _POLICY.get(line.strip(), self.needs_policy)
        match = _NEIGHBOR.fullmatch(line)
        if match is None:
            return
        name = match["name"]
        match match["rest"].split():
            case ["peer-group", group]:
                self.groups[name].add(group)
            case ["route-map", route_map, "out"] if family:
                self.maps[name, family] = route_map
            case ["prefix-list" | "filter-list" | "distribute-list", _, "out"] if family:
                self.filtered.add((name, family))
            case _:
                return

    def inherited(self, side: Side) -> str:
        """Return the route-map out that a neighbour has by a peer-group, empty for none."""
        name, family = side
        found = (self.maps.get((group, family), "") for group in sorted(self.groups.get(name, ())))
        return next(filter(None, found), "")

    def is_filtered(self, side: Side) -> bool:
        """Tell whether some other filter out is at a neighbour, or at a peer-group of it."""
        name, family = side
        names = (name, *self.groups.get(name, ()))
        return any((each, family) in self.filtered for each in names)


def family_of(line: str, family: int) -> int:
    """Return of which family the lines behind this one of `router bgp` are: 4, 6, or 0 for others."""
    if line.strip() == "exit-address-family":
        return 4
    match = _FAMILY.fullmatch(line)
    if match is None:
        return family
    is_unicast = match["kind"] in (None, " unicast")
    return {"ipv4": 4, "ipv6": 6}.get(match["family"], 0) if is_unicast else 0
