"""bgpd's words: commands to render; running-config, tables and refusals to parse. No I/O.

One dialect serves Quagga 0.99 and 1.2 and FRR: the commands are those that all three take.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.plan import Announce, Drift
from policy.route import Asn, AsPath, Attributes, Community, LargeCommunity, Origin, Route
from policy.route import parse_prefix as parse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Prefix

LOCAL_WEIGHT = 32768


@dataclass(frozen=True, slots=True)
class RouteMap:
    """A route-map that gives a network line its attributes: one clause that permits all."""

    name: str
    sets: tuple[str, ...]

    @property
    def head(self) -> str:
        """Its clause's first line."""
        return f"route-map {self.name} permit 10"

    def commands(self, found: Sequence[str]) -> Iterator[str]:
        """Yield the commands that make it, in configuration mode, of what is there.

        It is never removed as a whole: FRR 8.4 goes on using the memory of a route-map that was
        removed while network lines name it, and crashes.

        Args:
            found: the lines of the route-map that has the name now.
        """
        clauses: dict[str, list[str]] = {}
        for line in found:
            if line.startswith("route-map "):
                clauses[line] = own = []
            else:
                own.append(line)
        there = clauses.get(self.head, [])
        kinds = {tuple(line.split()[:2]) for line in self.sets}
        yield self.head
        yield from (_undone(line) for line in there if tuple(line.split()[:2]) not in kinds)
        yield from (line for line in self.sets if line not in there)
        yield "exit"
        number = self.head.split()[-1]
        yield from (f"no {head}" for head in clauses if head.split()[-1] != number)


_BARE = ("set as-path prepend", "set metric", "set origin", "set community", "set large-community")


def _undone(line: str) -> str:
    """Return what removes a line of a clause. FRR refuses `no set as-path prepend` with its value."""
    return f"no {next((bare for bare in _BARE if line.startswith(f'{bare} ')), line)}"


def route_map(name: str, asn: Asn, attributes: Attributes) -> RouteMap:
    """Return the route-map with which bgpd sends eBGP peers these attributes."""
    sets = []
    if len(attributes.as_path) > 1:
        sets.append(f"set as-path prepend {AsPath((asn,) * (len(attributes.as_path) - 1))}")
    if attributes.origin is not Origin.IGP:
        sets.append(f"set origin {attributes.origin}")
    if attributes.med:
        sets.append(f"set metric {attributes.med}")
    if attributes.communities:
        sets.append(f"set community {' '.join(map(str, attributes.communities))}")
    if attributes.large_communities:
        sets.append(f"set large-community {' '.join(map(str, attributes.large_communities))}")
    return RouteMap(name, tuple(sets))


_NAMED = {
    "internet": "0:0",
    "graceful-shutdown": "65535:0",
    "accept-own": "65535:1",
    "route-filter-translated-v4": "65535:2",
    "route-filter-v4": "65535:3",
    "route-filter-translated-v6": "65535:4",
    "route-filter-v6": "65535:5",
    "llgr-stale": "65535:6",
    "no-llgr": "65535:7",
    "accept-own-nexthop": "65535:8",
    "blackhole": "65535:666",
    "no-export": "65535:65281",
    "no-advertise": "65535:65282",
    "local-AS": "65535:65283",
    "no-peer": "65535:65284",
}


def _in_numbers(line: str) -> str:
    """Return a line of a route-map with communities as we write them: bgpd names some, sorts some."""
    try:
        match line.split():
            case ["set", "community", *words]:
                numbers = [_NAMED.get(word, word) for word in words if word != "additive"]
                return f"set community {_sorted(map(Community.parse, numbers))}"
            case ["set", "large-community", *words]:
                numbers = [word for word in words if word != "additive"]
                return f"set large-community {_sorted(map(LargeCommunity.parse, numbers))}"
            case _:
                return line
    except PolicyError:
        return line


def _sorted(communities: Iterable[Community] | Iterable[LargeCommunity]) -> str:
    return " ".join(str(each) for each in sorted(communities))


