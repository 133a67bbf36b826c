"""IPVS over generic netlink -> Table: slower than /proc, and in need of CAP_NET_ADMIN.

Raw attributes are read: the library's objects fill in defaults for what the kernel said. The library
costs 30 MB, so it is imported when the first table is read.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from speaker.health.ipvs.table import (
    IpvsTable,
    MarkService,
    RealServer,
    Server,
    TableAccessError,
    TableError,
    VirtualServer,
)
from speaker.printable import cause_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

T = TypeVar("T")

_PROTOCOLS = {
    socket.IPPROTO_TCP: "tcp",
    socket.IPPROTO_UDP: "udp",
    socket.IPPROTO_SCTP: "sctp",
}
_VERSIONS = {socket.AF_INET: 4, socket.AF_INET6: 6}
_KEY = ("AF", "PROTOCOL", "ADDR", "PORT", "FWMARK")


class Connection(Protocol):
    """What is used of pyroute2's IPVS."""

    def service(self, command: str) -> Iterable[Any]:
        """Return a message for each virtual server."""
        ...

    def dest(self, command: str, service: Any) -> Iterable[Any]:
        """Return a message for each realserver of a virtual server."""
        ...

    def close(self) -> None:
        """Close the socket."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """The attributes by which the kernel knows a virtual server, just as it sent them."""

    attributes: tuple[tuple[str, Any], ...]

    @property
    def mark(self) -> int:
        """The firewall mark, 0 where it has an address instead."""
        return int(dict(self.attributes).get("IPVS_SVC_ATTR_FWMARK", 0))

    def dump_key(self) -> dict[str, list[tuple[str, Any]]]:
        """Return them in the form in which the library sends them back."""
        return {"attrs": list(self.attributes)}


def key_of(message: Any) -> Key:
    """Return the key of a virtual server from its message."""
    service = message.get_attr("IPVS_CMD_ATTR_SERVICE")
    found = ((name, service.get_attr(name)) for name in map("IPVS_SVC_ATTR_{}".format, _KEY))
    return Key(tuple((name, value) for name, value in found if value is not None))


def realserver_of(message: Any) -> RealServer:
    """Return a realserver from its message."""
    dest = message.get_attr("IPVS_CMD_ATTR_DEST")
    return RealServer(
        ip_address(dest.get_attr("IPVS_DEST_ATTR_ADDR")),
        dest.get_attr("IPVS_DEST_ATTR_PORT"),
        dest.get_attr("IPVS_DEST_ATTR_WEIGHT"),
    )


def dump(
    connection: Connection, *, marks: Collection[int] | None = None, tries: int = 3
) -> IpvsTable:
    """Read the whole table, or the virtual servers of some firewall marks; consistent in itself.

    A virtual server that vanishes while the table is read looks like one without realservers. So
    the virtual servers must be the same before and after, and those without realservers are asked
    for them again.

    Args:
        connection: asks the kernel.
        marks: the firewall marks; None for all virtual servers.
        tries: how often to read a table that changes while it is read.

    Raises:
        TableError: it changed in every try.
    """
    for _ in range(tries):
        keys = _keys(connection, marks)
        found = {key: _realservers(connection, key) for key in keys}
        if _keys(connection, marks) != keys:
            continue
        if any(_realservers(connection, key) for key, dests in found.items() if not dests):
            continue
        return build(found.items())
    raise TableError(f"IPVS: netlink: changes while it is being read; read {tries} times")


def _keys(connection: Connection, marks: Collection[int] | None) -> list[Key]:
    keys = map(key_of, connection.service("dump"))
    return [key for key in keys if marks is None or key.mark in marks]


def build(found: Iterable[tuple[Key, tuple[RealServer, ...]]]) -> IpvsTable:
    """Make a table of virtual servers and their realservers.

    Raises:
        TableError: a virtual server is of a family that is neither IPv4 nor IPv6.
    """
    services: dict[VirtualServer, tuple[RealServer, ...]] = {}
    marks: dict[int, tuple[MarkService, ...]] = defaultdict(tuple)
    for key, realservers in found:
        server = server_of(key)
        if isinstance(server, VirtualServer):
            services[server] = realservers
        else:
            mark, version = server
            marks[mark] += (MarkService(version, realservers),)
    return IpvsTable(services, dict(marks))


def server_of(key: Key) -> VirtualServer | tuple[int, int]:
    """Return which virtual server has a key: one with an address, or a firewall mark and its family, 4 or 6.

    Raises:
        TableError: it is of a family that is neither IPv4 nor IPv6.
    """
    values = dict(key.attributes)
    if not key.mark:
        return VirtualServer(
            _PROTOCOLS[values["IPVS_SVC_ATTR_PROTOCOL"]],
            ip_address(values["IPVS_SVC_ATTR_ADDR"]),
            values["IPVS_SVC_ATTR_PORT"],
        )
    family = values["IPVS_SVC_ATTR_AF"]
    if family not in _VERSIONS:
        raise TableError(f"IPVS: netlink: fwmark/{key.mark}: address family {family}")
    return key.mark, _VERSIONS[family]


def made(connection: Connection) -> dict[Server, int]:
    """Return how many connections each virtual server has had since it was made.

    Raises:
        TableError: one is of a family that is neither IPv4 nor IPv6.
    """
    return _statistic(connection, "IPVS_STATS_ATTR_CONNS")


def received(connection: Connection) -> dict[Server, int]:
    """Return how many bytes each virtual server was sent by its clients since it was made. See `made`."""
    return _statistic(connection, "IPVS_STATS_ATTR_INBYTES")


def _statistic(connection: Connection, name: str) -> dict[Server, int]:
    counts: dict[Server, int] = {}
    for message in connection.service("dump"):
        service = message.get_attr("IPVS_CMD_ATTR_SERVICE")
        statistics = service.get_attr("IPVS_SVC_ATTR_STATS64") or service.get_attr(
            "IPVS_SVC_ATTR_STATS"
        )
        number = statistics and statistics.get_attr(name)
        if number is not None:
            counts[server_of(key_of(message))] = int(number)
    return counts


def _realservers(connection: Connection, key: Key) -> tuple[RealServer, ...]:
    return tuple(realserver_of(message) for message in connection.dest("dump", key))


def connect() -> Connection:
    """Open pyroute2's IPVS."""
    from pyroute2 import IPVS  # noqa: PLC0415 - 30 MB, for those who need it

    connection: Connection = IPVS()
    return connection


