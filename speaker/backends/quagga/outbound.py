"""Outbound: what our own route-map out at a neighbour does, as bgpd's lines, and read back from them.

One is called by what it does, `VIP-OUT-1f3a90cc`, and so are its prefix-lists, `VIP-OUT-1f3a90cc-kept`, `-given` and
`-soft-MED`. It is never changed: another one is made beside it, and the neighbour given that one.

A VIP that drains softly has a MED that is greater than any other of its own, and keeps it, and its LOCAL_PREF, whatever
the neighbour's rules say: by that MED the route-map knows it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.peers import USUAL_PREFERENCE
from policy.route import parse_prefix
from speaker.backends.quagga.extended_lines import extended_lines
from speaker.backends.quagga.route_map import in_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.peers import PeerPolicy
    from policy.route import Asn, Prefix
    from speaker.backends.quagga.running_config import Running

_NAME = re.compile(r"VIP-OUT-[0-9a-f]{8}(?:-[0-9]+)?")
_LIST = re.compile(rf"(?P<map>{_NAME.pattern})-(?:kept|given|soft-[0-9]{{1,10}})")
_CLAUSE = re.compile(r"route-map \S+ (?P<kind>permit|deny) [0-9]+")
PENDING = "VIP-OUT-00000000"
PENDING_LIST = f"{PENDING}-kept"
"""A prefix-list that nothing uses: while it is there, neighbours may still have what they had before."""
Effect = tuple[str | int, ...] | None
"""What a neighbour gets of a prefix: what is set on it, and with which MED it is known to drain; None for nothing."""
AS_IT_IS: Effect = ()
Clause = tuple[str, list[str]]
"""`permit` or `deny`, and the lines inside, sorted."""
_NOT_SOFT = ("set metric ", "set local-preference ")


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
        soft: the prefixes of which less is set where they have a MED.
    """

    version: int
    kept: frozenset[Prefix] = frozenset()
    given: frozenset[Prefix] = frozenset()
    sets: tuple[str, ...] = ()
    soft: tuple[tuple[int, frozenset[Prefix]], ...] = ()

    def effect(self, prefix: Prefix) -> Effect:
        """Return what the neighbour gets of a prefix."""
        if prefix in self.kept:
            return None
        drains = [med for med, prefixes in self.soft if prefix in prefixes]
        return (*self.sets, *drains) if prefix in self.given else AS_IT_IS

    @property
    def is_idle(self) -> bool:
        """Whether it does nothing at all."""
        return not self.kept and not self.given

    @property
    def name(self) -> str:
        """What its route-map is called, unless that name is taken."""
        lists = ((kind, *_texts(prefixes)) for kind, prefixes in self._lists)
        parts = (str(self.version), *self.sets, *chain.from_iterable(lists))
        return f"VIP-OUT-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:8]}"

    @property
    def _lists(self) -> Iterator[tuple[str, frozenset[Prefix]]]:
        yield "kept", self.kept
        for med, prefixes in self.soft:
            yield f"soft-{med}", prefixes
        yield "given", self.given

    def lists(self, name: str) -> Iterator[str]:
        """Yield the commands that make its prefix-lists, in configuration mode.

        They come before its clauses: an empty one matches every prefix.
        """
        ip = _ip(self.version)
        for kind, prefixes in self._lists:
            for number, prefix in enumerate(_texts(prefixes), 1):
                yield f"{ip} prefix-list {name}-{kind} seq {5 * number} permit {prefix}"

    def clauses(self, name: str) -> Iterator[str]:
        """Yield the commands that make it where nothing has its name, in configuration mode."""
        for number, (kind, lines) in enumerate(self.shape(name), 1):
            yield from (f"route-map {name} {kind} {10 * number}", *lines, "exit")

    def shape(self, name: str) -> Iterator[Clause]:
        """Yield its clauses."""
        ip = _ip(self.version)
        if self.kept:
            yield "deny", [f"match {ip} address prefix-list {name}-kept"]
        less = [line for line in self.sets if not line.startswith(_NOT_SOFT)]
        for med, _ in self.soft:
            match = [f"match {ip} address prefix-list {name}-soft-{med}", f"match metric {med}"]
            yield "permit", [*match, *less]
        if self.given:
            yield "permit", [f"match {ip} address prefix-list {name}-given", *self.sets]
        yield "permit", []


def _texts(prefixes: Iterable[Prefix]) -> list[str]:
    return sorted(map(str, prefixes))


def _ip(version: int) -> str:
    return "ip" if version == 4 else "ipv6"


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
    found += extended_lines(policy.extended_communities)
    if policy.local_preference not in (None, USUAL_PREFERENCE):
        found.append(f"set local-preference {policy.local_preference}")
    return tuple(sorted(found))


def read_back(running: Running, name: str) -> Outbound | None:
    """Return what one of our route-maps does, None where it is missing, or is not as we make one."""
    clauses: list[Clause] = []
    for line in running.maps.get(name, ()):
        if match := _CLAUSE.fullmatch(line):
            clauses.append((match["kind"], []))
        else:
            clauses[-1][1].append(_normal(line))
    clauses = [(kind, sorted(lines)) for kind, lines in clauses]
    for version in (4, 6):
        made = _of(running, name, version, clauses)
        if made is not None and [*made.shape(name)] == clauses:
            return made
    return None


def _of(running: Running, name: str, version: int, clauses: Iterable[Clause]) -> Outbound | None:
    """Return what a route-map does if it is one of a family, which its clauses have to prove."""
    lists = {
        each.removeprefix(f"{name}-"): _entries(lines)
        for (of, each), lines in running.lists.items()
        if of == version and (match := _LIST.fullmatch(each)) and match["map"] == name
    }
    known = {kind: prefixes for kind, prefixes in lists.items() if prefixes is not None}
    if known.keys() != lists.keys():
        return None
    given = f"match {_ip(version)} address prefix-list {name}-given"
    lines = [line for _, inside in clauses if given in inside for line in inside]
    return Outbound(
        version,
        known.pop("kept", frozenset()),
        known.pop("given", frozenset()),
        tuple(line for line in lines if line != given),
        tuple(sorted((int(kind.removeprefix("soft-")), known[kind]) for kind in known)),
    )


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
