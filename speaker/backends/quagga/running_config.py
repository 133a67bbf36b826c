"""bgpd's running-config, and the file that it starts with: its AS, network lines and route-maps."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.route import parse_asn
from policy.route import parse_prefix as parse
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

    `version` is FRR's; Quagga does not name its own there.
    """

    asns: list[Asn] = field(default_factory=list)
    networks: dict[Prefix, str | None] = field(default_factory=dict)
    maps: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    version: Version | None = None

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
    """Parse running-config. Lines that say nothing of networks or route-maps are passed over."""
    running = Running()
    router = name = ""
    for raw in lines:
        line = raw.rstrip()
        if match := _ROUTER.fullmatch(line):
            router, name = ("main" if match["other"] is None else "other"), ""
            if router == "main":
                running.asns.append(parse_asn(match[1]))
        elif match := _MAP.fullmatch(line):
            router, name = "", match[1]
            running.maps[name].append(line)
        elif line and not line.startswith((" ", "!")):
            running.version = running.version or parse_running_version(line)
            if line != "exit":
                router = name = ""
        elif router == "main" and (match := _NETWORK.fullmatch(line)):
            try:
                running.networks[parse(match[1])] = match[2]
            except PolicyError:
                continue  # `network 10.0.0.0 mask …` and the like: our lines are never written so
        elif name and line.strip() not in {"", "!", "exit"}:
            running.maps[name].append(line.strip())
    return running


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
