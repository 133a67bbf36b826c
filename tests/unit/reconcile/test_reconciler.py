"""What wakes the watchdog, and what it takes over while others are under way, in virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.health import Observation, Presence
from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker import config
from speaker.reconcile import status
from speaker.reconcile.known_intents import PASSING
from speaker.reconcile.restoring import FIRST_LOOK
from speaker.reconcile.scope import kept, scope
from speaker.state.store import StoreError
from tests.support.fakes import virtual_time
from tests.support.fakes.exabgp import Daemon, Exabgp
from tests.support.fakes.site import (
    NEIGHBORS,
    SECOND,
    TOML,
    V4,
    V6,
    WEB,
    Life,
    Source,
    running,
    write_config,
)
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from policy.route import Prefix
    from speaker.config.settings import Config
    from tests.support.fakes.site import Site

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


class Slow(Source):
    """A source whose look takes its time."""

    def __init__(self, live: dict[Prefix, int | None], seconds: float = 2.0) -> None:
        super().__init__(live)
        self._seconds = seconds

    async def observe(self) -> Observation:
        await asyncio.sleep(self._seconds)
        return await super().observe()


NEW = parse_prefix("192.0.2.9/32")
ALL = (V4, V6, SECOND, NEW)
MORE = '[vip."vip-3.tld"]\naddresses = ["192.0.2.9"]\n'
PREPENDS = "[policy]\nprepends = [5, 6]\n"


def other(directory: Path, more: str = PREPENDS) -> Config:
    """Return a configuration with another next hop, and by default another AS_PATH."""
    text = TOML.replace("203.0.113.2", "203.0.113.9").format(directory=directory)
    path = directory / "other.toml"
    path.write_text(text + more)
    return config.load(path, {})


def test_a_new_configuration_is_taken_at_once(tmp_path: Path) -> None:
    """No route of a new configuration goes out with what the driver had of the old one, nor the reverse."""

    async def scene(site: Site) -> None:
        await site.reconciler.configure(
            site.reconciler.config, Parting(site.source.live), lambda _: None
        )
        await site.reconciler.configure(other(tmp_path), site.source, site.life.configure)
        await asyncio.sleep(5.0)
        announced = [line for line in site.exabgp.commands if "announce" in line and "/32" in line]
        assert announced
        assert [line for line in announced if "next-hop 203.0.113.9 " not in line] == []

    play(tmp_path, scene)


def test_a_new_configuration_asks_the_daemon_nothing(tmp_path: Path) -> None:
    """Where the driver is given what it had, ExaBGP is not read: a withdrawal would wait for that."""

    async def scene(site: Site) -> None:
        await asyncio.sleep(15.0)
        for more in ("", MORE):
            before = len(site.exabgp.commands)
            site.source.live[NEW] = 2
            loaded = config.load(write_config(tmp_path, more), {})
            await site.reconciler.configure(loaded, site.source, site.life.configure)
            await asyncio.sleep(0.3)
            asked = site.exabgp.commands[before:]
            assert [line for line in asked if "announce" not in line] == []
            assert len(asked) == (2 if more else 0)  # its neighbours are of two ASNs
        await asyncio.sleep(5.0)
        assert str(NEW) in site.table()
        assert READ in site.exabgp.commands[before:]

    play(tmp_path, scene)


def test_the_driver_is_given_nothing_in_the_midst_of_a_call(tmp_path: Path) -> None:
    """What is under way ends with the settings with which it began."""

    async def scene(site: Site) -> None:
        given: list[int] = []

        def driver(_: Config) -> None:
            given.append(len(site.exabgp.commands))

        site.reconciler.wake_and_read()
        await asyncio.sleep(0.0015)
        assert 0 < len(site.exabgp.commands) < 3
        await site.reconciler.configure(other(tmp_path), site.source, driver)
        assert given == [3]
        assert site.exabgp.commands[2] == READ

    play(tmp_path, scene)


def test_a_configuration_that_can_not_be_recorded_is_not_taken(tmp_path: Path) -> None:
    """Neither the watchdog nor the driver has anything of it."""

    async def scene(site: Site) -> None:
        before = site.reconciler.config
        given: list[Config] = []
        site.store.close()
        with pytest.raises(StoreError):
            await site.reconciler.configure(other(tmp_path, MORE), site.source, given.append)
        assert site.reconciler.config is before
        assert given == []

    play(tmp_path, scene)


def test_asked_to_read_while_it_reads(tmp_path: Path) -> None:
    """A session that comes up while the daemon is read is looked at in a reading of its own, at once."""

    async def scene(site: Site) -> None:
        site.reconciler.wake_and_read()
        await asyncio.sleep(0.0015)
        site.reconciler.wake_and_read()
        await asyncio.sleep(1.0)
        assert site.exabgp.commands.count(READ) == 2

    play(tmp_path, scene)


def test_what_changes_all_the_time_is_read_back(tmp_path: Path) -> None:
    """Changes that follow on each other put the reading off, but not for ever."""

    async def scene(site: Site) -> None:
        for prefix in [*site.reconciler.assignments][:40]:
            site.source.live[prefix] = 0
            site.reconciler.wake()
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
        await life.reconciler.operator.apply({V4: Intent(Mode.DRAINED, "alice", clock.wall())})
        await asyncio.sleep(20.0)
        source.looks = 0
        await asyncio.sleep(60.0)
        assert source.looks <= 70
        await life.kill()
        exabgp.stop()

    virtual_time.run(main())


LONG = 60


@contextmanager
def held(directory: Path, how: str = "EXCLUSIVE") -> Iterator[None]:
    """Have another program hold the state file, as a backup does."""
    with closing(sqlite3.connect(directory / "state.sqlite3", isolation_level=None)) as other:
        other.execute(f"BEGIN {how}")
        yield
        other.execute("ROLLBACK")


@asynccontextmanager
async def beats() -> AsyncIterator[list[float]]:
    """Note how long the event loop stood still, in seconds."""
    gaps: list[float] = []

    async def beat() -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(0.01)
            gaps.append(loop.time() - before)

    beating = asyncio.create_task(beat())
    yield gaps
    beating.cancel()


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_state_file_that_is_held(tmp_path: Path, how: str) -> None:
    """It delays neither a withdrawal nor an announcement, and the loop goes on; all is recorded later."""

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site, beats() as gaps:
            await site.reconciler.record()
            with held(tmp_path, how):
                recording = asyncio.create_task(site.reconciler.record(wait=LONG))
                for live, table in ((0, V6), (2, V4)):
                    site.source.live[V4] = live
                    async with asyncio.timeout(LONG / 2):
                        await site.reconciler.cycle()
                    assert (str(V4) in site.table()) is (table is V4)
                await site.reconciler.read_back_if_changed()
            await recording
            assert await site.reconciler.record()
            assert site.store.load().owned[V4].up
            assert max(gaps) < LONG / 2

    asyncio.run(main())


def test_unreadable_intents(tmp_path: Path) -> None:
    """Those last read hold: a drained VIP stays so, a dead one is withdrawn; it is said, and ends."""

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site:
            drained = Intent(Mode.DRAINED, "alice", site.reconciler.clock.wall())
            await site.reconciler.operator.apply({SECOND: drained})
            await site.reconciler.record()
            site.source.live[V4] = 0
            with held(tmp_path):
                await site.reconciler.cycle()
                assert site.table() == {str(V6)}
                await asyncio.sleep(PASSING)
                await site.reconciler.cycle()
                (trouble,) = [t for t in site.reconciler.alarms.texts if t.startswith("intents")]
                assert "locked; another program holds it" in trouble
                assert "the intents last read stay in force" in trouble
            await site.reconciler.cycle()
            assert site.reconciler.alarms.texts == []

    asyncio.run(main())


def test_overwritten_in_place(tmp_path: Path) -> None:
    """A file that becomes garbage changes nothing of what was read from it."""

    async def main() -> None:
        async with running(tmp_path, cycles=False) as site:
            await site.reconciler.operator.apply(
                {SECOND: Intent(Mode.DRAINED, "alice", site.reconciler.clock.wall())}
            )
            await site.reconciler.record()
            whole = (tmp_path / "state.sqlite3").read_bytes()
            (tmp_path / "state.sqlite3").write_bytes(b"garbage" * 2000)
            site.source.live[V4] = 0
            await site.reconciler.cycle()
            assert site.table() == {str(V6)}
            with pytest.raises(StoreError, match=r"not a database|malformed"):
                await site.reconciler.operator.apply({V6: Intent(Mode.DRAINED, "alice", 0.0)})
            assert site.table() == {str(V6)}
            assert not await site.reconciler.record()
            (tmp_path / "state.sqlite3").write_bytes(whole)
            await site.reconciler.cycle()
            assert site.table() == {str(V6)}

    asyncio.run(main())


def test_an_intent_that_can_not_be_read(tmp_path: Path) -> None:
    """Its prefix is held drained, and that is said; nothing else stops; `-a` lifts it."""

    async def scene(site: Site) -> None:
        with closing(sqlite3.connect(tmp_path / "state.sqlite3", isolation_level=None)) as other:
            other.execute(f"INSERT INTO intent VALUES ('{V4}', 'gone', 'bob', '', 0, NULL, 0, 0)")
        site.source.live[SECOND] = 0
        await asyncio.sleep(2.0)
        assert site.table() == {str(V6)}
        (trouble,) = site.reconciler.alarms.texts
        assert f"the intent of '{V4}' can't be read" in trouble
        (route,) = status.routes(site.reconciler, [V4])
        assert "drained by state file" in route.reason
        await site.reconciler.operator.apply(
            {V4: Intent(Mode.AUTO, "alice", site.reconciler.clock.wall())}
        )
        assert site.table() == {str(V4), str(V6)}
        assert site.reconciler.alarms.texts == []

    play(tmp_path, scene)


def test_restored_right_after_a_new_configuration(tmp_path: Path) -> None:
    """What is dead is not announced by `-a`, although the new configuration looked at nothing yet."""

    async def scene(site: Site) -> None:
        site.source.live[V4] = 0
        site.source.live[NEW] = 0
        await asyncio.sleep(2.0)
        slow = Slow(site.source.live)
        await site.reconciler.configure(other(tmp_path, MORE), slow, site.life.configure)
        wish = Intent(Mode.AUTO, "alice", site.reconciler.clock.wall())
        await site.reconciler.operator.apply(dict.fromkeys((V4, NEW), wish))
        assert slow.looks == 1
        assert not {str(V4), str(NEW)} & site.table()
        for prefix in (V4, NEW):
            (route,) = status.routes(site.reconciler, [prefix])
            assert (route.announced, route.health) == (False, "down")

    play(tmp_path, scene)


def test_what_stays_is_known_under_a_new_configuration(tmp_path: Path) -> None:
    """A drain of one VIP right after a HUP finds the others as they are, not unknown."""

    async def scene(site: Site) -> None:
        site.source.live[V4] = 0
        await asyncio.sleep(2.0)
        await site.reconciler.configure(
            other(tmp_path, MORE), Slow(site.source.live, 60.0), site.life.configure
        )
        wish = Intent(Mode.DRAINED, "alice", site.reconciler.clock.wall())
        await site.reconciler.operator.apply({SECOND: wish})
        healths = {r.prefix: r.health for r in status.routes(site.reconciler, ALL)}
        assert healths == {str(V4): "down", str(V6): "up", str(SECOND): "up", str(NEW): "unknown"}

    play(tmp_path, scene)


@pytest.mark.parametrize("mode", Mode)
def test_a_first_look_that_takes_long(tmp_path: Path, mode: Mode) -> None:
    """`-a` waits for it, but not for long: then what it restores is unknown. `-d` and `--force` never wait."""

    async def scene(site: Site) -> None:
        await site.reconciler.operator.apply(
            dict.fromkeys(ALL[:3], Intent(Mode.DRAINED, "alice", 0.0))
        )
        slow = Slow(site.source.live, 60.0)
        await site.reconciler.configure(other(tmp_path, MORE), slow, site.life.configure)
        began = site.reconciler.clock.steady()
        await site.reconciler.operator.apply(
            {NEW: Intent(mode, "alice", site.reconciler.clock.wall())}
        )
        took = site.reconciler.clock.steady() - began
        leaves = mode in (Mode.DRAINED, Mode.DRAINING)
        waits = not leaves and mode is not Mode.FORCED
        assert FIRST_LOOK <= took < FIRST_LOOK + 1.0 if waits else took < 1.0
        assert (str(NEW) in site.table()) is not leaves

    play(tmp_path, scene)


def test_kept() -> None:
    """Of what was observed that stays which is looked at alike; what must be here and is new is held."""
    seen = Observation({V4: {WEB: 1}, V6: {WEB: 2}}, presence=Presence(frozenset({V4, V6})))
    found = kept(seen, [V4], announced=[V4, SECOND])
    assert found.live == {V4: {WEB: 1}}
    assert found.unknown == "not observed yet"
    assert found.presence == Presence(frozenset({V4, SECOND}))
    assert kept(replace(seen, presence=None), [], announced=[]).presence is None


HEALTH = "[health]\nrestore_at = 2\n"


@pytest.mark.parametrize(
    ("more", "alike"),
    [
        ("", {V4, V6, SECOND}),
        (MORE, {V4, V6, SECOND}),
        ("[policy]\nprepends = [5, 6]\n", {V4, V6, SECOND}),
        (HEALTH, set()),
        ('health = { ignore_realservers = ["192.0.2.99"] }\n', {V4, V6}),
    ],
)
def test_observed_alike(tmp_path: Path, more: str, alike: set[Prefix]) -> None:
    """A look still counts for a VIP whose health is judged and observed by the same rules."""
    before = scope(other(tmp_path, ""))
    after = scope(other(tmp_path, more), None, before)
    assert after.observed_alike == alike
    if not more:
        assert all(
            after.assignments[p] is assignment for p, assignment in before.assignments.items()
        )
