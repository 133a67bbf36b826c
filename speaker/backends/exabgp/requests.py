"""Changes that are asked of ExaBGP line by line, and what became of each."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from speaker.backends.base import BackendError
from speaker.backends.exabgp.pipe import SilentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.exabgp.lines import ApiLine
    from speaker.backends.exabgp.pipe import Pipe

REFUSED = "ExaBGP answered error; see ExaBGP's log"
# This many changes of a line that are refused alone, and none that is accepted: it is not the
# changes. ExaBGP logs each line that it refuses.
CULPRITS = 4


class Requests:
    """What is asked for, one command in flight.

    Changes whose reply was lost are asked for one by one the next time: in 4.2 one bad route takes
    the reply with it.
    """

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._lost: set[Prefix] = set()

    async def ask_for(
        self, changes: Sequence[Change], render: Callable[[Sequence[Change]], Iterable[ApiLine]]
    ) -> dict[Prefix, str]:
        """Ask for changes, by the lines that they are rendered as, and return what failed, and why.

        Once ExaBGP is silent, the rest has failed too: each further line would only wait as long,
        and vip_mgmt with it.
        """
        together = [change for change in changes if change.prefix not in self._lost]
        alone = [[change] for change in changes if change.prefix in self._lost]
        lines: Iterator[ApiLine] = chain.from_iterable(map(render, (together, *alone)))
        failures: dict[Prefix, str] = {}
        for line in lines:
            try:
                failures |= await self._line(line)
            except SilentError as error:
                left = chain(line.changes, *(rest.changes for rest in lines))
                failures |= dict.fromkeys((change.prefix for change in left), str(error))
        return failures

    async def is_taken(self, line: str) -> bool:
        """Ask for a line that may well be refused as a whole, and return whether it was taken.

        One whose reply is lost was not, as far as is known.
        """
        try:
            return (await self._pipe.ask(line)).ok
        except BackendError:
            return False

    async def _line(self, line: ApiLine) -> dict[Prefix, str]:
        """Ask for a line's changes. One that is refused is halved until the culprits stand alone."""
        failures: dict[Prefix, str] = {}
        refused, innocent = 0, False
        parts = [line]
        while parts:
            part = parts.pop()
            prefixes = [change.prefix for change in part.changes]
            if refused == CULPRITS and not innocent:
                failures |= dict.fromkeys(prefixes, REFUSED)
                continue
            try:
                reply = await self._pipe.ask(part.text)
            except SilentError:
                raise
            except BackendError as error:
                self._lost.update(prefixes)
                failures |= dict.fromkeys(prefixes, str(error))
                continue
            self._lost.difference_update(prefixes)
            if reply.ok:
                innocent = True
            elif len(prefixes) == 1:
                refused += 1
                failures[prefixes[0]] = REFUSED
            else:
                parts += reversed(part.halves())
        return failures
