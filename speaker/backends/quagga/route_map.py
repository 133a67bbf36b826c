"""Route-maps of bgpd: how one gives a network line its attributes, and what one that is there sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from policy.errors import PolicyError
from policy.route import Asn, AsPath, Attributes, Community, LargeCommunity, Origin
from speaker.backends.quagga.extended_lines import KINDS, extended_lines, extended_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.extended import ExtendedCommunity


@dataclass(frozen=True, slots=True)
class RunningRouteMap:
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
        kinds = {_kind(line) for line in self.sets}
        yield self.head
        yield from (_undone(line) for line in there if _kind(line) not in kinds)
        yield from (line for line in self.sets if line not in there)
        yield "exit"
        number = self.head.split()[-1]
        yield from (f"no {head}" for head in clauses if head.split()[-1] != number)


_BARE = tuple(
    f"set {what}"
    for what in (
        *("as-path prepend", "metric", "local-preference", "origin"),
        *("community", "large-community", *KINDS),
    )
)


def _kind(line: str) -> tuple[str, ...]:
    """Return what a line sets, of which a clause has one."""
    words = line.split()
    return tuple(words[: 3 if words[1:2] == ["extcommunity"] else 2])


def _undone(line: str) -> str:
    """Return what removes a line of a clause. FRR refuses `no set as-path prepend` with its value."""
    return f"no {next((bare for bare in _BARE if line.startswith(f'{bare} ')), line)}"


def route_map(name: str, asn: Asn, attributes: Attributes) -> RunningRouteMap:
    """Return the route-map with which bgpd sends eBGP peers these attributes."""
    sets = []
    if len(attributes.as_path) > 1:
        sets.append(f"set as-path prepend {AsPath((asn,) * (len(attributes.as_path) - 1))}")
    if attributes.origin is not Origin.IGP:
        sets.append(f"set origin {attributes.origin}")
    if attributes.med:
        sets.append(f"set metric {attributes.med}")
    if attributes.local_preference is not None:
        sets.append(f"set local-preference {attributes.local_preference}")
    if attributes.communities:
        sets.append(f"set community {' '.join(map(str, attributes.communities))}")
    if attributes.large_communities:
        sets.append(f"set large-community {' '.join(map(str, attributes.large_communities))}")
    sets += extended_lines(attributes.extended_communities)
    return RunningRouteMap(name, tuple(sets))


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


def in_numbers(line: str) -> str:
    """Return a line of a route-map with communities as we write them: bgpd names some, sorts some."""
    try:
        match line.split():
            case ["set", "community", *words]:
                numbers = [_NAMED.get(word, word) for word in words if word != "additive"]
                return f"set community {_sorted(map(Community.parse, numbers))}"
            case ["set", "large-community", *words]:
                numbers = [word for word in words if word != "additive"]
                return f"set large-community {_sorted(map(LargeCommunity.parse, numbers))}"
            case ["set", "extcommunity", kind, *words]:
                values = " ".join(each.value for each in extended_of(kind, words))
                return f"set extcommunity {kind} {values}"
            case _:
                return line
    except PolicyError:
        return line


def _sorted(communities: Iterable[Community] | Iterable[LargeCommunity]) -> str:
    return " ".join(str(each) for each in sorted(communities))


class Hidden(NamedTuple):
    """What a route-map sets that no table shows of one of our paths, and the first line that we would not write."""

    communities: tuple[Community, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    local_preference: int | None = None
    other: str = ""
    extended_communities: tuple[ExtendedCommunity, ...] = ()


def hidden_of(lines: Sequence[str]) -> Hidden:
    """Return what a route-map sets beside what the table shows."""
    found = Hidden()
    for line in map(in_numbers, lines):
        try:
            match line.split():
                case ["route-map", _, "permit", _] | ["set", "as-path", "prepend", *_]:
                    continue
                case ["set", "metric" | "origin", _]:
                    continue
                case ["set", "local-preference", value]:
                    found = found._replace(local_preference=int(value))
                case ["set", "community", *words]:
                    found = found._replace(communities=tuple(map(Community.parse, words)))
                case ["set", "large-community", *words]:
                    large = tuple(map(LargeCommunity.parse, words))
                    found = found._replace(large_communities=large)
                case ["set", "extcommunity", kind, *words]:
                    extended = (*found.extended_communities, *extended_of(kind, words))
                    found = found._replace(extended_communities=extended)
                case _:
                    return Hidden(other=line)
        except ValueError:
            return Hidden(other=line)
    return found
