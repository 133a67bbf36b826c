"""Proves which reader the source `ipvs` uses, and what it says of a table that cannot be read."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from itertools import count
from typing import TYPE_CHECKING

import pytest

from policy.health import Checker, Observation, Service
from speaker.health.ipvs.debounce import SETTLE, STUBBORN
from speaker.health.ipvs.source import PATIENCE, IpvsSource
from speaker.health.ipvs.table import IpvsTable, TableAccessError, TableError, Watched
from speaker.health.keepalived.process import Keepalived, ProcessSeen
from tests.unit.health.ipvs.tables import real, table

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = ip_network("192.0.2.1/32")
OTHER = ip_network("192.0.2.9/32")
WEB = Service("tcp", 80)
UP = table({"tcp 192.0.2.1 80": [real("198.51.100.1")]}, {})
DOWN = table({"tcp 192.0.2.1 80": []}, {})
BARRED = TableAccessError("no access")
BROKEN = TableError("no ip_vs")


class Reader:
    """Gives a table, or an error."""

    def __init__(self, result: IpvsTable | TableError) -> None:
        self.result = result
        self.looks = 0

    async def read(self) -> IpvsTable:
        self.looks += 1
        if isinstance(self.result, TableError):
            raise self.result
        return self.result


class Kept(Keepalived):
    """A keepalived that a test turns."""

    def __init__(self, seen: ProcessSeen) -> None:
        self.seen = seen
        self.after: Callable[[], None] = lambda: None

    def look(self) -> ProcessSeen:
        self.after()
        return self.seen


def observe(*readers: Reader, times: int = 1) -> list[Observation]:
    async def looks() -> list[Observation]:
        source = IpvsSource([Watched(PREFIX)], readers=readers)
        seen = [await source.observe() for _ in range(times)]
        await source.close()
        return seen

    return asyncio.run(looks())


def test_first_reader() -> None:
    """The first reader that is let in is used; the others are not asked."""
    second = Reader(DOWN)
    assert observe(Reader(UP), second) == [Observation({PREFIX: {WEB: 1}})]
    assert second.looks == 0


def test_next_reader() -> None:
    """Where the first reader is barred, the next one is asked, in every look anew."""

    async def main() -> None:
        first = Reader(BARRED)
        source = IpvsSource([Watched(PREFIX)], readers=[first, Reader(DOWN)])
        assert (await source.observe()).live == {PREFIX: {WEB: 0}}
        first.result = UP
        assert (await source.observe()).live == {PREFIX: {WEB: 1}}

    asyncio.run(main())


def test_unreadable() -> None:
    """A table that is unreadable is unknown, with the reason; no other reader is asked."""
    second = Reader(UP)
    assert observe(Reader(BROKEN), second) == [Observation({}, "no ip_vs")]
    assert second.looks == 0


def test_all_barred() -> None:
    """Where all readers are barred, the reasons of all are told."""
    seen = observe(Reader(TableAccessError("closed")), Reader(TableAccessError("locked")))
    assert seen == [Observation({}, "closed | locked")]


def test_no_reader() -> None:
    """A source without readers knows nothing."""
    [seen] = observe()
    assert seen.live == {}
    assert seen.unknown


def test_same_object() -> None:
    """While the table stays the same, so does the observation, across an error too."""

    async def main() -> None:
        reader = Reader(UP)
        source = IpvsSource([Watched(PREFIX)], readers=[reader])
        first = await source.observe()
        assert await source.observe() is first
        reader.result = BROKEN
        assert (await source.observe()).live == {}
        reader.result = UP
        assert await source.observe() is first
        reader.result = DOWN
        assert (await source.observe()).live == {PREFIX: {WEB: 0}}

    asyncio.run(main())


def test_a_loss_is_looked_at_again() -> None:
    """A virtual server without realservers is down where it stays, in one look of some milliseconds."""

    async def main() -> None:
        reader = Reader(UP)
        source = IpvsSource([Watched(PREFIX)], readers=[reader])
        await source.observe()
        reader.result, reader.looks = DOWN, 0
        seen = await source.observe()
        assert seen == Observation({PREFIX: {WEB: 0}})
        assert reader.looks >= 2
        reader.looks = 0
        assert await source.observe() == seen
        assert reader.looks == 1

    asyncio.run(main())


@pytest.mark.parametrize("busy", [True, False])
def test_the_end_of_keepalived(busy: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A look between keepalived's last two steps sees no virtual server without realservers."""

    async def main() -> None:
        reader = Reader(UP)
        keepalived = Kept(ProcessSeen(Checker(5.0)))
        source = IpvsSource([Watched(PREFIX)], readers=[reader], keepalived=keepalived)
        assert await source.observe() == Observation({PREFIX: {WEB: 1}}, checker=Checker(5.0))
        reader.result = DOWN
        keepalived.seen = ProcessSeen(Checker(5.0), busy=busy)
        looks = count()

        def step() -> None:
            if next(looks) == 0:
                reader.result = IpvsTable()
                keepalived.seen = ProcessSeen(Checker())

        keepalived.after = step
        seen = await source.observe()
        assert seen == Observation({PREFIX: {}}, checker=Checker())

    asyncio.run(main())


