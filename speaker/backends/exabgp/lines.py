"""Changes as lines of ExaBGP's API: who is told what, and in which order. No I/O.

Lines are made of parsed values only, because ExaBGP finds its commands by substring: a stray
`shutdown` anywhere in a line would stop it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.plan import Announce
from speaker.backends.exabgp.api_text import next_hop_for, render_sent, sent, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy.plan import Change
    from policy.route import Attributes, Override
    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, ConfiguredNeighbors
    from speaker.config.settings import NextHop
    from speaker.units import IpAddress

PREFIXES_PER_LINE = 250


@dataclass(frozen=True, slots=True)
class ApiLine:
    """A command and the changes that it asks for."""

    command: str
    changes: tuple[Change, ...]

    @property
    def text(self) -> str:
        """The line as ExaBGP reads it."""
        return f"{self.command} nlri {' '.join(str(change.prefix) for change in self.changes)}"

    def halves(self) -> tuple[ApiLine, ApiLine]:
        """Return two lines that ask for the same."""
        middle = len(self.changes) // 2
        return ApiLine(self.command, self.changes[:middle]), ApiLine(
            self.command, self.changes[middle:]
        )


def render(
    changes: Iterable[Change], neighbors: ConfiguredNeighbors, hops: NextHop
) -> Iterator[ApiLine]:
    """Render changes as lines of one family and one set of attributes, withdrawals first.

    A line goes to all neighbours that get the same of it, and never to one that is not to get it:
    what is announced to all and then withdrawn from one was seen there. What goes to none has no
    line. Neighbours that are not to get a route have it withdrawn before others are told.
    """
    withdraw: dict[int, list[Change]] = defaultdict(list)
    announce: dict[tuple[int, Attributes, tuple[Override, ...]], list[Announce]] = defaultdict(list)
    for change in changes:
        if isinstance(change, Announce):
            route = change.route
            announce[change.prefix.version, route.attributes, route.overrides].append(change)
        else:
            withdraw[change.prefix.version].append(change)
    for version, gone in withdraw.items():
        if concerned := neighbors.of_family(version):
            yield from withdrawals(version, gone, neighbors.select(concerned))
    later: list[Iterator[ApiLine]] = []
    for (version, _, _), group in announce.items():
        excepted, given = _given(group[0], neighbors, next_hop_for(hops, version))
        if excepted:
            yield from withdrawals(version, group, neighbors.select(excepted))
        later += (
            _lines(f"{neighbors.select(those)} announce attributes {text}", group)
            for text, those in given.items()
        )
    for lines in later:
        yield from lines


def _given(
    change: Announce, neighbors: ConfiguredNeighbors, hop: IpAddress | None
) -> tuple[Sequence[ConfiguredNeighbor], Mapping[str, Sequence[ConfiguredNeighbor]]]:
    """Return who is not to get a route, and who is to get what: by the attributes in a line's text."""
    excepted: list[ConfiguredNeighbor] = []
    given: dict[str, list[ConfiguredNeighbor]] = defaultdict(list)
    version = change.prefix.version
    for neighbor in neighbors.of_family(version):
        attributes = change.route.to(neighbor.address)
        if attributes is None:
            excepted.append(neighbor)
        elif not unreachable(neighbor, version, hop):
            given[render_sent(sent(attributes, neighbor, hop))].append(neighbor)
    return excepted, given


def withdrawals(version: int, changes: Sequence[Change], selector: str) -> Iterator[ApiLine]:
    """Render withdrawals of one family as lines to the neighbours of a selector."""
    return _lines(f"{selector} withdraw attributes next-hop {_NO_HOP[version]}", changes)


# No next hop is sent with a withdrawal, but without one in the line ExaBGP 4.2 sends an IPv4
# withdrawal in a form for which the peer resets the session.
_NO_HOP = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - nothing listens there


def _lines(command: str, changes: Sequence[Change]) -> Iterator[ApiLine]:
    for start in range(0, len(changes), PREFIXES_PER_LINE):
        yield ApiLine(command.lstrip(), tuple(changes[start : start + PREFIXES_PER_LINE]))
