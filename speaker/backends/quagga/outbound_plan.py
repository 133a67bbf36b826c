"""The commands that give each neighbour the route-map that it is to have, and remove what is left over. No I/O.

Theory of operation. A route-map that a neighbour uses is never changed, because what it does half-way would be what
that neighbour is sent. Another one is made beside it, complete with its prefix-lists, the neighbour is given that one by
a single line, and then the old one is removed. So wherever this is interrupted, each neighbour has what it had before,
or what it is to have; and what is left over is found in the next reading, by its name.

A prefix is announced only where each neighbour that is not to get it as it is has the route-map for that. One that left
vip.toml is kept from a neighbour as before until bgpd has no path of it (`Neighbors`).

FRR sends what a new route-map changes by itself. A Quagga does so when it is told to. That it was not told yet, a
prefix-list shows (`PENDING_LIST`) that is made before a neighbour's line is, and removed after the telling.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from speaker.backends.quagga.outbound import PENDING, PENDING_LIST, Outbound, leftovers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from policy.route import Asn
    from speaker.backends.quagga.neighbor_lines import Side
    from speaker.backends.quagga.neighbors import Neighbors
    from speaker.backends.quagga.running_config import Running

_TELL = ("end", "clear ip bgp * soft out", "clear bgp ipv6 * soft out")
_AGAIN = ("end", "configure terminal")
_MAKE_PENDING = f"ip prefix-list {PENDING_LIST} seq 5 permit 0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Move:
    """A neighbour's line that changes: from one route-map to another, or to none, which is empty."""

    side: Side
    old: str
    new: str

    @property
    def command(self) -> str:
        """The command, in the neighbour's family."""
        no, name = ("", self.new) if self.new else ("no ", self.old)
        return f"{no}neighbor {self.side[0]} route-map {name} out"

    def __str__(self) -> str:
        now = f"route-map {self.new}" if self.new else "no route-map of vip-speaker"
        return f"neighbor {self.side[0]}: {now} out, for IPv{self.side[1]}"


@dataclass(frozen=True, slots=True)
class OutboundPlan:
    """What is to be done at neighbours, in this order.

    Attributes:
        before: the commands that remove what is left over from earlier, and nothing uses.
        made: the route-maps that are made, by name.
        moves: the neighbours' lines.
        is_told: whether bgpd has to be told to send what is now in force.
        after: the commands that remove what is not used any more then.
    """

    before: Sequence[str]
    made: Mapping[str, Outbound]
    moves: Sequence[Move]
    is_told: bool
    after: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.before or self.moves or self.after)

    def batches(self, asn: Asn, size: int) -> Iterator[list[str]]:
        """Yield the commands in batches, each for one vtysh.

        Args:
            asn: bgpd's.
            size: how many lines of prefix-lists a batch has at most.
        """
        lists = [line for name, made in self.made.items() for line in made.lists(name)]
        maps = [line for name, made in self.made.items() for line in made.clauses(name)]
        before = self.before
        while len(lists) > size:
            yield ["configure terminal", *before, *lists[:size]]
            before = ()
            del lists[:size]
        yield ["configure terminal", *before, *lists, *maps, *self._lines(asn)]

    def _lines(self, asn: Asn) -> Iterator[str]:
        if self.moves:
            if self.is_told:
                yield _MAKE_PENDING
            yield f"router bgp {asn}"
            yield from (move.command for move in self.moves if move.side[1] == 4)
            if ipv6 := [move.command for move in self.moves if move.side[1] == 6]:
                yield from ("address-family ipv6", *ipv6)
        if self.is_told:
            yield from _TELL
        if self.after:
            yield from ("configure terminal",) if self.is_told else _AGAIN
            yield from self.after


def plan(neighbors: Neighbors, only: Collection[Side] | None = None) -> OutboundPlan:
    """Return what gives neighbours what they are to have.

    Args:
        neighbors: what they have, and are to have.
        only: those that are changed; None for all.
    """
    running = neighbors.running
    made: dict[str, Outbound] = {}
    names: dict[Outbound, str] = {}
    moves = []
    for seen in neighbors.wrong:
        if seen.obstacle or (only is not None and seen.side not in only):
            continue
        if (new := names.get(seen.want)) is None:
            new = "" if seen.want.is_idle else _name(seen.want, neighbors, made)
            names[seen.want] = new
        if new and neighbors.found(new) != seen.want:
            made[new] = seen.want
        moves.append(Move(seen.side, seen.name, new))
    moved = {move.side: move.new for move in moves}
    new_names = {*moved.values()} - made.keys()
    before = [*leftovers(running, {*_used(running), *new_names, PENDING})]
    then = {moved.get(side, name) for side, name in running.neighbors.maps.items()}
    used = {*then, *moved.values(), *_at_networks(running), PENDING}
    after = [line for line in leftovers(running, used) if line not in before]
    is_told = not running.frr and bool(moves or (4, PENDING_LIST) in running.lists)
    if is_told:
        after.append(f"no ip prefix-list {PENDING_LIST}")
    return OutboundPlan(before, made, moves, is_told, after)


def _used(running: Running) -> set[str]:
    """Return the route-maps that are in use."""
    return {*running.neighbors.maps.values(), *_at_networks(running)}


def _at_networks(running: Running) -> Iterable[str]:
    """Return the route-maps that network lines name, which a site may have called as it likes."""
    return (name for name in running.networks.values() if name)


def _name(want: Outbound, neighbors: Neighbors, made: Mapping[str, Outbound]) -> str:
    """Return what a route-map is called that does this: one that is there, or a name that is not in use.

    What is half-made, or changed, is never completed while a neighbour uses it.
    """
    used = _used(neighbors.running)
    for number in count(1):
        name = want.name if number == 1 else f"{want.name}-{number}"
        if made.get(name) == want or neighbors.found(name) == want:
            return name
        if name not in made and name not in used:
            return name
    raise AssertionError