def test_keepalived_at_work() -> None:
    """A loss while keepalived works on the table is not believed in this look, but soon."""

    async def main() -> None:
        reader = Reader(UP)
        source = IpvsSource(
            [Watched(PREFIX)],
            readers=[reader],
            keepalived=Kept(ProcessSeen(Checker(5.0), busy=True)),
        )
        assert (await source.observe()).live == {}  # it may just be filling it
        while not (seen := await source.observe()).live:
            assert "being filled" in seen.unknown
        reader.result = DOWN
        seen = await source.observe()
        assert seen == Observation({PREFIX: {WEB: 1}}, checker=Checker(5.0), unsettled=True)
        for _ in range(round(STUBBORN / PATIENCE) + 1):
            seen = await source.observe()
        assert seen == Observation({PREFIX: {WEB: 0}}, checker=Checker(5.0))

    asyncio.run(main())


def test_keepalived_of_an_unreadable_table() -> None:
    """Whether keepalived runs is told where the table can't be read, too."""

    async def main() -> None:
        source = IpvsSource([], readers=[Reader(BROKEN)], keepalived=Kept(ProcessSeen(Checker())))
        assert await source.observe() == Observation({}, "no ip_vs", Checker())

    asyncio.run(main())


def test_in_place_of_another() -> None:
    """A new configuration's source goes on with the table that the one before has read."""

    async def main() -> None:
        reader = Reader(UP)
        before = IpvsSource([Watched(PREFIX)], readers=[reader])
        first = await before.observe()
        reader.looks = 0
        source = IpvsSource([Watched(PREFIX), Watched(OTHER)], before=before)
        assert reader.looks == 0
        seen = await source.observe()
        assert seen == Observation({PREFIX: {WEB: 1}, OTHER: {}})
        assert seen.live[PREFIX] is first.live[PREFIX]
        reader.result = DOWN
        assert (await source.observe()).live == {PREFIX: {WEB: 0}, OTHER: {}}

    asyncio.run(main())


def test_in_place_of_one_that_knows_nothing() -> None:
    """What could not be read before is not taken for empty."""

    async def main() -> None:
        reader = Reader(BROKEN)
        before = IpvsSource([Watched(PREFIX)], readers=[reader])
        await before.observe()
        source = IpvsSource([Watched(PREFIX)], before=before)
        assert await source.observe() == Observation({}, "no ip_vs")
        reader.result = UP
        assert await source.observe() == Observation({PREFIX: {WEB: 1}})

    asyncio.run(main())


def test_patience() -> None:
    """The times belong together: some reads in one look, and a loss not twice as late as it must be."""
    assert 2 * SETTLE < PATIENCE <= 0.05
    assert PATIENCE < STUBBORN <= 1.0
