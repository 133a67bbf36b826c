"""Connections of HTTP checks that are used again: as long as they may be, and never to a server's disadvantage or advantage."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.health import Health
from speaker.config.settings_checks import CheckSettings, HttpCheck
from speaker.health.checks.connections import MAX_RECEIVED
from speaker.health.checks.http import HttpAsker
from speaker.health.checks.probe import Probe, ProbeAnswer
from tests.support.lab.eventually import SLOW

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

UP, DOWN = Health.UP, Health.DOWN
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Server:
    """Answers each request on its connection by the next of some answers, the last again and again; an empty one closes it."""

    answers: list[bytes] = field(default_factory=lambda: [OK])
    asked: list[int] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.asked.append(0)
        mine = self.connections - 1
        self.writers.append(writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                answer = self.answers[min(self.asked[mine], len(self.answers) - 1)]
                self.asked[mine] += 1
                if not answer:
                    return
                writer.write(answer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class World:
    """A server, one who asks it, and a clock."""

    def __init__(self, server: Server, listening: asyncio.Server, reuse: float) -> None:
        self.server, self.listening = server, listening
        self.now = 1000.0
        self.asker = HttpAsker(lambda: self.now)
        port = listening.sockets[0].getsockname()[1]
        self.what = HttpCheck(f"http://127.0.0.1:{port}/", body="ok", reuse=reuse)

    async def ask(self) -> ProbeAnswer:
        return await self.asker.ask(Probe(CheckSettings("x", self.what)), self.what)


def run(server: Server, reuse: float, story: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
        world = World(server, listening, reuse)
        try:
            await story(world)
        finally:
            await world.asker.close()
            listening.close()

    asyncio.run(main())


def test_how_long() -> None:
    """A connection is used again until it is as old as `reuse`; then a new one is made, and it is closed."""

    async def story(world: World) -> None:
        for _ in range(3):
            assert (await world.ask()).health is UP
        assert world.server.asked == [3]
        world.now += 9.9
        await world.ask()
        assert world.server.asked == [4]
        world.now += 0.1
        await world.ask()
        assert world.server.asked == [4, 1]

    run(Server(), 10.0, story)


def test_never() -> None:
    """Without `reuse` each request has a connection of its own, though the server would keep it."""

    async def story(world: World) -> None:
        for _ in range(3):
            await world.ask()
        assert world.server.asked == [1, 1, 1]

    run(Server(), 0.0, story)


def test_closed_by_the_server() -> None:
    """A server that closes its connection when it is asked again is asked by a new one, and is up."""

    async def story(world: World) -> None:
        for _ in range(4):
            assert (await world.ask()).health is UP

    run(Server([OK, b""]), 10.0, story)


def test_garbage_on_a_used_connection() -> None:
    """What is no answer on a connection that was used before is asked once more, by a new one."""

    async def story(world: World) -> None:
        for _ in range(4):
            assert (await world.ask()).health is UP
        assert world.server.asked == [2, 1, 2, 1][: len(world.server.asked)]

    run(Server([OK, b"garbage\r\n\r\n"]), 10.0, story)


def test_no_longer_listening() -> None:
    """A server that takes no connection any more is down once its old one is too old, and at once where it has closed that."""

    async def story(world: World) -> None:
        await world.ask()
        world.listening.close()
        assert (await world.ask()).health is UP
        world.now += 10.0
        found = await world.ask()
        assert (found.health, "refused" in found.reason) == (DOWN, True)

    async def closed(world: World) -> None:
        await world.ask()
        world.listening.close()
        world.server.answers = [b""]
        found = await world.ask()
        assert (found.health, "refused" in found.reason) == (DOWN, True)

    run(Server(), 10.0, story)
    run(Server(), 10.0, closed)


def test_answers_that_nobody_asked_for() -> None:
    """Of two answers to one request, the second is not taken for the answer to the next."""

    async def story(world: World) -> None:
        for number in range(3):
            assert (await world.ask()).health is UP
            assert world.server.connections == number + 1

    run(Server([OK + OK]), 10.0, story)


def test_late_answers_that_nobody_asked_for() -> None:
    """The same where the second comes while nothing is asked."""

    async def story(world: World) -> None:
        await world.ask()
        world.server.writers[0].write(OK)
        await world.server.writers[0].drain()
        (kept,) = world.asker._kept.connector._conns.values()  # type: ignore[union-attr]  # it is open
        async with asyncio.timeout(30):
            while not kept[0][0].should_close:  # noqa: ASYNC110 - the library's, which has no event for it
                await asyncio.sleep(0.001)
        world.server.answers = [b""]
        found = await world.ask()
        assert (found.health, world.server.connections > 1) == (DOWN, True)

    run(Server(), 10.0, story)


def test_a_flood_that_nobody_asked_for() -> None:
    """What comes while nothing is asked is not kept without a bound until the next question."""

    async def story(world: World) -> None:
        await world.ask()
        (writer,) = world.server.writers
        writer.write(OK * (MAX_RECEIVED // len(OK) + 1))
        async with asyncio.timeout(SLOW * 5):
            while not writer.is_closing():  # noqa: ASYNC110 - the server's task closes it, and has no event for that
                await asyncio.sleep(0.001)
        assert (await world.ask()).health is UP
        assert world.server.connections == 2

    run(Server(), 10.0, story)


def test_silence() -> None:
    """After no answer in time, the next question has a new connection."""

    async def story(world: World) -> None:
        world.server.answers = [OK, b"HTTP/1.1"]
        await world.ask()
        try:
            async with asyncio.timeout(0.05):
                await world.ask()
        except TimeoutError:
            pass
        else:
            raise AssertionError
        assert (await world.ask()).health is UP
        assert world.server.asked == [2, 1]

    run(Server(), 10.0, story)
