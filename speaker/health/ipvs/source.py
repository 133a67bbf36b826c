"""The source `ipvs`: realservers that IPVS balances to in this kernel, by whichever reader is let in."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from policy.health import Observation
from speaker.health.ipvs.debounce import SETTLE, Debounce
from speaker.health.ipvs.families import TellingReader
from speaker.health.ipvs.netlink import NetlinkReader
from speaker.health.ipvs.proc import ProcReader
from speaker.health.ipvs.table import Counting, IpvsTable, TableAccessError, TableError, TableReader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from policy.health import Checker, Service
    from policy.route import Prefix
    from speaker.health.ipvs.table import Watched
    from speaker.health.keepalived.process import Keepalived

PATIENCE = 0.05
"""How long to wait in one look for a table that settles, in seconds."""


class IpvsSource:
    """Counts live realservers in the kernel's table.

    Args:
        watched: the prefixes to look for.
        readers: ways to the table, best first; by default /proc, and netlink where that is
            barred, or does not tell the family of a firewall mark.
        keepalived: who keeps the table; None where that is not asked.
        before: the source in whose place this one comes. What it knows of the table is taken
            over, and counted at once, which may take long: not for the event loop.
    """

    def __init__(
        self,
        watched: Iterable[Watched],
        *,
        readers: Sequence[TableReader] | None = None,
        keepalived: Keepalived | None = None,
        before: IpvsSource | None = None,
    ) -> None:
        watched = tuple(watched)
        known = None if before is None else before.live
        self._counting = Counting(watched, known)
        marks = frozenset(mark for item in watched for mark in item.marks)
        self.keepalived = keepalived
        self._table: IpvsTable | None = None
        self._observation = Observation({})
        if before is None:
            self._readers = usual(marks) if readers is None else tuple(readers)
            self._settling = Debounce()
            return
        self._readers = tuple(
            reader.telling(marks) if isinstance(reader, TellingReader) else reader
            for reader in before._readers  # noqa: SLF001 - of the same class
        )
        self._settling = before._settling  # noqa: SLF001 - of the same class
        if (table := before._table) is not None:  # noqa: SLF001 - of the same class
            self._observation = self._counting.count(table)
            self._table = table

    @property
    def live(self) -> Mapping[Prefix, Mapping[Service, int]]:
        """What was counted last."""
        return self._counting.live

    async def observe(self) -> Observation:
        """Look once; while the table stays the same, so does the object returned."""
        try:
            table, checker = await self._settled()
        except TableError as error:
            checker = None if self.keepalived is None else self.keepalived.look().checker
            return Observation({}, str(error), checker)
        if table != self._table:
            self._observation = self._counting.count(table)
            self._table = table
        if checker != self._observation.checker:
            self._observation = replace(self._observation, checker=checker)
        if self._settling.pending:
            return replace(self._observation, unsettled=True)
        return self._observation

    async def close(self) -> None:
        """Do nothing: the readers hold nothing open."""

    async def _settled(self) -> tuple[IpvsTable, Checker | None]:
        """Return the table, read again where it has just lost something, and who kept it."""
        first = self._table is None
        end = time.monotonic() + PATIENCE
        while True:
            table = await read_table(self._readers)
            # A keepalived that runs after the table was read, kept it then.
            seen = None if self.keepalived is None else self.keepalived.look()
            now = time.monotonic()
            checker = None if seen is None else seen.checker
            busy = seen is not None and seen.busy
            believed = self._settling.take(table, now, busy=busy, keeper=checker)
            if not self._settling.pending or now >= end:
                break
            await asyncio.sleep(SETTLE)
        if first and self._settling.pending:
            raise TableError("IPVS: keeps changing; it is being filled, or emptied")
        return believed, checker


async def read_table(readers: Sequence[TableReader]) -> IpvsTable:
    """Read the table by the first reader that may.

    Args:
        readers: ways to the table, best first.

    Raises:
        TableError: no reader may read it, or it is unreadable.
    """
    barred = []
    for reader in readers:
        try:
            return await reader.read()
        except TableAccessError as error:
            barred.append(str(error))
    raise TableError(" | ".join(barred) or "IPVS: no reader; one is needed")


def usual(marks: Collection[int]) -> tuple[TableReader, ...]:
    """Return the usual ways to the table, best first.

    Args:
        marks: the firewall marks whose family matters.
    """
    netlink = NetlinkReader()
    return TellingReader(ProcReader(), netlink, marks), netlink
