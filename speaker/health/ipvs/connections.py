"""Counts the connections that IPVS balances of each VIP: a soft drain waits for them, and operators watch them.

How many are active and inactive tells /proc/net/ip_vs, to every user. How many were made, from which follow new
ones per second, tells only netlink, which needs CAP_NET_ADMIN: else that is not known, and the rest is.

/proc may leave out a virtual server while another one vanishes, and then its connections seem to be gone: counts
are believed where two readings have the same virtual servers and realservers.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from policy.connections import ConnectionCount, Counted
from policy.covering import Covering
from policy.health import FWMARK, Service
from speaker.health.ipvs.netlink import NetlinkReader
from speaker.health.ipvs.proc import PATH, fetched
from speaker.health.ipvs.proc_text import Parser, TextError
from speaker.health.ipvs.table import TableError, VirtualServer
from speaker.printable import reason

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from policy.route import Prefix
    from speaker.health.ipvs.table import Server, Watched

TRIES = 5
"""How often to read a table that changes while it is read."""


class ConnectionCounter:
    """Counts the connections of some prefixes.

    A prefix takes in the virtual servers whose address lies in it, and those of the firewall marks that its VIP's
    services name, in its family. A sorry server's connections count, and those of a realserver of weight 0, too. A
    prefix that has no virtual server is not in the count.

    Args:
        watched: the prefixes.
        path: the table's file.
        fetch: reads a file.
        made: tells how many connections each virtual server has had since it was made; by default over netlink.
        steady: a clock.
    """

    def __init__(
        self,
        watched: Iterable[Watched],
        *,
        path: Path = PATH,
        fetch: Callable[[Path], bytes] = Path.read_bytes,
        made: Callable[[], Awaitable[Mapping[Server, int]]] | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._fetch, self._steady = path, fetch, steady
        self._made = made or NetlinkReader().read_made
        self._parser = Parser()
        items = tuple(watched)
        self._covering = Covering({item.prefix for item in items})
        self._marked: dict[tuple[int, int], list[Prefix]] = defaultdict(list)
        for item in items:
            for mark in item.marks:
                self._marked[mark, item.prefix.version].append(item.prefix)

    async def count(self) -> Counted:
        """Count once. The reading is done in threads; it takes milliseconds, and tenths of a second of thousands."""
        when = self._steady()
        try:
            seen = await asyncio.to_thread(self._read)
        except (TableError, OSError) as error:
            return Counted(when, {}, reason(error))
        try:
            made = await self._made() if seen else {}
        except TableError:
            made = {}  # not told to this user: it is not known of any
        counts: dict[Prefix, ConnectionCount] = {}
        doubtful: set[int] = set()
        for server, (active, inactive) in seen.items():
            if isinstance(server, tuple) and server[1] is None and active + inactive:
                doubtful.add(server[0])
            more = ConnectionCount(active, inactive, made.get(server))
            for prefix in self._prefixes(server):
                counts[prefix] = counts[prefix] + more if prefix in counts else more
        return Counted(when, *self._without(doubtful, counts))

    def _read(self) -> dict[Server, tuple[int, int]]:
        """Read how many connections of each virtual server are active and inactive.

        Raises:
            TableError: it is not known.
        """
        before, problem = None, ""
        for _ in range(TRIES):
            try:
                table = self._parser.parse(fetched(self._path, self._fetch))
            except TextError as error:
                before, problem = None, str(error)
                continue
            if table is before:
                families = {mark: iter(each) for mark, each in table.marks.items()}
                return {
                    server
                    if isinstance(server, VirtualServer)
                    else (server, next(families[server]).version): (active, inactive)
                    for server, active, inactive in self._parser.connections()
                }
            before, problem = table, "changes while it is being read"
        raise TableError(f"IPVS: {self._path}: {problem}; read {TRIES} times")

    def _prefixes(self, server: Server) -> Iterable[Prefix]:
        """Return the prefixes that take a virtual server in; one of an untold family, those of both."""
        if isinstance(server, VirtualServer):
            return self._covering.of(server.address)
        mark, version = server
        families = (4, 6) if version is None else (version,)
        return [prefix for each in families for prefix in self._marked.get((mark, each), ())]

    def _without(
        self, doubtful: set[int], counts: dict[Prefix, ConnectionCount]
    ) -> tuple[dict[Prefix, ConnectionCount], str]:
        """Take out the prefixes of which a part is not known, and say why."""
        unknown = {
            prefix: mark
            for (mark, _), prefixes in self._marked.items()
            if mark in doubtful
            for prefix in prefixes
        }
        names = ", ".join(str(Service(FWMARK, mark)) for mark in sorted({*unknown.values()}))
        told = {prefix: count for prefix, count in counts.items() if prefix not in unknown}
        return told, f"IPVS: {names}: whether of IPv4 or of IPv6 is not known" if names else ""
