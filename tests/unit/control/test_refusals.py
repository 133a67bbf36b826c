"""Refused requests in history and the log: each is counted, and there are few lines, however many there are."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import AsyncExitStack, closing
from typing import TYPE_CHECKING

import pytest

from speaker.control.api_server import Desk, ListenPlace, serving
from speaker.control.refusals import FIRST, KINDS, LONGEST, Refusals
from speaker.state.store import Store, StoreError
from tests.support.fakes.site import running
from tests.unit.control.test_api_server import APP, LOOK, LOOPBACK, UP, once, write_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from speaker.state.remembered import News

DAY = 86400.0
NONE, NOT_HIS = "api: no token that is known", "report: 'x': app may not report it"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def steady(self) -> float:
        """See `Clock.steady`."""
        return self.now

    def wall(self) -> float:
        """See `Clock.wall`."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        self.now += seconds


class MayBeHeld(Store):
    """A state file that another program may hold."""

    is_held = False

    def record(self, news: News, *, wait: float = 0.0) -> None:
        """See `Store.record`."""
        if self.is_held:
            raise StoreError("state: held")
        super().record(news, wait=wait)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MayBeHeld]:
    with closing(MayBeHeld(tmp_path / "state.sqlite3")) as store:
        yield store


def lines(store: Store) -> list[str]:
    return [each.reason for each in store.history((), limit=10_000) if each.event == "refused"]


def total(store: Store) -> int:
    """How many requests the lines tell of in all."""
    return sum(int(n) for line in lines(store) for n in re.findall(r"(\d+) requests?,", line))


def test_what_a_line_has(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The first is told at once; what comes after it is counted by its reason, with whence the last came."""

    async def main() -> None:
        clock = Clock()
        refusals = Refusals(store, clock)
        refusals.note(NONE, "192.0.2.9")
        await refusals.tell()
        for whence in ("192.0.2.8", "192.0.2.9"):
            refusals.note(NONE, whence)
        refusals.note(NOT_HIS, "127.0.0.1")
        await refusals.tell()
        assert len(lines(store)) == 1  # not so soon
        clock.now += FIRST
        await refusals.tell()

    asyncio.run(main())
    first, second = lines(store)
    assert first == "1 request, the last from 192.0.2.9: no token that is known"
    assert second == (
        "2 requests, the last from 192.0.2.9: no token that is known; "
        "1 request, the last from 127.0.0.1: report: 'x': app may not report it"
    )
    assert [record.getMessage() for record in caplog.records] == [
        f"api: refused: {line}" for line in lines(store)
    ]


def test_few_lines(store: Store) -> None:
    """Who asks all day long, for reasons without end, gets a line an hour, of a bounded length; none is left out of the count."""

    async def main() -> int:
        clock, count = Clock(), 0
        refusals = Refusals(store, clock)
        while clock.now < 1000.0 + DAY:
            for _ in range(3):
                refusals.note(f"report: {count}: app may not report it", "127.0.0.1")
                count += 1
            await refusals.tell()
            clock.now += 20.0
        await refusals.tell(at_end=True)
        return count

    count = asyncio.run(main())
    assert total(store) == count
    assert len(lines(store)) <= DAY / LONGEST + 10
    assert all(line.count("the last from") <= KINDS + 1 for line in lines(store))


def test_after_a_quiet_time(store: Store) -> None:
    """After an hour without, the next one is told at once, and the one after it a minute later."""

    async def main() -> None:
        clock = Clock()
        refusals = Refusals(store, clock)
        for pause in (0.0, FIRST, 2 * FIRST, 4 * FIRST + LONGEST, FIRST):
            clock.now += pause
            refusals.note(NONE, "127.0.0.1")
            await refusals.tell()

    asyncio.run(main())
    assert len(lines(store)) == 5


def test_what_cannot_be_written(store: MayBeHeld) -> None:
    """While the state file is held nothing is lost: it is counted until it can be told."""

    async def main() -> None:
        refusals = Refusals(store, Clock())
        store.is_held = True
        for _ in range(3):
            refusals.note(NONE, "127.0.0.1")
            await refusals.tell()
        store.is_held = False
        await refusals.tell()

    asyncio.run(main())
    assert lines(store) == ["3 requests, the last from 127.0.0.1: no token that is known"]


def test_by_http(tmp_path: Path) -> None:
    """A wrong token, and a token that may not, are told; what is taken, and what is not there, is not."""

    async def main() -> list[str]:
        text = write_tokens(tmp_path)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port: int = found.getsockname()[1]

        def ask() -> None:
            assert once(port, "PUT", "/v1/reports/shop", UP, token="x" * 32)[0] == 401
            assert once(port, "PUT", "/v1/reports/sho%20p", UP, token=APP)[0] == 403
            assert once(port, "GET", "/v1/reports/%1b" + "y" * 500, token=APP)[0] == 403
            assert once(port, "PUT", "/v1/reports/shop", UP)[0] == 200
            assert once(port, "GET", "/v1/reports/x", token=LOOK)[0] == 404

        async with AsyncExitStack() as stack:
            site = await stack.enter_async_context(running(tmp_path, more=text))
            desk = Desk(site.reconciler)
            await stack.enter_async_context(serving(desk, ListenPlace((LOOPBACK, port))))
            await asyncio.to_thread(ask)
            await desk.refusals.tell()
            return lines(site.store)

    (line,) = asyncio.run(main())
    once_from = "1 request, the last from 127.0.0.1: "
    assert line.startswith(
        f"{once_from}no token that is known, nor a certificate or group that [api.tokens] names; "
        f"{once_from}report: 'sho p': app may not report it; {once_from}/v1/reports/"
    )
    assert line.isprintable()
    assert len(line) < 600
