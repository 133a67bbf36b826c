"""A thousand HTTP checks a second in a process of their own: prints its share of a core, its memory, and how many are up.

The share is what an answer costs, a thousand times: a machine that is too busy to ask them all measures the same.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from ipaddress import ip_network

from policy.health import Health
from speaker.config.settings_checks import CheckSettings, HttpCheck
from speaker.health.checks.asking import Askers, Bounded
from speaker.health.checks.probe import Probe, ProbeAnswer
from speaker.health.checks.source import ChecksSource, probes

WARM, SECONDS = 2.0, 6.0
PREFIX = ip_network("192.0.2.1/32")
REQUEST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
REUSE = {"new": 0.0, "reused": 60.0}


class Counted:
    """Asks, and counts the answers."""

    def __init__(self) -> None:
        self.answers = 0
        self._inner = Bounded(Askers())

    async def ask(self, probe: Probe) -> ProbeAnswer:
        answer = await self._inner.ask(probe)
        self.answers += 1
        return answer

    async def close(self) -> None:
        await self._inner.close()


async def measured(answers: Callable[[], int], up: Callable[[], Awaitable[int]]) -> None:
    """Print what a time of asking costs."""
    await asyncio.sleep(WARM)
    cpu, before = time.process_time(), answers()
    await asyncio.sleep(SECONDS)
    each = (time.process_time() - cpu) / (answers() - before)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"share": each * 1_000, "memory": memory, "up": await up()}))


async def checked(count: int, port: int, reuse: float) -> None:
    """Ask by checks."""
    asks = HttpCheck(f"http://127.0.0.1:{port}/health", body="ok", reuse=reuse)
    checks = [CheckSettings(f"check-{index}", asks) for index in range(count)]
    asking = Counted()
    asked = {PREFIX: {each.name: probes(each, PREFIX, ()) for each in checks}}
    source = ChecksSource(asked, asking=lambda: asking)
    await source.observe()

    async def up() -> int:
        said = (await source.observe()).said[PREFIX].values()
        return sum(each.health is Health.UP for each in said)

    await measured(lambda: asking.answers, up)
    await source.close()


async def bare(count: int, port: int) -> None:
    """Ask by the least that asyncio needs: connect, write, read, close, with a time limit."""
    answers = 0

    async def keep(index: int) -> None:
        nonlocal answers
        due = time.monotonic() + index / count
        while True:
            await asyncio.sleep(max(due - time.monotonic(), 0))
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(REQUEST)
                await reader.read()
                writer.close()
            answers += 1
            due += 1

    async def up() -> int:
        return sum(not task.done() for task in tasks)

    tasks = [asyncio.create_task(keep(index)) for index in range(count)]
    await measured(lambda: answers, up)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    how, count, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    asyncio.run(bare(count, port) if how == "bare" else checked(count, port, REUSE[how]))
