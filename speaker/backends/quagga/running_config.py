"""bgpd's running-config, and the file that it starts with: its AS, network lines, neighbours and route-maps."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.asn import parse_asn
from policy.errors import PolicyError
from policy.route import parse_prefix as parse
from speaker.backends.quagga.neighbor_lines import DATACENTER, PREFIX_LIST, NeighborLines, family_of
from speaker.backends.quagga.route_map import in_numbers
from speaker.backends.quagga.version import parse_running_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy.route import Asn, Prefix
    from speaker.backends.quagga.route_map import RunningRouteMap
    from speaker.backends.quagga.version import Version


@dataclass(slots=True)
class Running:
    """What running-config says of BGP. `maps` has the lines of each route-map, clauses in order.

    `version` is FRR's; Quagga does not name its own there. `lists` has the entries of the prefix-lists
    that are made for neighbours, by family and name, and `neighbors` what neighbours' lines say.
    """

    asns: list[Asn] = field(default_factory=list)
    networks: dict[Prefix, str | None] = field(default_factory=dict)
    maps: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    version: Version | None = None
    lists: dict[tuple[int, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    neighbors: NeighborLines = field(default_factory=NeighborLines)

    @property
    def frr(self) -> bool:
        """Whether it is FRR's."""
        return self.version is not None

    def has(self, wanted: RunningRouteMap) -> bool:
        """Tell whether a route-map is there, and is what it should be, whatever its clause's number."""
        lines = self.maps.get(wanted.name)
        if not lines or not lines[0].startswith(f"route-map {wanted.name} permit "):
            return False
        return sorted(map(in_numbers, lines[1:])) == sorted(wanted.sets)


END = "end"
"""Its last line."""
_ASN = r"[0-9]+(?:\.[0-9]+)?"  # plain, or in halves where `as-notation` says so
_ROUTER = re.compile(rf"router bgp ({_ASN})(?: as-notation \S+)?(?P<other> .*)?")
_NETWORK = re.compile(r" +network (\S+)(?: route-map (\S+))?")
_MAP = re.compile(r"route-map (\S+) (permit|deny) ([0-9]+)")


def parse_running(lines: Iterable[str]) -> Running:
    """Parse running-config. Lines that say nothing of networks, neighbours or route-maps are passed over."""
    parser = _Parser()
    for line in lines:
        parser.take(line.rstrip())
    return parser.running


class _Parser:
    """Takes running-config line by line. It is in `router bgp`, in a route-map, or in neither."""

    def __init__(self) -> None:
        self.running = Running()
        self._router = self._map = ""
        self._family = 4

    def take(self, line: str) -> None:
        if line.startswith(" "):
            self._inside(line)
        elif match := _ROUTER.fullmatch(line):
            self._router, self._map = ("main" if match["other"] is None else "other"), ""
            self._family = 4
            if self._router == "main":
                self.running.asns.append(parse_asn(match[1]))
        elif match := _MAP.fullmatch(line):
            self._router, self._map = "", match[1]
            self.running.maps[self._map].append(line)
        elif line and not line.startswith("!"):
            self._outside(line)

    def _inside(self, line: str) -> None:
        if self._router == "main":
            self._of_router(line)
        elif self._map and (text := line.strip()) not in {"!", "exit"}:
            self.running.maps[self._map].append(text)

    def _outside(self, line: str) -> None:
        self.running.version = self.running.version or parse_running_version(line)
        if line != "exit":
            self._router = self._map = ""
        if match := PREFIX_LIST.fullmatch(line):
            version = 4 if match["ip"] == "ip" else 6
            self.running.lists[version, match["name"]].append(match["entry"])
        elif line == DATACENTER:
            self.running.neighbors.needs_policy = False

    def _of_router(self, line: str) -> None:
        if match := _NETWORK.fullmatch(line):
            try:
                self.running.networks[parse(match[1])] = match[2]
            except PolicyError:
                return  # `network 10.0.0.0 mask …` and the like: our lines are never written so
        else:
            self._family = family_of(line, self._family)
            self.running.neighbors.take(line, self._family)


def start_lines(lines: Iterable[str]) -> list[tuple[int, Prefix]]:
    """Return the network lines of a start file: the number of each, from 1, and its prefix."""
    found = []
    router = False
    for number, line in enumerate(lines, 1):
        if line[:1].strip() and not line.startswith("!"):
            router = line.startswith("router bgp ")
        match line.split():
            case ["network", address, "mask", mask, *_] if router:
                text = f"{address}/{mask}"
            case ["network", text, *_] if router:
                pass
            case _:
                continue
        try:
            found.append((number, parse(text)))
        except PolicyError:
            continue  # whatever it is, it is not ours
    return found


def is_whole(lines: Sequence[str]) -> bool:
    """Tell whether running-config is whole: absence of text proves nothing."""
    return END in lines
