"""Proves that the family of a firewall mark is told by the kernel, or unknown, and never guessed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.health import FWMARK, Service
from speaker.health.ipvs.families import AGAIN, TellingReader
from speaker.health.ipvs.proc_text import Parser, TextError
from speaker.health.ipvs.table import (
    Counting,
    IpvsTable,
    MarkService,
    RealServer,
    TableAccessError,
    TableError,
    Watched,
)
from tests.unit.health.ipvs.tables import (
    ADDRESSES,
    HEADING,
    OF_FAMILY,
    WEIGHTS,
    real,
    render,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    Families = Mapping[int, tuple[RealServer, ...]]

MARK = 8
PREFIXES = {4: ip_network("192.0.2.1/32"), 6: ip_network("2001:db8::1/128")}


def family(version: int) -> st.SearchStrategy[tuple[RealServer, ...]]:
    """Realservers that the kernel takes into a service: of the other family where tunnelled.

    The port tells how one is forwarded: 1 by a tunnel.
    """
    tunnelled = st.builds(RealServer, ADDRESSES, st.just(1), WEIGHTS)
    plain = st.builds(RealServer, OF_FAMILY[version], st.just(0), WEIGHTS)
    return st.lists(st.one_of(tunnelled, plain), max_size=3).map(tuple)


def forward(item: RealServer) -> str:
    return "Tunnel" if item.port else "Route"


def truth(families: Families) -> IpvsTable:
    """What netlink tells."""
    return IpvsTable(marks={MARK: tuple(MarkService(*each) for each in families.items())})


def live(seen: IpvsTable) -> dict[int, int | None]:
    """How many are live for each family; None where that is not known."""
    watched = [Watched(prefix, frozenset({MARK})) for prefix in PREFIXES.values()]
    found = Counting(watched).count(seen).live
    return {
        version: found[prefix].get(Service(FWMARK, MARK), 0) if prefix in found else None
        for version, prefix in PREFIXES.items()
    }


SIX_IN_FOUR = (real("198.51.100.1", 1),)


@given(
    st.one_of(
        st.fixed_dictionaries({4: family(4)}),
        st.fixed_dictionaries({6: family(6)}),
        st.fixed_dictionaries({4: family(4), 6: family(6)}),
    )
)
@example({4: (real("198.51.100.1", 0),), 6: SIX_IN_FOUR})
@example({4: SIX_IN_FOUR, 6: SIX_IN_FOUR})
@example({6: SIX_IN_FOUR})
def test_both_readers_agree_or_one_does_not_know(families: Families) -> None:
    """Of any marks that the kernel takes, /proc tells what netlink tells, or that it does not know."""
    told = live(truth(families))
    for version, count in live(Parser().parse(render(truth(families), forward=forward))).items():
        assert count in (told[version], None)


@pytest.mark.parametrize(
    ("families", "told"),
    [
        ({4: (real("198.51.100.1", 0),)}, {4: 1, 6: 0}),
        ({4: (real("198.51.100.1", 0),), 6: SIX_IN_FOUR}, {4: 1, 6: 1}),
        ({6: (*SIX_IN_FOUR, real("2001:db8:1::1", 0))}, {4: 0, 6: 2}),
        ({4: (), 6: ()}, {4: 0, 6: 0}),
        ({4: ()}, {4: 0, 6: 0}),
        ({4: SIX_IN_FOUR}, {4: None, 6: None}),
        ({4: SIX_IN_FOUR, 6: SIX_IN_FOUR}, {4: None, 6: None}),
        ({4: SIX_IN_FOUR, 6: ()}, {4: None, 6: None}),
    ],
)
def test_what_proc_tells(families: Families, told: Mapping[int, int | None]) -> None:
    """One that is not tunnelled tells the family of its service, and so that of the mark's other one."""
    assert live(Parser().parse(render(truth(families), forward=forward))) == told


@pytest.mark.parametrize(
    "blocks",
    [
        [["C6336401:0000 Route", "[2001:0db8:0000:0000:0000:0000:0000:0001]:0000 Route"]],
        [["C6336401:0000 Route"], ["C6336402:0000 Masq"]],
        [[], [], []],
    ],
)
def test_what_the_kernel_does_not_write(blocks: list[list[str]]) -> None:
    """Two families that are not tunnelled in one service, or a family twice: two halves of tables."""
    lines = [
        line
        for block in blocks
        for line in [
            "FWM  00000008 rr ",
            *(f"  -> {text}      1      0          0" for text in block),
        ]
    ]
    with pytest.raises(TextError):
        Parser().parse(HEADING + "".join(f"{line}\n" for line in lines).encode())


# --- netlink is asked -----------------------------------------------------------------------------

ONE = table({}, {8: {None: [real("198.51.100.1")]}, 9: {4: [real("198.51.100.2")]}})
TOLD = table({}, {8: {6: [real("198.51.100.1")]}})


@dataclass
class World:
    """What /proc and netlink say, and what was asked of netlink."""

    seen: IpvsTable = ONE
    told: IpvsTable | TableError = TOLD
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.asked: list[Collection[int]] = []
        self.reader = TellingReader(self, self, {8, 9}, steady=lambda: self.now)

    async def read(self) -> IpvsTable:
        return self.seen

    async def read_marks(self, marks: Collection[int]) -> IpvsTable:
        self.asked.append(sorted(marks))
        if isinstance(self.told, TableError):
            raise self.told
        return self.told

    def look(self) -> IpvsTable:
        return asyncio.run(self.reader.read())


def test_netlink_tells() -> None:
    """What /proc leaves open is netlink's, all else is its own; the same table is the same object."""
    world = World()
    first = world.look()
    assert first == IpvsTable(marks={9: ONE.marks[9], 8: TOLD.marks[8]})
    assert world.look() is first
    assert world.asked == [[8]]
    world.now += AGAIN
    assert world.look() is first
    assert world.asked == [[8]] * 2


def test_a_change_is_asked_for() -> None:
    """Whenever /proc shows anything else, netlink is asked at once."""
    world = World()
    world.look()
    world.seen, world.told = replace(ONE), IpvsTable()
    assert world.look() == IpvsTable(marks={9: ONE.marks[9]})


def test_nothing_is_open() -> None:
    """Netlink is not asked where /proc tells all, or all that matters."""
    world = World(table({}, {9: {4: []}, 10: {None: [real("198.51.100.1")]}}))
    assert world.look() is world.seen
    assert world.asked == []


def test_not_permitted() -> None:
    """Where netlink is barred it stays open, with the reason; it is asked again later."""
    world = World(told=TableAccessError("run as root"))
    assert world.look() == replace(ONE, doubt="run as root")
    world.told = TOLD
    assert world.look() == replace(ONE, doubt="run as root")
    world.now += AGAIN
    assert world.look().marks[8] == TOLD.marks[8]


def test_a_passing_trouble() -> None:
    """Where netlink could not make it out, it is asked again at the next look."""
    world = World(told=TableError("changes"))
    assert world.look().doubt == "changes"
    world.told = TOLD
    assert world.look().marks[8] == TOLD.marks[8]
