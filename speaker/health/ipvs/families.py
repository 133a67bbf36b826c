"""The family of a firewall mark's virtual server, where /proc does not tell it: netlink is asked."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from speaker.health.ipvs.table import TableAccessError, TableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from speaker.health.ipvs.table import IpvsTable, TableReader

AGAIN = 10.0
"""How often to ask although /proc shows the same as before, in seconds: netlink takes long."""


class MarkReader(Protocol):
    """A way to read the virtual servers of firewall marks, with their families."""

    async def read_marks(self, marks: Collection[int]) -> IpvsTable:
        """Read the virtual servers of some firewall marks, consistent in themselves.

        Raises:
            TableError: they are unknown.
        """
        ...


class TellingReader:
    """Reads the table by one reader, and what that does not tell of firewall marks by another.

    Args:
        reader: reads the table.
        marks: reads firewall marks.
        wanted: the firewall marks that matter; None for all.
        steady: a clock.
    """

    def __init__(
        self,
        reader: TableReader,
        marks: MarkReader,
        wanted: Collection[int] | None = None,
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._marks = marks
        self._wanted = wanted
        self._steady = steady
        self._seen: IpvsTable | None = None
        self._told: IpvsTable | None = None
        self._due = float("-inf")

    def telling(self, wanted: Collection[int]) -> TellingReader:
        """Return one that tells of other firewall marks, by the same readers."""
        return TellingReader(self._reader, self._marks, wanted, steady=self._steady)

    async def read(self) -> IpvsTable:
        """Read the whole table. While it stays the same, so does the object returned, for a time.

        Raises:
            TableAccessError: the reader may not read the table; another one may.
            TableError: the table is unreadable, whichever the way.
        """
        seen = await self._reader.read()
        doubtful = self._doubtful(seen)
        if not doubtful:
            self._seen = self._told = None
            return seen
        if self._told is None or seen is not self._seen or self._steady() >= self._due:
            self._due = self._steady() + AGAIN
            told = await self._tell(seen, doubtful)
            if told != self._told:
                self._told = told
            self._seen = seen
        return self._told

    def _doubtful(self, table: IpvsTable) -> frozenset[int]:
        """Return the marks that matter and have a virtual server of which the family is not told."""
        return frozenset(
            mark
            for mark, services in table.marks.items()
            if (self._wanted is None or mark in self._wanted)
            and any(each.version is None for each in services)
        )

    async def _tell(self, table: IpvsTable, doubtful: frozenset[int]) -> IpvsTable:
        try:
            found = await self._marks.read_marks(doubtful)
        except TableAccessError as error:
            return replace(table, doubt=str(error))
        except TableError as error:
            self._due = float("-inf")
            return replace(table, doubt=str(error))
        others = {mark: each for mark, each in table.marks.items() if mark not in doubtful}
        return replace(table, marks={**others, **found.marks})
