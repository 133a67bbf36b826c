"""The source `ipvs`: realservers that IPVS balances to in this kernel, by whichever reader is let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.health import Observation
from speaker.health.netlink import NetlinkReader
from speaker.health.proc import ProcReader
from speaker.health.table import Table, TableAccessError, TableError, TableReader, observe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from speaker.health.table import Watched


class IpvsSource:
    """Counts live realservers in the kernel's table."""

    def __init__(
        self, watched: Iterable[Watched], *, readers: Sequence[TableReader] | None = None
    ) -> None:
        """Look at nothing yet.

        Args:
            watched: the prefixes to look for.
            readers: ways to the table, best first; by default /proc, and netlink where that is
                barred.
        """
        self._watched = tuple(watched)
        self._readers = (ProcReader(), NetlinkReader()) if readers is None else tuple(readers)
        self._table: Table | None = None
        self._observation = Observation({})

    async def observe(self) -> Observation:
        """Look once; while the table stays the same, so does the object returned."""
        try:
            table = await self._read()
        except TableError as error:
            return Observation({}, str(error))
        if table != self._table:
            self._observation = observe(table, self._watched)
            self._table = table
        return self._observation

    async def close(self) -> None:
        """Do nothing: the readers hold nothing open."""

    async def _read(self) -> Table:
        barred = []
        for reader in self._readers:
            try:
                return await reader.read()
            except TableAccessError as error:
                barred.append(str(error))
        raise TableError(" | ".join(barred) or "IPVS: no reader; one is needed")
