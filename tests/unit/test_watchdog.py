"""What wakes the watchdog, and what it takes over while others are under way, in virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from speaker import config
from speaker.store import StoreError
from tests.fakes import virtual_time
from tests.fakes.exabgp import Daemon, Exabgp
from tests.fakes.site import NEIGHBORS, TOML, V4, Life, Source, running, write_config
from tests.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from speaker.settings import Config
    from tests.fakes.site import Site

READ = "show adj-rib out extensive"


def play(directory: Path, scene: Callable[[Site], Awaitable[None]], more: str = "") -> None:
    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, more=more, clock=clock) as site:
            await asyncio.sleep(20.0)
            site.exabgp.commands.clear()
            await scene(site)

    virtual_time.run(main())


class Parting(Source):
    """A source that takes its time to close."""

    async def close(self) -> None:
        await asyncio.sleep(5.0)


def other(directory: Path) -> Config:
    """Return a configuration with another AS_PATH and another next hop."""
    text = TOML.replace("203.0.113.2", "203.0.113.9") + "[policy]\nprepends = [5, 6]\n"
    path = directory / "other.toml"
    path.write_text(text.format(directory=directory))
    return config.load(path, {})


def test_a_new_configuration_is_taken_at_once(tmp_path: Path) -> None:
    """No route of a new configuration goes out with what the driver had of the old one, nor the reverse."""

    async def scene(site: Site) -> None:
        await site.watchdog.configure(
            site.watchdog.config, Parting(site.source.live), lambda _: None
        )
        await site.watchdog.configure(other(tmp_path), site.source, site.life.configure)
        await asyncio.sleep(5.0)
        announced = [line for line in site.exabgp.commands if "announce" in line and "/32" in line]
        assert announced
        assert [line for line in announced if "next-hop 203.0.113.9 " not in line] == []

    play(tmp_path, scene)


def test_the_driver_is_given_nothing_in_the_midst_of_a_call(tmp_path: Path) -> None:
    """What is under way ends with the settings with which it began."""

    async def scene(site: Site) -> None:
        given: list[int] = []

        def driver(_: Config) -> None:
            given.append(len(site.exabgp.commands))

        site.watchdog.wake_and_read()
        await asyncio.sleep(0.0015)
        assert 0 < len(site.exabgp.commands) < 3
        await site.watchdog.configure(other(tmp_path), site.source, driver)
        assert given == [3]
        assert site.exabgp.commands[2] == READ

    play(tmp_path, scene)


def test_a_configuration_that_can_not_be_recorded_is_not_taken(tmp_path: Path) -> None:
    """Neither the watchdog nor the driver has anything of it."""

    async def scene(site: Site) -> None:
        before = site.watchdog.config
        given: list[Config] = []
        site.store.close()
        with pytest.raises(StoreError):
            await site.watchdog.configure(other(tmp_path), site.source, given.append)
        assert site.watchdog.config is before
        assert given[-1] is before

    play(tmp_path, scene)


def test_asked_to_read_while_it_reads(tmp_path: Path) -> None:
    """A session that comes up while the daemon is read is looked at in a reading of its own, at once."""

    async def scene(site: Site) -> None:
        site.watchdog.wake_and_read()
        await asyncio.sleep(0.0015)
        site.watchdog.wake_and_read()
        await asyncio.sleep(1.0)
        assert site.exabgp.commands.count(READ) == 2

    play(tmp_path, scene)


def test_what_changes_all_the_time_is_read_back(tmp_path: Path) -> None:
    """Changes that follow on each other put the reading off, but not for ever."""

    async def scene(site: Site) -> None:
        for prefix in [*site.watchdog.duties][:40]:
            site.source.live[prefix] = 0
            site.watchdog.wake()
            await asyncio.sleep(0.2)
        assert READ in site.exabgp.commands

    addresses = [f"198.51.100.{n}" for n in range(100)]
    play(tmp_path, scene, f'[vip."vip-3.tld"]\naddresses = {addresses}\n')


def test_it_rests_while_the_daemon_is_silent(tmp_path: Path) -> None:
    """A drain that fails at a daemon that was never read is no reason to look without a rest."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        exabgp = Exabgp(Daemon(NEIGHBORS, 5))
        loaded = config.load(write_config(tmp_path), {})
        source = Source(dict.fromkeys(loaded.topology.prefixes, 2))
        exabgp.stall(300.0)
        life = Life(exabgp, loaded, source, clock, loaded.settings.state)
        life.listen()
        life.watch()
        await life.watchdog.ask({V4: Intent(Mode.DRAINED, "alice", clock.wall())})
        await asyncio.sleep(20.0)
        source.looks = 0
        await asyncio.sleep(60.0)
        assert source.looks <= 70
        await life.kill()
        exabgp.stop()

    virtual_time.run(main())


def test_a_state_file_that_keeps_it_waiting(tmp_path: Path) -> None:
    """While another program writes to the state file, ExaBGP is listened to all the same."""
    gaps: list[float] = []

    async def beat() -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            gaps.append(loop.time() - before)

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site:
            beating = asyncio.create_task(beat())
            with closing(
                sqlite3.connect(tmp_path / "state.sqlite3", isolation_level=None)
            ) as other:
                other.execute("BEGIN IMMEDIATE")
                site.source.live[V4] = 0
                cycle = asyncio.create_task(site.watchdog.cycle())
                async with asyncio.timeout(20):
                    while str(V4) in site.table():  # noqa: ASYNC110 - nothing tells of it
                        await asyncio.sleep(0.01)
                await asyncio.sleep(1.0)
                assert not cycle.done()
                other.execute("ROLLBACK")
            await cycle
            beating.cancel()

    asyncio.run(main())
    assert max(gaps) < 0.7
