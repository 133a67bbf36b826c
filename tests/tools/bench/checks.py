"""What a thousand HTTP checks a second cost: each a connection of its own, to a server that does the least."""

import asyncio
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from tests.tools.bench.row import Row

COUNT = 1_000
SCRIPT = Path(__file__).with_name("checks_script.py")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def _serve(ready: Connection) -> None:
    """Answer everyone who asks, for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=COUNT)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


def bench(rounds: int) -> Iterator[Row]:
    """Return the share of a core, and the memory. A run in which not all were up measured something else."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    try:
        port = ours.recv()
        found = [_run(port) for _ in range(min(rounds, 3))]
    finally:
        server.terminate()
        server.join()
    up = min(each["up"] for each in found)
    note = "" if up == COUNT else f"only {up:g} of {COUNT} were up: the machine is too busy to tell"
    what = f"{COUNT:,} HTTP checks a second"
    yield Row(what, tuple(each["share"] * 100 for each in found), 25, "% of a core", note)
    yield Row(f"{what}, memory", tuple(each["memory"] for each in found), 120, "MB")


def _run(port: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(COUNT), str(port)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return dict(json.loads(done.stdout))
