"""Proves which reader the source `ipvs` uses, and what it says of a table that cannot be read."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

from policy.health import Observation, Service
from speaker.health.ipvs import IpvsSource
from speaker.health.table import Table, TableAccessError, TableError, Watched
from tests.unit.health.tables import real, table

PREFIX = ip_network("192.0.2.1/32")
UP = table({"tcp 192.0.2.1 80": [real("198.51.100.1")]}, {})
DOWN = table({"tcp 192.0.2.1 80": []}, {})
BARRED = TableAccessError("no access")
BROKEN = TableError("no ip_vs")


class Reader:
    """Gives these tables or errors, one a look, the last for ever."""

    def __init__(self, *results: Table | TableError) -> None:
        self.results = list(results)
        self.looks = 0

    async def read(self) -> Table:
        self.looks += 1
        result = self.results[0] if len(self.results) == 1 else self.results.pop(0)
        if isinstance(result, TableError):
            raise result
        return result


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
    assert observe(Reader(UP), second) == [Observation({PREFIX: {Service("tcp", 80): 1}})]
    assert second.looks == 0


def test_next_reader() -> None:
    """Where the first reader is barred, the next one is asked, in every look anew."""
    first = Reader(BARRED, UP)
    seen = observe(first, Reader(DOWN), times=2)
    assert [look.live[PREFIX][Service("tcp", 80)] for look in seen] == [0, 1]


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
    first, error, again, changed = observe(Reader(UP, BROKEN, UP, DOWN), times=4)
    assert again is first
    assert error.live == {}
    assert changed.live[PREFIX] == {Service("tcp", 80): 0}
