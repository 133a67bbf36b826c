"""Proves how realservers are counted for a VIP's prefixes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.health import FWMARK, Observation, Service
from speaker.health.ipvs.table import Counting, IpvsTable, Watched
from tests.unit.health.ipvs.tables import ADDRESSES, PORTS, TABLES, real, table

if TYPE_CHECKING:
    from collections.abc import Iterable

SEEN = table(
    {
        "tcp 192.0.2.1 80": [real("198.51.100.1"), real("198.51.100.2", weight=0)],
        "udp 192.0.2.1 53": [real("198.51.100.1", 53), real("198.51.100.2", 53)],
        "tcp 192.0.2.2 80": [real("198.51.100.3")],
        "tcp 2001:db8::1 80": [],
    },
    {
        8: {4: [real("198.51.100.1", 0), real("198.51.100.2", 0)], 6: [real("198.51.100.3", 0)]},
        9: {4: []},
    },
)


def observe(seen: IpvsTable, watched: Iterable[Watched]) -> Observation:
    return Counting(watched).count(seen)


def count(watched: Watched, seen: IpvsTable = SEEN) -> dict[str, int]:
    observation = observe(seen, [watched])
    assert observation.unknown == ""
    return {str(service): live for service, live in observation.live[watched.prefix].items()}


def test_host_prefix() -> None:
    """An address has its own services; realservers of weight 0 are not live."""
    assert count(Watched(ip_network("192.0.2.1/32"))) == {"tcp/80": 1, "udp/53": 2}


def test_no_realservers() -> None:
    """A service without realservers exists, with none."""
    assert count(Watched(ip_network("2001:db8::1/128"))) == {"tcp/80": 0}


def test_not_in_the_table() -> None:
    """An address that is nowhere in the table was looked for, and has no services."""
    assert count(Watched(ip_network("192.0.2.9/32"))) == {}


def test_wide_prefix() -> None:
    """A wider prefix takes in all addresses in it; equal services count together."""
    assert count(Watched(ip_network("192.0.2.0/24"))) == {"tcp/80": 2, "udp/53": 2}
    assert count(Watched(ip_network("2001:db8::/32"))) == {"tcp/80": 0}
    assert count(Watched(ip_network("203.0.113.0/24"))) == {}


def test_ignored() -> None:
    """Ignored realservers do not count: on all ports, or on the one that is named."""
    prefix = ip_network("192.0.2.1/32")
    sorry = ip_address("198.51.100.1")
    assert count(Watched(prefix, ignored=frozenset({(sorry, None)}))) == {"tcp/80": 0, "udp/53": 1}
    assert count(Watched(prefix, ignored=frozenset({(sorry, 53)}))) == {"tcp/80": 1, "udp/53": 1}


def test_marks() -> None:
    """Of a mark, the service of the prefix's family counts, wherever its realservers are."""
    marks = frozenset({8, 9, 10})
    assert count(Watched(ip_network("203.0.113.1/32"), marks)) == {"fwmark/8": 2, "fwmark/9": 0}
    assert count(Watched(ip_network("2001:db8::9/128"), marks)) == {"fwmark/8": 1}


def test_marks_of_an_unknown_family() -> None:
    """A service that may be of either family makes the prefix unknown, unless none of it is live."""
    watched = Watched(ip_network("203.0.113.1/32"), frozenset({8, 9}))
    idle, live = real("198.51.100.1", 0, weight=0), real("198.51.100.2", 0)
    assert count(watched, table({}, {8: {None: [idle]}})) == {"fwmark/8": 0}
    sorry = Watched(watched.prefix, watched.marks, frozenset({(live.address, None)}))
    assert count(sorry, table({}, {8: {None: [live]}})) == {"fwmark/8": 0}
    other = Watched(ip_network("192.0.2.1/32"))
    doubtful = replace(table({}, {8: {None: [live]}, 9: {None: [live]}}), doubt="not permitted")
    assert observe(doubtful, [watched, other]) == Observation(
        {other.prefix: {}},
        "IPVS: fwmark/8, fwmark/9: whether of IPv4 or of IPv6 is not known: not permitted",
    )


def test_marks_and_addresses() -> None:
    """A prefix may have services of both kinds."""
    watched = Watched(ip_network("192.0.2.2/32"), frozenset({8}))
    assert count(watched) == {"tcp/80": 1, "fwmark/8": 2}


def test_everything_watched_is_known() -> None:
    """Every watched prefix is in the observation, and nothing else."""
    prefixes = [ip_network("192.0.2.1/32"), ip_network("2001:db8::1/128")]
    assert list(observe(SEEN, map(Watched, prefixes)).live) == prefixes
    assert observe(SEEN, []) == Observation({})


@given(
    TABLES,
    ADDRESSES,
    st.integers(0, 128),
    st.frozensets(st.tuples(ADDRESSES, st.one_of(st.none(), PORTS)), max_size=3),
)
def test_against_the_definition(
    seen: IpvsTable, address: object, length: int, ignored: frozenset[tuple[object, int | None]]
) -> None:
    """For any table and prefix: the sum over its addresses, mark by mark, one realserver at a time."""
    version = 4 if "." in str(address) else 6
    prefix = ip_network(f"{address}/{min(length, 32 if version == 4 else 128)}", strict=False)
    watched = Watched(prefix, frozenset(seen.marks), ignored)  # type: ignore[arg-type]
    expected: dict[Service, int] = {}
    for server, found in seen.services.items():
        if server.address.version == version and server.address in prefix:
            service = Service(server.protocol, server.port)
            expected.setdefault(service, 0)
            for one in found:
                named = (one.address, one.port) in ignored or (one.address, None) in ignored
                expected[service] += 1 if one.weight > 0 and not named else 0
    for mark, services in seen.marks.items():
        for each in services:
            if each.version in (version, None):
                live = [one for one in each.realservers if one.weight > 0]
                expected[Service(FWMARK, mark)] = len(
                    [
                        one
                        for one in live
                        if not {(one.address, one.port), (one.address, None)} & ignored
                    ]
                )
    assert observe(seen, [watched]).live[prefix] == expected


@given(st.lists(TABLES, min_size=2, max_size=4), st.lists(ADDRESSES, max_size=4, unique=True))
def test_count_by_count(tables: list[IpvsTable], addresses: list[object]) -> None:
    """Each count is as if it were the first; a prefix whose counts stay keeps its mapping."""
    watched = [Watched(ip_network(str(address)), frozenset({8})) for address in addresses]
    counting, last = Counting(watched), Observation({})
    for seen in tables:
        observation = counting.count(seen)
        assert observation == observe(seen, watched)
        for prefix, live in observation.live.items():
            if prefix in last.live and live == last.live[prefix]:
                assert live is last.live[prefix]
        last = observation