@dataclass(slots=True)
class Running:
    """What running-config says of BGP. `maps` has the lines of each route-map, clauses in order."""

    asns: list[Asn] = field(default_factory=list)
    networks: dict[Prefix, str | None] = field(default_factory=dict)
    maps: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def has(self, wanted: RouteMap) -> bool:
        """Tell whether a route-map is there, and is what it should be, whatever its clause's number."""
        lines = self.maps.get(wanted.name)
        if not lines or not lines[0].startswith(f"route-map {wanted.name} permit "):
            return False
        return sorted(map(_in_numbers, lines[1:])) == sorted(wanted.sets)


_ROUTER = re.compile(r"router bgp ([0-9]+)( .*)?")
_NETWORK = re.compile(r" +network (\S+)(?: route-map (\S+))?")
_MAP = re.compile(r"route-map (\S+) (permit|deny) ([0-9]+)")


def parse_running(lines: Iterable[str]) -> Running:
    """Parse running-config. Lines that say nothing of networks or route-maps are passed over."""
    running = Running()
    router = name = ""
    for raw in lines:
        line = raw.rstrip()
        if match := _ROUTER.fullmatch(line):
            router, name = ("main" if match[2] is None else "other"), ""
            if router == "main":
                running.asns.append(Asn(int(match[1])))
        elif match := _MAP.fullmatch(line):
            router, name = "", match[1]
            running.maps[name].append(line)
        elif line and not line.startswith((" ", "!")):
            if line != "exit":
                router = name = ""
        elif router == "main" and (match := _NETWORK.fullmatch(line)):
            try:
                running.networks[parse(match[1])] = match[2]
            except PolicyError:
                continue  # `network 10.0.0.0 mask …` and the like: none of ours is written so
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
            continue  # whatever it is, it is none of ours
    return found


@dataclass(frozen=True, slots=True)
class Path:
    """A path of the table that this bgpd originates. `med` is None where the table shows none."""

    valid: bool
    best: bool
    med: int | None
    as_path: AsPath
    origin: Origin


NOT_BEST = Drift("our path is valid and not the best")
LEAVING = Drift("path of ours without a network line: redistributed, or just being removed")
PASSING = (NOT_BEST, LEAVING)
"""What a reading may find for a moment after a change."""
_ORIGINS = {"i": Origin.IGP, "e": Origin.EGP, "?": Origin.INCOMPLETE}
_ROW = re.compile(r"(?P<codes>[ *sdhrSRi=>]{3})(?P<network>\S*)(?P<rest>(?: .*)?)")
_LOCAL = re.compile(r"\s+(?:0\.0\.0\.0|::)(?:\(\S+\))?(?:\s.*)?")
_END = re.compile(r"\s(?P<path>(?:[0-9]+ )*)(?P<origin>[ie?])\s*")


def parse_tables(lines: Iterable[str]) -> dict[Prefix, Path]:
    """Parse `show bgp ipv4 unicast`, and others behind it: the paths that this bgpd originates.

    In the table those have the unspecified next hop and weight 32768. A long prefix has a line of
    its own, and the second path of a prefix does not name it again. Numbers end below the end of
    their column's name.
    """
    paths: dict[Prefix, Path] = {}
    prefix: Prefix | None = None
    codes = head = ""
    for line in lines:
        if is_head(line):
            head = line
            continue
        if not line.strip():
            head = ""
        match = _ROW.fullmatch(line) if head else None
        if match is None:
            continue
        if match["network"]:
            prefix, codes = _network(match["network"]), match["codes"]
        elif match["codes"].strip():
            codes = match["codes"]
        if prefix is not None and _LOCAL.fullmatch(match["rest"]):
            path = _local_path(codes, line, head)
            if path is not None:
                paths[prefix] = path
    return paths


def is_head(line: str) -> bool:
    """Tell whether a line is the head of a table of routes."""
    return line.startswith("   Network ") and "Weight" in line


_EMPTY = ("No BGP network exists", "No BGP prefixes displayed")


def is_whole(lines: Sequence[str]) -> bool:
    """Tell whether running-config is whole: absence of text proves nothing."""
    return "end" in lines


