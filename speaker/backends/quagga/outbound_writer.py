"""Gives bgpd's neighbours the route-maps that they are to have, one by one where bgpd refuses something."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from speaker.backends.quagga.outbound_plan import plan
from speaker.backends.quagga.writer import BgpdRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from policy.route import Asn
    from speaker.backends.quagga.neighbor_lines import Side
    from speaker.backends.quagga.neighbors import Neighbors
    from speaker.backends.quagga.outbound_plan import Move, OutboundPlan

log = logging.getLogger(__name__)

TRIES = 10
"""How many neighbours' lines are tried one by one in a turn: each takes a look, and withdrawals wait meanwhile."""


class OutboundWriter:
    """Writes what neighbours lack. It remembers only what bgpd refused, to say so, and whose line was tried last.

    Args:
        run: runs a batch of commands, and raises `BgpdRefusedError` where one of them is refused.
        look: looks at the neighbours.
        size: how many commands a batch has at most.
    """

    def __init__(
        self,
        run: Callable[[Sequence[str]], Awaitable[None]],
        look: Callable[[], Awaitable[Neighbors]],
        size: int,
    ) -> None:
        self._run, self._look, self._size = run, look, size
        self.refused = ""
        """What bgpd refused last, in words, or nothing."""
        self._tried: Side | None = None

    async def settle(self, neighbors: Neighbors, asn: Asn) -> None:
        """Give all neighbours what they are to have, and remove what is left over.

        Where something is refused, some are given theirs one by one; in the next turn those that come after them. What is
        refused is found in the next look.

        Args:
            neighbors: as they were seen in this turn.
            asn: bgpd's.

        Raises:
            BackendError: bgpd can't be written to, or read. What was done is not known.
        """
        self.refused = ""
        whole = plan(neighbors)
        if not whole:
            return
        try:
            await self._write(whole, asn)
        except BgpdRefusedError as error:
            self.refused = str(error)
        else:
            return
        for move in self._turn(whole.moves):
            self._tried = move.side
            one = plan(await self._look(), only=[move.side])
            if not one:
                continue
            try:
                await self._write(one, asn)
            except BgpdRefusedError as error:
                self.refused = f"neighbor {move.side[0]}: {error}"

    def _turn(self, moves: Sequence[Move]) -> Sequence[Move]:
        """Return those that are tried now: as many as may be, from behind the one that was tried last."""
        sides = [move.side for move in moves]
        begin = sides.index(self._tried) + 1 if self._tried in sides else 0
        return [*moves[begin:], *moves[:begin]][:TRIES]

    async def _write(self, what: OutboundPlan, asn: Asn) -> None:
        for commands in what.batches(asn, self._size):
            await self._run(commands)
        for move in what.moves:
            log.warning("bgpd: %s", move)
