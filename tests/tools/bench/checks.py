"""What a thousand HTTP checks a second cost, of a server that does the least: by connections that are used again, and new ones.

What new ones must cost is measured beside them: the least that asyncio can do, without HTTP and without checks.
"""

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
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def _serve(ready: Connection) -> None:
    """Answer everyone who asks, for ever."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = b""
            while b"close" not in asked:
                asked = await reader.readuntil(b"\r\n\r\n")
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
    """Return the shares of a core, and the memory. A run in which not all were up measured something else."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    ways = ("reused", "new", "bare")
    try:
        port = ours.recv()
        runs = [{way: _run(way, port) for way in ways} for _ in range(min(rounds, 3))]
    finally:
        server.terminate()
        server.join()
    what = f"{COUNT:,} HTTP checks a second"
    for way, budget in (("reused", 25), ("new", 60), ("bare", 60)):
        up = min(run[way]["up"] for run in runs)
        note = f"only {up:g} of {COUNT} were up: the machine was busy" if up < COUNT else ""
        shares = tuple(run[way]["share"] * 100 for run in runs)
        title = "the least that asyncio needs" if way == "bare" else f"{what}, connections {way}"
        yield Row(title, shares, budget, "% of a core", note)
    ratios = tuple(run["new"]["share"] / run["bare"]["share"] for run in runs)
    yield Row(f"{what}, connections new / the least", ratios, 2.5, "x")
    memory = tuple(max(found["memory"] for found in run.values()) for run in runs)
    yield Row(f"{what}, memory", memory, 120, "MB")


def _run(way: str, port: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), way, str(COUNT), str(port)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return dict(json.loads(done.stdout))
