"""Table: what IPVS balances at one moment, and the live realservers that it gives each VIP."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from policy.health import FWMARK, Observation, Service
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from policy.route import Prefix
    from speaker.units import IpAddress


class TableError(SpeakerError):
    """The table of IPVS cannot be read, so nothing is known of it."""


class TableAccessError(TableError):
    """This reader is not let to the table; another one may be."""


@dataclass(frozen=True, slots=True)
class RealServer:
    """A destination of a virtual server. It gets no connections while its weight is 0."""

    address: IpAddress
    port: int
    weight: int


class VirtualServer(NamedTuple):
    """A virtual server with an address. `protocol` is a word of `policy.health.PROTOCOLS`."""

    protocol: str
    address: IpAddress
    port: int


@dataclass(frozen=True, slots=True)
class Table:
    """All virtual servers of one kernel (one network namespace), with their realservers.

    Virtual servers of a firewall mark have no address. Those of one mark, at most one for IPv4 and
    one for IPv6, are kept together: `/proc` shows their family by their realservers only.
    """

    services: Mapping[VirtualServer, tuple[RealServer, ...]] = field(default_factory=dict)
    marks: Mapping[int, tuple[RealServer, ...]] = field(default_factory=dict)


class TableReader(Protocol):
    """A way to read the table."""

    async def read(self) -> Table:
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


def observe(table: Table, watched: Iterable[Watched]) -> Observation:
    """Count the live realservers of each watched prefix, by service.

    A prefix wider than one address takes in every virtual server whose address lies in it; those
    of the same protocol and port count as one service. A prefix that the table does not know gets
    no services: it was looked for.
    """
    servers: dict[IpAddress, list[tuple[Service, tuple[RealServer, ...]]]] = defaultdict(list)
    for (protocol, address, port), realservers in table.services.items():
        servers[address].append((Service(protocol, port), realservers))
    live: dict[Prefix, dict[Service, int]] = {}
    for item in watched:
        prefix = item.prefix
        counts = live[prefix] = {}
        if prefix.prefixlen == prefix.max_prefixlen:
            addresses = [prefix.network_address]
        else:
            addresses = [address for address in servers if address in prefix]
        for address in addresses:
            for service, realservers in servers.get(address, ()):
                counts[service] = counts.get(service, 0) + _count(realservers, item)
        for mark in item.marks & table.marks.keys():
            family = [
                realserver
                for realserver in table.marks[mark]
                if realserver.address.version == prefix.version
            ]
            counts[Service(FWMARK, mark)] = _count(family, item)
    return Observation(live)


def _count(realservers: Iterable[RealServer], item: Watched) -> int:
    if not item.ignored:
        return sum(realserver.weight > 0 for realserver in realservers)
    return sum(
        realserver.weight > 0
        and (realserver.address, None) not in item.ignored
        and (realserver.address, realserver.port) not in item.ignored
        for realserver in realservers
    )
