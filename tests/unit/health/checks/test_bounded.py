"""A question that can't be ended: what was answered before is not taken for what is so now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from policy.health import Health, Observation
from policy.route import parse_prefix
from speaker.config.settings_checks import CheckSettings, ExecCheck, HttpCheck
from speaker.health.checks.asking import GRACE, Bounded
from speaker.health.checks.probe import Probe, ProbeAnswer
from speaker.health.checks.source import ChecksSource
from tests.support.fakes import virtual_time

if TYPE_CHECKING:
    from collections.abc import Coroutine

CHECK = CheckSettings("disk", ExecCheck(("/bin/true",)), interval=10.0, timeout=2.0)
PROBE = Probe(CHECK)
SHOP = Probe(CheckSettings("shop", HttpCheck("http://192.0.2.1/")))
PREFIX = parse_prefix("192.0.2.1/32")


class Kernel:
    """Has a program answer at once, or hang so that no signal ends it."""

    def __init__(self) -> None:
        self.asked = 0
        self.well = asyncio.Event()
        self.well.set()

    async def ask(self, _: Probe) -> ProbeAnswer:
        self.asked += 1
        while not self.well.is_set():
            try:
                await self.well.wait()
            except asyncio.CancelledError:
                continue
        return ProbeAnswer(Health.UP, "fine")

    async def close(self) -> None:
        self.well.set()


def test_unknown_while_it_hangs() -> None:
    """Nothing is known while it hangs, it is asked once, and a reload waits for it briefly; then it is up again."""

    async def main() -> None:
        kernel, loop = Kernel(), asyncio.get_running_loop()
        source = ChecksSource(
            {PREFIX: {"disk": [PROBE]}}, asking=lambda: Bounded(kernel), steady=loop.time
        )

        async def health() -> Health:
            found: Observation = await source.observe()
            return found.said[PREFIX]["check/disk"].health

        await health()
        await asyncio.sleep(60.0)
        assert await health() is Health.UP
        kernel.well.clear()
        before = kernel.asked
        await asyncio.sleep(60.0)
        assert (await health(), kernel.asked) == (Health.UNKNOWN, before + 1)
        kernel.well.set()
        await asyncio.sleep(30.0)
        assert await health() is Health.UP
        kernel.well.clear()
        await asyncio.sleep(12.0)
        began = loop.time()
        await source.close()
        assert loop.time() - began <= GRACE

    virtual_time.run(main())


@pytest.mark.parametrize("probe", [PROBE, SHOP], ids=["exec", "http"])
@pytest.mark.parametrize("seconds", [0.0, 1.0, 3.0])
def test_cancelled(seconds: float, probe: Probe) -> None:
    """Who stops asking has the question ended, too."""

    async def main() -> None:
        class Slow:
            ended = False

            async def ask(self, _: Probe) -> ProbeAnswer:
                try:
                    await asyncio.sleep(1e6)
                finally:
                    await asyncio.sleep(seconds)
                    self.ended = True
                raise AssertionError

            async def close(self) -> None:
                """Hold nothing."""

        slow = Slow()
        asking: Coroutine[None, None, ProbeAnswer] = Bounded(slow).ask(probe)
        task = asyncio.create_task(asking)
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert slow.ended

    virtual_time.run(main())
