"""Which sessions are still owed End-of-RIB, and what has it sent: where the configuration has `manual-eor`. No I/O.

A router that keeps the routes of a session that ended (graceful restart, RFC 4724) forgets at End-of-RIB
those that were not announced again. ExaBGP sends it by itself as soon as a session is up and nothing waits
to be sent, which is before this program has announced anything; with `manual-eor` it leaves that to us.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor, ConfiguredNeighbors


class EndOfRib:
    """Who was sent it since its session came up. At first nobody, as far as is known: twice does no harm."""

    def __init__(self) -> None:
        self._sent: set[ConfiguredNeighbor] = set()
        self._sessions: Counter[ConfiguredNeighbor] = Counter()

    def begins(self, neighbor: ConfiguredNeighbor | None) -> None:
        """Note that a session came up, or went down."""
        if neighbor is not None:
            self._sent.discard(neighbor)
            self._sessions[neighbor] += 1

    def session(self, neighbor: ConfiguredNeighbor) -> int:
        """Return what tells a neighbour's session from those before and after it."""
        return self._sessions[neighbor]

    def was_sent(self, neighbor: ConfiguredNeighbor, session: int) -> None:
        """Note that ExaBGP took all of a neighbour's lines. A session that began meanwhile is owed them again."""
        if session == self._sessions[neighbor]:
            self._sent.add(neighbor)

    def owed(
        self, neighbors: ConfiguredNeighbors, up: Mapping[ConfiguredNeighbor, bool]
    ) -> Sequence[ConfiguredNeighbor]:
        """Return the neighbours whose session is up, and was not sent it."""
        return [n for n in neighbors.ours if n.manual_eor and up.get(n) and n not in self._sent]


def lines(neighbor: ConfiguredNeighbor) -> Iterator[str]:
    """Yield what has ExaBGP send it, behind all that was announced before: a line for each family."""
    for version in sorted(neighbor.families):
        yield f"{neighbor.selector} announce eor ipv{version} unicast"