def answered(lines: Sequence[str], tables: int) -> bool:
    """Tell whether running-config and so many tables behind it are whole, empty ones included."""
    seen = sum(is_head(line) or line.startswith(_EMPTY) for line in lines)
    return is_whole(lines) and seen == tables


def _network(text: str) -> Prefix | None:
    """Parse a prefix as a table shows it: Quagga leaves out the length of a classful one."""
    try:
        if "/" in text or ":" in text:
            return parse(text)
        if text == "0.0.0.0":  # noqa: S104 - the default route
            return parse(f"{text}/0")
        first = int(text.split(".", maxsplit=1)[0])
        return parse(f"{text}/{8 if first < 128 else 16 if first < 192 else 24}")
    except (PolicyError, ValueError):
        return None


def _local_path(codes: str, line: str, head: str) -> Path | None:
    metric, weight = (head.index(name) + len(name) for name in ("Metric", "Weight"))
    end = _END.fullmatch(line, weight)
    if end is None or line[:weight].rsplit(maxsplit=1)[-1] != str(LOCAL_WEIGHT):
        return None
    med = line[metric - 10 : metric].strip()
    return Path(
        "*" in codes,
        ">" in codes,
        int(med) if med.isdigit() else None,
        AsPath(tuple(Asn(int(value)) for value in end["path"].split())),
        _ORIGINS[end["origin"]],
    )


def seen(
    prefix: Prefix, running: Running, paths: Mapping[Prefix, Path], asn: Asn
) -> Route | Drift | None:
    """Return what bgpd announces of a prefix: nothing, a whole route, or what is wrong with it.

    Announced is a path of our own that is valid and best: neither running-config nor a path
    learned from another data centre proves that.
    """
    configured = prefix in running.networks
    path = paths.get(prefix)
    if path is None:
        if not configured:
            return None
        return Drift("network line without a path of ours in the table")
    if not configured:
        return LEAVING
    if not path.valid:
        return Drift("our path is invalid; on FRR, bgpd needs: no bgp network import-check")
    if not path.best:
        return NOT_BEST
    name = running.networks[prefix]
    communities, large, other = _communities(running.maps.get(name, []) if name else [])
    if other:
        return Drift(f"route-map {name} has {other!r}")
    return Route(
        prefix,
        Attributes(AsPath((asn, *path.as_path)), path.med or 0, path.origin, communities, large),
    )


def _communities(
    lines: Sequence[str],
) -> tuple[tuple[Community, ...], tuple[LargeCommunity, ...], str]:
    """Return what a route-map sets that no table shows, and the first line that we would not write."""
    communities: tuple[Community, ...] = ()
    large: tuple[LargeCommunity, ...] = ()
    for line in map(_in_numbers, lines):
        match line.split():
            case ["route-map", _, "permit", _] | ["set", "as-path", "prepend", *_]:
                continue
            case ["set", "metric" | "origin", _]:
                continue
            case ["set", "community", *words]:
                try:
                    communities = tuple(map(Community.parse, words))
                except PolicyError:
                    return (), (), line
            case ["set", "large-community", *words]:
                try:
                    large = tuple(map(LargeCommunity.parse, words))
                except PolicyError:
                    return (), (), line
            case _:
                return (), (), line
    return communities, large, ""


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
        again: route-maps that are made anew: Quagga takes every line that uses one out of its
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


FAULTS = ("% Unknown", "% Ambiguous", "% Command", "% There is no matched")
"""How a question that was not understood is answered. Other answers begin with `% ` too."""
LOCKED = "locked by other VTY"
_WRONG_AS = re.compile(r"BGP is already running; AS is ([0-9]+)")


def refusal(stdout: str) -> str:
    """Return what bgpd refused in a batch of configuration, or nothing: success is silent."""
    lines = [line.strip() for line in stdout.splitlines() if line.strip()]
    if not lines:
        return ""
    if match := _WRONG_AS.search(stdout):
        return f"bgpd runs AS {match[1]}"
    return "; ".join(lines[:3])
