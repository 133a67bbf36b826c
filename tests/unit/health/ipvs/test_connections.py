"""Proves what is counted of connections, and what of them is not known."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.connections import ConnectionCount, Counted
from policy.route import parse_prefix
from speaker.health.ipvs.connections import ConnectionCounter
from speaker.health.ipvs.netlink import made, received
from speaker.health.ipvs.proc_text import Parser
from speaker.health.ipvs.table import (
    IpvsTable,
    Server,
    TableAccessError,
    TableError,
    VirtualServer,
    Watched,
)
from tests.unit.health.ipvs.tables import TABLES, real, render, table, virtual
from tests.unit.health.ipvs.test_netlink import Kernel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ONE, SIX, NET = map(parse_prefix, ("192.0.2.1/32", "2001:db8::1/128", "198.51.100.0/24"))
SHOWN = table(
    {
        "tcp 192.0.2.1 80": [real("198.51.100.1"), real("198.51.100.2", weight=0)],
        "tcp 192.0.2.1 443": [real("198.51.100.1")],
        "tcp 198.51.100.7 80": [real("198.51.100.1")],
    },
    {8: {6: [real("2001:db8:1::1")]}},
)
TEXT = render(SHOWN, [1, 10, 2, 20, 3, 30, 4, 40, 5, 50])
MADE: dict[Server, int] = {
    virtual("tcp", "192.0.2.1", 80): 100,
    virtual("tcp", "192.0.2.1", 443): 50,
    (8, 6): 7,
}
WATCHED = [Watched(ONE), Watched(SIX, frozenset({8})), Watched(NET)]


def counted(
    texts: Sequence[bytes | Exception],
    told: Mapping[Server, int] | TableError = MADE,
    watched: Sequence[Watched] = WATCHED,
) -> Counted:
    """Count once, where each reading gets the next text, and then the last one again."""
    left = [*texts]

    def fetch(_: Path) -> bytes:
        text = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(text, Exception):
            raise text
        return text

    async def made_of() -> Mapping[Server, int]:
        if isinstance(told, Exception):
            raise told
        return told

    counter = ConnectionCounter(watched, fetch=fetch, made=made_of, steady=lambda: 5.0)
    return asyncio.run(counter.count())


def test_counted() -> None:
    """All services of a prefix are added up, at weight 0 too, with what netlink tells; a mark by its family."""
    assert counted([TEXT]) == Counted(
        5.0,
        {
            ONE: ConnectionCount(6, 60, 150),
            NET: ConnectionCount(4, 40, None),
            SIX: ConnectionCount(5, 50, 7),
        },
    )


def test_no_right_to_ask_netlink() -> None:
    """Without CAP_NET_ADMIN active and inactive ones are known, and how many were made is not."""
    seen = counted([TEXT], TableAccessError("IPVS: netlink: not permitted"))
    assert seen.of[ONE] == ConnectionCount(6, 60, None)
    assert seen.unknown == ""


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (FileNotFoundError(2, "No such file"), "this kernel has no ip_vs"),
        (PermissionError(13, "Permission denied"), "must be readable for this user"),
    ],
)
def test_no_table(error: OSError, why: str) -> None:
    """Where there is no table nothing is counted, and it says why: that is not that there are none."""
    seen = counted([error])
    assert seen.of == {}
    assert why in seen.unknown


def test_torn() -> None:
    """A text that leaves out a virtual server for a moment does not make its connections vanish."""
    torn = render(table({"tcp 198.51.100.7 80": [real("198.51.100.1")]}, {}), [1, 1])
    assert counted([torn, TEXT, TEXT]).of[ONE] == ConnectionCount(6, 60, 150)


def test_restless() -> None:
    """A table that never reads alike twice is not known."""
    other = render(table({"tcp 192.0.2.9 80": []}, {}))
    turns = [TEXT, other] * 5
    seen = counted(turns)
    assert (seen.of, "changes while it is being read" in seen.unknown) == ({}, True)


def test_counters_move_while_read() -> None:
    """Counts that differ between two readings are no other table: the last are told."""
    later = render(SHOWN, [9, 90])
    assert counted([TEXT, later]).of[NET] == ConnectionCount(9, 90, None)


TUNNELLED = table({}, {8: {None: [real("198.51.100.1")]}})


@pytest.mark.parametrize(
    ("counters", "of", "unknown"),
    [
        ([1, 0], {}, "IPVS: fwmark/8: whether of IPv4 or of IPv6 is not known"),
        ([0], {SIX: ConnectionCount(0, 0, None)}, ""),
    ],
)
def test_family_not_told(
    counters: Sequence[int], of: Mapping[object, ConnectionCount], unknown: str
) -> None:
    """ConnectionCount of a mark whose family is not told may be of either; where there are none, there are none."""
    text = render(TUNNELLED, counters, lambda _: "Tunnel")
    seen = counted([text], watched=[Watched(SIX, frozenset({8}))])
    assert (seen.of, seen.unknown) == (of, unknown)


@given(TABLES, st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9))
def test_every_connection_once(shown: IpvsTable, counters: list[int]) -> None:
    """Of every table, the connections of all virtual servers are those of all lines, and in its order."""
    text = render(shown, counters)
    parser = Parser()
    parser.parse(text)
    seen = [*parser.connections()]
    words = [line.split() for line in text.decode().splitlines()[3:] if "->" in line]
    assert sum(each[1] for each in seen) == sum(int(each[-2]) for each in words)
    assert sum(each[2] for each in seen) == sum(int(each[-1]) for each in words)
    assert [each[0] for each in seen if isinstance(each[0], VirtualServer)] == [*shown.services]


def test_made_as_recorded() -> None:
    """What Linux 6.1 sent tells of each virtual server how many connections were made, and bytes received."""
    counts = made(Kernel())
    assert received(Kernel()).keys() == counts.keys()
    assert len(counts) == len(Kernel().services)
    assert counts[virtual("tcp", "192.0.2.1", 80)] == 0
    assert counts[8, 4] == counts[8, 6] == 0


@pytest.mark.parametrize(
    ("then", "now", "span", "rate"),
    [
        (100, 150, 2.0, 25.0),
        (100, 100, 2.0, 0.0),
        (100, 99, 2.0, None),
        (None, 100, 2.0, None),
        (100, None, 2.0, None),
        (100, 150, 0.0, None),
    ],
)
def test_new_per_second(then: int | None, now: int | None, span: float, rate: float | None) -> None:
    """New ones per second follow from two counts; not where one is not told, or began again."""
    before = Counted(10.0, {ONE: ConnectionCount(0, 0, then)})
    after = Counted(10.0 + span, {ONE: ConnectionCount(0, 0, now)})
    assert after.new_per_second(ONE, before) == rate
    assert after.new_per_second(SIX, before) is None
