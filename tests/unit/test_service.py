"""A watchdog that stays: what a configuration that can't be taken does to it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING

from speaker.backends.base import Reading
from speaker.service import Service
from tests.fakes.site import write_config

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import pytest

    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.base import Peer
    from speaker.settings import Config
    from speaker.watchdog import Watchdog

NO_CHECKS = '[health]\nsource = "none"\n'


class Daemon:
    """A backend that takes everything."""

    heal = 30.0

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        del changes
        return {}

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        return Reading(dict.fromkeys(prefixes))

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        del prefixes

    def peers(self) -> Sequence[Peer]:
        return []


def test_a_fault_of_ours_in_a_new_configuration(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong when a configuration is taken anew, the watchdog goes on with the old one."""
    path = write_config(tmp_path, NO_CHECKS)
    given: list[Config] = []
    left: list[Watchdog] = []

    def configure(config: Config) -> None:
        given.append(config)
        if len(given) == 2:
            raise ZeroDivisionError

    async def farewell(watchdog: Watchdog) -> None:
        left.append(watchdog)

    async def until(said: str) -> None:
        async with asyncio.timeout(20):
            while said not in caplog.text:  # noqa: ASYNC110 - nothing tells of a line
                await asyncio.sleep(0.01)

    async def main() -> None:
        service = Service(path, "exabgp", Daemon(), configure, farewell)
        running = asyncio.create_task(service.run())
        await until("started:")
        os.kill(os.getpid(), signal.SIGHUP)
        await until("the configuration stays as it was")
        os.kill(os.getpid(), signal.SIGHUP)
        await until("configuration taken")
        assert not running.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    assert [config is given[0] for config in given] == [True, False, True, False]
    assert [watchdog.config for watchdog in left] == given[-1:]