class NetlinkReader:
    """Reads the table over netlink, in a thread and on a new socket for each look.

    Args:
        opener: opens a connection.
    """

    def __init__(self, opener: Callable[[], Connection] = connect) -> None:
        self._opener = opener

    async def read(self) -> IpvsTable:
        """Read the whole table, consistent in itself.

        Raises:
            TableAccessError: CAP_NET_ADMIN or pyroute2 is missing.
            TableError: there is no ip_vs, or the table cannot be made out.
        """
        return await self._in_thread(dump)

    async def read_marks(self, marks: Collection[int]) -> IpvsTable:
        """Read the virtual servers of some firewall marks, consistent in themselves.

        Raises:
            TableAccessError: CAP_NET_ADMIN or pyroute2 is missing.
            TableError: there is no ip_vs, or they cannot be made out.
        """
        return await self._in_thread(partial(dump, marks=marks))

    async def read_made(self) -> dict[Server, int]:
        """Read how many connections each virtual server has had since it was made.

        Raises:
            TableAccessError: CAP_NET_ADMIN or pyroute2 is missing.
            TableError: there is no ip_vs, or it cannot be made out.
        """
        return await self._in_thread(made)

    async def read_received(self) -> dict[Server, int]:
        """Read how many bytes each virtual server was sent by its clients since it was made. See `read_made`."""
        return await self._in_thread(received)

    async def _in_thread(self, look: Callable[[Connection], T]) -> T:
        try:
            return await asyncio.to_thread(self._read, look)
        except (
            BlockingIOError
        ) as error:  # no thread: it is not known, which is not that it is empty
            raise TableError(f"IPVS: not read: {error.strerror}") from error

    def _read(self, look: Callable[[Connection], T]) -> T:
        try:
            connection = self._opener()
            try:
                return look(connection)
            finally:
                connection.close()
        except TableError:
            raise
        except ImportError as error:
            raise TableAccessError(
                "IPVS: netlink: pyroute2 can't be imported; install pyroute2"
            ) from error
        except Exception as error:  # whatever a library raises: the table is unknown, not empty
            raise _explain(error) from error


def _explain(error: Exception) -> TableError:
    code = getattr(error, "code", None) or getattr(error, "errno", None)
    if code == errno.ENOENT:
        return TableError(
            "IPVS: netlink: this kernel has no ip_vs, or its module is not loaded; modprobe ip_vs, "
            "or start keepalived"
        )
    if code in {errno.EPERM, errno.EACCES}:
        return TableAccessError("IPVS: netlink: not permitted; run as root, or with CAP_NET_ADMIN")
    return TableError(f"IPVS: netlink: {cause_of(error)}; the table is unknown")
