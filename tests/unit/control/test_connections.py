"""How long a caller may take to read an answer, in time that passes at once."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from speaker.control.connections import IDLE, RATE, Connections
from tests.support.fakes.virtual_time import run

if TYPE_CHECKING:
    from pathlib import Path

SIZE = round(4 * IDLE * RATE)


async def answer(_: web.Request) -> web.Response:
    return web.Response(body=b"x" * SIZE)


@pytest.mark.parametrize(
    ("piece", "each", "is_whole"),
    [
        (1 << 16, IDLE / 2, False),
        (1 << 13, 1 / 64, False),
        (1 << 15, 1 / 64, True),
        (1 << 16, 0, True),
    ],
)
def test_a_slow_reader(tmp_path: Path, piece: int, each: float, *, is_whole: bool) -> None:
    """Who reads an answer slower than RATE is hung up on, however regularly they read; who reads as fast gets all.

    Args:
        piece: how much is read at a time, in bytes.
        each: how often, in seconds.
        is_whole: whether all of it comes.
    """

    async def main() -> int:
        loop = asyncio.get_running_loop()
        application = web.Application(middlewares=[Connections(1).answered])
        application.router.add_get("/", answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        path = str(tmp_path / "control.sock")
        await web.UnixSite(runner, path).start()
        read = 0
        with closing(socket.socket(socket.AF_UNIX)) as caller:
            caller.settimeout(0)
            await loop.sock_connect(caller, path)
            await loop.sock_sendall(
                caller, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            end = loop.time() + SIZE / RATE + 4 * IDLE
            while loop.time() < end:
                found = await loop.sock_recv(caller, piece)
                if not found:
                    break
                read += len(found)
                await asyncio.sleep(each)
            else:
                pytest.fail("it is still open")
        await runner.cleanup()
        return read

    assert (run(main()) > SIZE) is is_whole
