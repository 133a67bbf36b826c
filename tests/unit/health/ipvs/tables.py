"""Owns tables of IPVS for tests: a recorded one, any one, and the text that the kernel makes of it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from policy.health import PROTOCOLS
from speaker.health.ipvs.table import IpvsTable, MarkService, RealServer, VirtualServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from speaker.units import IpAddress

RECORDED = Path(__file__).parent / "recorded"

HEADING = (
    b"IP Virtual Server version 1.2.1 (size=4096)\n"
    b"Prot LocalAddress:Port Scheduler Flags\n"
    b"  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
)


def real(address: str, port: int = 8080, weight: int = 1) -> RealServer:
    return RealServer(ip_address(address), port, weight)


def virtual(protocol: str, address: str, port: int) -> VirtualServer:
    return VirtualServer(protocol, ip_address(address), port)


def table(
    services: dict[str, list[RealServer]],
    marks: Mapping[int, Mapping[int | None, list[RealServer]]],
) -> IpvsTable:
    """Make a table of services like `tcp 192.0.2.1 80`, and of marks by their families."""
    keys = {name: name.split() for name in services}
    return IpvsTable(
        {
            virtual(words[0], words[1], int(words[2])): tuple(services[name])
            for name, words in keys.items()
        },
        {
            mark: tuple(MarkService(version, tuple(found)) for version, found in families.items())
            for mark, families in marks.items()
        },
    )


# What netlink tells of the recorded kernel's table.
RECORDED_TABLE = table(
    {
        "udp 192.0.2.3 5060": [real("198.51.100.1", 5060)],
        "sctp 192.0.2.2 2905": [real("198.51.100.3", 2905)],
        "tcp 2001:db8::6 80": [real("198.51.100.9", 80)],
        "tcp 192.0.2.6 80": [real("198.51.100.9", 80), real("127.0.0.1", 80)],
        "tcp 192.0.2.5 80": [],
        "tcp 192.0.2.1 80": [real("198.51.100.2", weight=0), real("198.51.100.1")],
        "tcp 192.0.2.4 0": [real("198.51.100.1", 0)],
        "tcp 2001:db8::1 443": [real("2001:db8:1::1", 443)],
        "udp 192.0.2.1 53": [real("198.51.100.1", 53, weight=100)],
    },
    {
        4294967295: {4: []},
        8: {
            6: [real("2001:db8:1::1", 0)],
            4: [real("198.51.100.2", 0, weight=0), real("198.51.100.1", 0)],
        },
    },
)
# What /proc tells of it: nothing of the family of a mark without realservers.
RECORDED_TEXT = IpvsTable(
    RECORDED_TABLE.services, {**RECORDED_TABLE.marks, 4294967295: (MarkService(None, ()),)}
)


def render(
    shown: IpvsTable,
    counters: Iterable[int] = (0,),
    forward: Callable[[RealServer], str] = lambda _: "Masq",
) -> bytes:
    """Write a table as the kernel does, with these connection counters, over and over."""
    numbers = cycle(counters)
    lines = []
    for server, found in shown.services.items():
        flags = "persistent 30000 FFFFFFFF" if server.port == 0 else ""
        lines.append(
            f"{server.protocol.upper()}  {_endpoint(server.address, server.port)} rr {flags}"
        )
        lines += [_line(item, forward, next(numbers), next(numbers)) for item in found]
    for mark, services in shown.marks.items():
        for each in services:
            lines.append(f"FWM  {mark:08X} rr ")
            lines += [
                _line(item, forward, next(numbers), next(numbers)) for item in each.realservers
            ]
    return HEADING + "".join(f"{line}\n" for line in lines).encode()


def _line(
    item: RealServer, forward: Callable[[RealServer], str], active: int, inactive: int
) -> str:
    endpoint = _endpoint(item.address, item.port)
    return f"  -> {endpoint}      {forward(item):<7} {item.weight:<6} {active:<10} {inactive:<10}"


def _endpoint(address: IpAddress, port: int) -> str:
    shown = f"{int(address):08X}" if address.version == 4 else f"[{address.exploded}]"
    return f"{shown}:{port:04X}"


# Few addresses, so that things meet.
OF_FAMILY: Mapping[int, st.SearchStrategy[IpAddress]] = {
    4: st.one_of(
        st.integers(0, 3).map(lambda last: IPv4Address("192.0.2.0") + last),
        st.integers(0, 2**32 - 1).map(IPv4Address),
    ),
    6: st.one_of(
        st.integers(0, 3).map(lambda last: IPv6Address("2001:db8::") + last),
        st.integers(0, 2**128 - 1).map(IPv6Address),
    ),
}
ADDRESSES = st.one_of(*OF_FAMILY.values())
PORTS = st.one_of(st.sampled_from([0, 80, 443]), st.integers(0, 2**16 - 1))
WEIGHTS = st.one_of(st.sampled_from([0, 1]), st.integers(-1, 2**31 - 1))
REAL_SERVERS = st.lists(st.builds(RealServer, ADDRESSES, PORTS, WEIGHTS), max_size=4).map(tuple)


def _of(version: int) -> st.SearchStrategy[tuple[RealServer, ...]]:
    """Return realservers of a family."""
    found = st.lists(st.builds(RealServer, OF_FAMILY[version], PORTS, WEIGHTS), max_size=3)
    return found.map(tuple)


def _told(families: dict[int, tuple[RealServer, ...]]) -> tuple[MarkService, ...]:
    """Return what /proc tells of a mark whose realservers are of their virtual server's family."""
    told = any(families.values())
    return tuple(
        MarkService(version if told and (found or len(families) == 2) else None, found)
        for version, found in families.items()
    )


FAMILIES = st.one_of(
    st.fixed_dictionaries({4: _of(4)}),
    st.fixed_dictionaries({6: _of(6)}),
    st.fixed_dictionaries({4: _of(4), 6: _of(6)}),
)
TABLES = st.builds(
    IpvsTable,
    st.dictionaries(
        st.builds(VirtualServer, st.sampled_from(PROTOCOLS), ADDRESSES, PORTS),
        REAL_SERVERS,
        max_size=6,
    ),
    st.dictionaries(st.integers(0, 2**32 - 1), FAMILIES.map(_told), max_size=3),
)
