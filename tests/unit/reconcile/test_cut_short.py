"""A watchdog that is told to end while it asks for changes: what it asked for is not taken for undone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.support.fakes import virtual_time
from tests.support.fakes.site import SECOND, V4, V6, running
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from pathlib import Path


def test_withdrawn_at_the_end(tmp_path: Path) -> None:
    """What it was about to announce when it was ended is withdrawn with all else, where it takes its routes along."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            site.source.live[SECOND] = 0
            await asyncio.sleep(100.0)
            assert site.table() == {str(V4), str(V6)}
            site.exabgp.commands.clear()
            site.source.live[SECOND] = 2
            site.reconciler.wake()
            async with asyncio.timeout(60.0):
                while not any("announce" in line for line in site.exabgp.commands):  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.001)
            cycles = site.life.tasks.pop()
            cycles.cancel()
            await asyncio.wait({cycles})
            await site.reconciler.withdraw_all()
            await asyncio.sleep(5.0)
            assert site.table() == set()

    virtual_time.run(main())
