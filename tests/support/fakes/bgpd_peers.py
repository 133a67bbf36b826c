"""A bgpd with several neighbours, each with its route-map out: what each was sent, at every moment.

After each command what neighbours have is worked out again, sooner than the daemons do it: an FRR lets a moment
pass first. A Quagga sends what its policy lets through when a path comes, and all again when it is told to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.fakes.bgpd import Bgpd, communities, extended
from tests.support.fakes.bgpd_table import Row, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from policy.route import Prefix
    from tests.support.fakes.bgpd import Path


@dataclass(frozen=True, slots=True)
class SentPath:
    """What a neighbour was sent of a prefix. `path` is the AS_PATH as it sees it."""

    path: str
    med: int
    communities: frozenset[str]
    large: frozenset[str]
    preference: int
    extended: frozenset[str] = frozenset()


@dataclass
class FakePeer:
    """A neighbour.

    Attributes:
        asn: its AS.
        up: whether its session is up.
        maps: the route-map out in each family.
        rib: what it has.
        ever: all that it ever was sent.
        told: the path by which each prefix was judged last.
    """

    asn: int
    up: bool = True
    maps: dict[int, str] = field(default_factory=dict)
    rib: dict[Prefix, SentPath] = field(default_factory=dict)
    ever: set[Prefix] = field(default_factory=set)
    told: dict[Prefix, Path] = field(default_factory=dict)


@dataclass
class BgpdWithPeers(Bgpd):
    """The daemon. `lists` has the prefixes that each prefix-list permits, by family and name."""

    neighbors: dict[str, FakePeer] = field(default_factory=dict)
    lists: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    """More lines of `router bgp`, as running-config shows them."""
    cured: bool = True
    """Whether it sends without a policy, where it is an FRR."""
    refused: str = ""
    """The beginning of commands that it refuses."""
    watch: Callable[[], None] = lambda: None
    """Called after each command."""

    def _do(self, command: str) -> list[str]:
        if self.refused and command.startswith(self.refused):
            raise self._unknown(command)
        said = [] if self._of_neighbors(command) else super()._do(command)
        self.send(again="soft out" in command)
        self.watch()
        return said

    def _of_neighbors(self, command: str) -> bool:
        """Do a command of neighbours or prefix-lists; tell whether it is one."""
        match command.split():
            case ["end"]:
                self._node = ""
            case ["clear", "ip" | "bgp", _, "*", "soft", "out"] if not self._node:
                pass
            case [("ip" | "ipv6") as ip, "prefix-list", name, "seq", number, "permit", prefix]:
                entries = self.lists.setdefault((4 if ip == "ip" else 6, name), [])
                line = f"seq {number} permit {prefix}"
                entries[:] = [each for each in entries if each.split()[1] != number] + [line]
            case ["no", ("ip" | "ipv6") as ip, "prefix-list", name]:
                del self.lists[4 if ip == "ip" else 6, name]
            case ["match", _, "address", "prefix-list", _] | ["match", "metric", _] if (
                self._node == "map"
            ):
                self._clause.append(command)
            case ["neighbor", name, "route-map", route_map, "out"] if self._node in _FAMILIES:
                self._peer(name, command).maps[_FAMILIES[self._node]] = route_map
            case ["no", "neighbor", name, "route-map", _, "out"] if self._node in _FAMILIES:
                self._peer(name, command).maps.pop(_FAMILIES[self._node], None)
            case _:
                return False
        return True

    def _peer(self, name: str, command: str) -> FakePeer:
        if name not in self.neighbors:
            raise self._unknown(command)
        return self.neighbors[name]

    # --- what is sent --------------------------------------------------------------------------

    def send(self, *, again: bool = False) -> None:
        """Work out what each neighbour has by now.

        Args:
            again: whether also of paths that were sent already.
        """
        for peer in self.neighbors.values():
            if not peer.up:
                peer.rib.clear()
                peer.told.clear()
                continue
            for prefix in [prefix for prefix in peer.told if prefix not in self.paths]:
                peer.rib.pop(prefix, None)
                del peer.told[prefix]
            for prefix, path in self.paths.items():
                if path.valid and (self.frr or again or peer.told.get(prefix) is not path):
                    self._tell(peer, prefix, path)

    def _tell(self, peer: FakePeer, prefix: Prefix, path: Path) -> None:
        peer.told[prefix] = path
        name = peer.maps.get(prefix.version)
        sets = [] if name is None else self._evaluate(name, prefix, path)
        if sets is None:
            peer.rib.pop(prefix, None)
            return
        peer.ever.add(prefix)
        peer.rib[prefix] = self._sent(peer, path, sets)

    def _evaluate(self, name: str, prefix: Prefix, path: Path) -> list[str] | None:
        """Return what a route-map sets on a prefix, None where it denies it."""
        clauses = self.maps.get(name, {})
        for head in sorted(clauses, key=lambda head: int(head.split()[-1])):
            lines = clauses[head]
            matches = [line for line in lines if line.startswith("match ")]
            if all(self._matches(line, prefix, path) for line in matches):
                return lines if " permit " in head else None
        return None

    def _matches(self, line: str, prefix: Prefix, path: Path) -> bool:
        if line.startswith("match metric "):
            return int(line.rpartition(" ")[2]) == int(path.value("metric") or 0)
        _, ip, _, _, name = line.split()
        version = 4 if ip == "ip" else 6
        entries = self.lists.get((version, name))
        if entries is None or version != prefix.version:
            return False
        return any(each.split()[-1] == str(prefix) for each in entries)

    def _sent(self, peer: FakePeer, path: Path, lines: list[str]) -> SentPath:
        """Return what a neighbour gets of a path on which a route-map sets something."""

        def value(kind: str) -> str:
            start = f"set {kind} "
            return next((line[len(start) :] for line in lines if line.startswith(start)), "")

        ases = [path.value("as-path"), value("as-path")]
        own = [word for text in ases for word in text.split() if word != "prepend"]
        if peer.asn != self.asn:
            own.append(str(self.asn))
        return SentPath(
            " ".join(own),
            int(value("metric") or path.value("metric") or 0),
            frozenset(communities(path.value("community")) + communities(value("community"))),
            frozenset(
                communities(path.value("large-community")) + communities(value("large-community"))
            ),
            int(value("local-preference") or path.value("local-preference") or 100),
            frozenset(extended((*path.sets, *lines))),
        )

    # --- what is shown -------------------------------------------------------------------------

    def _neighbor_lines(self, version: int) -> list[str]:
        lines = []
        for name, peer in self.neighbors.items():
            lines += [f" neighbor {name} remote-as {peer.asn}"] * (not self.frr and version == 4)
            if version in peer.maps:
                lines.append(f" neighbor {name} route-map {peer.maps[version]} out")
        return lines

    def _list_lines(self) -> list[str]:
        return [
            f"{'ip' if version == 4 else 'ipv6'} prefix-list {name} {entry}"
            for (version, name), entries in self.lists.items()
            for entry in entries
        ]

    def _running(self) -> list[str]:
        lines = super()._running()
        at = lines.index(f"router bgp {self.asn}") + 1
        more = [" no bgp ebgp-requires-policy"] * (self.frr and self.cured)
        return [*lines[:at], *more, *self.lines, *lines[at:]]

    def _sessions(self) -> list[tuple[str, int, bool]]:
        return [(name, peer.asn, peer.up) for name, peer in self.neighbors.items()]

    def _advertised(self, address: str, version: int) -> list[str]:
        rows = [
            row
            for prefix in sorted(self.neighbors[address].rib, key=str)
            if prefix.version == version
            for row in self._of_rib(prefix)
        ]
        return list(table(self._form, rows)) if rows else []

    def _of_rib(self, prefix: Prefix) -> Iterator[Row]:
        hop = "0.0.0.0" if prefix.version == 4 else "::"
        if not self.frr:
            hop = "203.0.113.2" if prefix.version == 4 else "2001:db8:ffff:1::2"
        yield Row(prefix, "*> ", hop, 0, None, 0 if self.dialect == "frr-10.7.1" else 32768, [])


_FAMILIES = {"ipv4": 4, "ipv6": 6}
