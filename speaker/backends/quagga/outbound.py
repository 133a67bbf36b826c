"""Outbound: what a route-map of ours out at a neighbour does, as bgpd's lines, and read back from them.

One is called by what it does, `VIP-OUT-1f3a90cc`, and so are its prefix-lists, `VIP-OUT-1f3a90cc-kept` and
`-given`. It is never changed: another one is made beside it, and the neighbour given that one.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.peers import USUAL_PREFERENCE
from policy.route import parse_prefix
from speaker.backends.quagga.route_map import in_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.peers import PeerPolicy
    from policy.route import Asn, Prefix
    from speaker.backends.quagga.running_config import Running

_NAME = re.compile(r"VIP-OUT-[0-9a-f]{8}(?:-[0-9]+)?")
_LIST = re.compile(rf"(?P<map>{_NAME.pattern})-(?:kept|given)")
_CLAUSE = re.compile(r"route-map \S+ (?P<kind>permit|deny) [0-9]+")
PENDING = "VIP-OUT-00000000"
PENDING_LIST = f"{PENDING}-kept"
"""A prefix-list that nothing uses: while it is there, neighbours may still have what they had before."""
Effect = tuple[str, ...] | None
"""What a neighbour gets of a prefix: what is set on it, or None for nothing."""
AS_IT_IS: Effect = ()


def is_ours(route_map: str) -> bool:
    """Tell whether a route-map is one that this program makes for neighbours, by its name."""
    return _NAME.fullmatch(route_map) is not None


@dataclass(frozen=True, slots=True)
class Outbound:
    """What a route-map out does with prefixes of one family (4 or 6). All others pass as they are.

    Attributes:
        version: the family.
        kept: what is kept from the neighbour.
        given: that on which something is set.
        sets: what is set, sorted.
    """

    version: int
    kept: frozenset[Prefix] = frozenset()
    given: frozenset[Prefix] = frozenset()
    sets: tuple[str, ...] = ()

    def effect(self, prefix: Prefix) -> Effect:
        """Return what the neighbour gets of a prefix."""
        if prefix in self.kept:
            return None
        return self.sets if prefix in self.given else AS_IT_IS

    @property
    def is_idle(self) -> bool:
        """Whether it does nothing at all."""
        return not self.kept and not self.given

    @property
    def name(self) -> str:
        """What its route-map is called, unless that name is taken."""
        parts = (self.version, *_texts(self.kept), "given", *_texts(self.given), *self.sets)
        digest = hashlib.sha256("\n".join(map(str, parts)).encode())
        return f"VIP-OUT-{digest.hexdigest()[:8]}"

    def lists(self, name: str) -> Iterator[str]:
        """Yield the commands that make its prefix-lists, in configuration mode.

        They come before its clauses: an empty one matches every prefix.
        """
        ip = _ip(self.version)
        for kind, prefixes in (("kept", self.kept), ("given", self.given)):
            for number, prefix in enumerate(_texts(prefixes), 1):
                yield f"{ip} prefix-list {name}-{kind} seq {5 * number} permit {prefix}"

    def clauses(self, name: str) -> Iterator[str]:
        """Yield the commands that make it where nothing has its name, in configuration mode."""
        if self.kept:
            yield from (f"route-map {name} deny 10", _match(name, "kept", self.version), "exit")
        if self.given:
            yield from (f"route-map {name} permit 20", _match(name, "given", self.version))
            yield from (*self.sets, "exit")
        yield from (f"route-map {name} permit 30", "exit")


def _texts(prefixes: Iterable[Prefix]) -> list[str]:
    return sorted(map(str, prefixes))


def _ip(version: int) -> str:
    return "ip" if version == 4 else "ipv6"


def _match(name: str, kind: str, version: int) -> str:
    return f"match {_ip(version)} address prefix-list {name}-{kind}"


def sets(policy: PeerPolicy, asn: Asn) -> tuple[str, ...]:
    """Return what is set on a route for a neighbour, as it stands in a route-map."""
    found = []
    if policy.prepends:
        found.append(f"set as-path prepend {' '.join([str(asn)] * policy.prepends)}")
    if policy.med is not None:
        found.append(f"set metric {policy.med}")
    if policy.communities:
        found.append(f"set community {' '.join(map(str, sorted(policy.communities)))} additive")
    if policy.large_communities:
        numbers = " ".join(map(str, sorted(policy.large_communities)))
        found.append(f"set large-community {numbers} additive")
    if policy.local_preference not in (None, USUAL_PREFERENCE):
        found.append(f"set local-preference {policy.local_preference}")
    return tuple(sorted(found))


def read_back(running: Running, name: str) -> Outbound | None:
    """Return what a route-map of ours does, None where it is missing, or is not as we make one."""
    clauses: list[tuple[str, list[str]]] = []
    for line in running.maps.get(name, ()):
        if match := _CLAUSE.fullmatch(line):
            clauses.append((match["kind"], []))
        else:
            clauses[-1][1].append(_normal(line))
    clauses = [(kind, sorted(inside)) for kind, inside in clauses]
    for version in (4, 6):
        made = _of(running, name, version, clauses)
        if made is not None and _shape(made, name) == clauses:
            return made
    return None


def _of(
    running: Running, name: str, version: int, clauses: Sequence[tuple[str, list[str]]]
) -> Outbound | None:
    """Return what a route-map does if it is one of a family, which its shape has to prove."""
    lists = [_entries(running.lists.get((version, f"{name}-{kind}"))) for kind in ("kept", "given")]
    lines = [line for _, inside in clauses for line in inside if line.startswith("set ")]
    kept, given = lists
    if kept is None or given is None:
        return None
    return Outbound(version, kept, given, tuple(sorted(lines)))


def _shape(made: Outbound, name: str) -> list[tuple[str, list[str]]]:
    clauses: list[tuple[str, list[str]]] = []
    if made.kept:
        clauses.append(("deny", [_match(name, "kept", made.version)]))
    if made.given:
        clauses.append(("permit", [_match(name, "given", made.version), *made.sets]))
    return [*clauses, ("permit", [])]


def _entries(lines: Sequence[str] | None) -> frozenset[Prefix] | None:
    """Return the prefixes that a prefix-list permits: None where it says anything else."""
    try:
        pairs = [line.split(" ", 1) for line in lines or ()]
        if any(len(pair) != 2 or pair[0] != "permit" for pair in pairs):
            return None
        return frozenset(parse_prefix(text) for _, text in pairs)
    except PolicyError:
        return None


def _normal(line: str) -> str:
    """Return a line of a clause as we write it: communities sorted, and by number."""
    return in_numbers(line) + " additive" * line.endswith(" additive")


def leftovers(running: Running, used: Iterable[str]) -> Iterator[str]:
    """Yield the commands that remove what is ours and not used: route-maps before their prefix-lists."""
    names = frozenset(used)
    for name in [name for name in running.maps if is_ours(name)]:
        if name not in names:
            yield f"no route-map {name}"
    for version, name in list(running.lists):
        match = _LIST.fullmatch(name)
        if match is not None and (match["map"] not in names):
            yield f"no {_ip(version)} prefix-list {name}"
