"""Table: what IPVS balances at one moment, and the live realservers that it gives each VIP."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Literal, Protocol

from policy.covering import Covering
from policy.differing import differing
from policy.health import FWMARK, Observation, Service
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from policy.route import Prefix
    from speaker.units import IpAddress


class TableError(SpeakerError):
    """The table of IPVS cannot be read, so nothing is known of it."""


class TableAccessError(TableError):
    """This reader may not read the table; another one may."""


@dataclass(frozen=True, slots=True)
class RealServer:
    """A destination of a virtual server. It gets no connections while its weight is 0."""

    address: IpAddress
    port: int
    weight: int


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """A virtual server with an address. `protocol` is a word of `policy.health.PROTOCOLS`.

    It knows its hash: thousands are looked up in each look, and an address's takes long.
    """

    protocol: str
    address: IpAddress
    port: int
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.protocol, self.address, self.port)))

    def __hash__(self) -> int:
        return self._hash


Server = VirtualServer | tuple[int, int | None]
"""A virtual server with an address; or a firewall mark and its family: 4, 6, None where that is not told."""


@dataclass(frozen=True, slots=True)
class MarkService:
    """A virtual server of a firewall mark, which has no address. A mark has at most one per family.

    `version` is its family, 4 or 6; None where that was not told. Its realservers do not tell it:
    tunnelled ones may be of the other family.
    """

    version: int | None
    realservers: tuple[RealServer, ...]


@dataclass(frozen=True, slots=True)
class IpvsTable:
    """All virtual servers of one kernel (one network namespace), with their realservers.

    `marks` has those of each firewall mark. `doubt` is why the family of some is not told.
    """

    services: Mapping[VirtualServer, tuple[RealServer, ...]] = field(default_factory=dict)
    marks: Mapping[int, tuple[MarkService, ...]] = field(default_factory=dict)
    doubt: str = ""


class TableReader(Protocol):
    """A way to read the table."""

    async def read(self) -> IpvsTable:
        """Read the whole table, consistent in itself.

        Raises:
            TableAccessError: this way is barred; another may be open.
            TableError: the table is unreadable, whichever the way.
        """
        ...


@dataclass(frozen=True, slots=True)
class Watched:
    """A prefix whose realservers are to be counted.

    `marks` are the firewall marks that its VIP's services name. Realservers that are `ignored` (an
    address and a port, or None for all its ports) do not count.
    """

    prefix: Prefix
    marks: frozenset[int] = frozenset()
    ignored: frozenset[tuple[IpAddress, int | None]] = frozenset()


class Counting:
    """Counts the live realservers of each watched prefix, by service.

    A prefix wider than one address takes in every virtual server whose address lies in it; those
    of the same protocol and port count as one service. A prefix that the table does not know gets
    no services: it was looked for. One of a firewall mark whose family is not told is unknown.

    Of a table, only that is counted which is not as in the one before: `_of` has the virtual
    servers of that one that each prefix takes in.

    Args:
        watched: the prefixes.
        before: what the reader before had counted of some: mappings that are kept where they are so.
    """

    def __init__(
        self,
        watched: Iterable[Watched],
        before: Mapping[Prefix, Mapping[Service, int]] | None = None,
    ) -> None:
        self._by_prefix: dict[Prefix, list[Watched]] = defaultdict(list)
        for item in watched:
            self._by_prefix[item.prefix].append(item)
        self._marked = [p for p, items in self._by_prefix.items() if any(i.marks for i in items)]
        self._covering = Covering(self._by_prefix)
        self._table = IpvsTable()
        self._servers: dict[VirtualServer, tuple[Service, list[Prefix]]] = {}
        self._of: dict[Prefix, dict[VirtualServer, Service]] = {p: {} for p in self._by_prefix}
        self._before = before or {}
        self.live: Mapping[Prefix, Mapping[Service, int]] = {p: {} for p in self._by_prefix}
        """What was counted last."""

    def count(self, table: IpvsTable) -> Observation:
        """Count once. A prefix whose counts are as they were keeps its mapping."""
        last, self._table = self._table, table
        affected = {
            prefix
            for server in differing(last.services, table.services)
            for prefix in self._note(server, is_there=server in table.services)
        }
        if table.marks or last.marks:
            affected.update(self._marked)
        doubtful: set[int] = set()
        live = dict(self.live)
        for prefix in affected:
            counts, doubts = self._counts(prefix, table)
            doubtful |= doubts
            if doubts:
                live.pop(prefix, None)
            elif live.get(prefix) != counts:
                before = self._before.get(prefix)
                live[prefix] = before if before == counts else counts
        self.live, self._before = live, {}
        return Observation(live, _doubt(doubtful, table.doubt))

    def _note(self, server: VirtualServer, *, is_there: bool) -> Sequence[Prefix]:
        """Note whether a virtual server is there, and return the watched prefixes that take it in."""
        known = self._servers.get(server)
        if is_there and known is None:
            prefixes = [*self._covering.of(server.address)]
            service = Service(server.protocol, server.port)
            known = self._servers[server] = service, prefixes
            for prefix in prefixes:
                self._of[prefix][server] = service
        elif known is not None and not is_there:
            del self._servers[server]
            for prefix in known[1]:
                del self._of[prefix][server]
        return known[1] if known else ()

    def _counts(self, prefix: Prefix, table: IpvsTable) -> tuple[dict[Service, int], set[int]]:
        """Count what is live of a prefix, and return also the marks of which that can't be told."""
        counts: dict[Service, int] = {}
        doubtful: set[int] = set()
        for item in self._by_prefix[prefix]:
            for server, service in self._of[prefix].items():
                counts[service] = counts.get(service, 0) + _count(table.services[server], item)
            for mark in item.marks & table.marks.keys():
                found = _count_mark(table.marks[mark], item)
                if found is _Known.NOT:
                    doubtful.add(mark)
                elif found is not None:
                    counts[Service(FWMARK, mark)] = found
        return dict(sorted(counts.items())) if len(counts) > 1 else counts, doubtful


class _Known(Enum):
    NOT = auto()


def _count_mark(services: Sequence[MarkService], item: Watched) -> int | Literal[_Known.NOT] | None:
    """Count what is live behind a mark for a prefix's family; None where no service is of that.

    A service whose family was not told matters where it has live realservers: it may be of that
    family, or of the other. Where it has none, none are live either way.
    """
    own = [each for each in services if each.version == item.prefix.version]
    if own:
        return _count(own[0].realservers, item)
    untold = [_count(each.realservers, item) for each in services if each.version is None]
    if any(untold):
        return _Known.NOT
    return 0 if untold else None


def _doubt(marks: Collection[int], why: str) -> str:
    if not marks:
        return ""
    names = ", ".join(str(Service(FWMARK, mark)) for mark in sorted(marks))
    return f"IPVS: {names}: whether of IPv4 or of IPv6 is not known{why and ': '}{why}"


def _count(realservers: Iterable[RealServer], item: Watched) -> int:
    live = [realserver for realserver in realservers if realserver.weight > 0]
    if item.ignored:
        live = [
            realserver
            for realserver in live
            if (realserver.address, None) not in item.ignored
            and (realserver.address, realserver.port) not in item.ignored
        ]
    return len(live)
