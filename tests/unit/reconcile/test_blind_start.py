"""A start beside a state file that can't be read: what is known is acted on, and nothing is guessed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from policy.damping import Damping
from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker import config
from speaker.control import client
from speaker.reconcile import status
from speaker.state.store import News, StoreError
from tests.support.fakes import virtual_time
from tests.support.fakes.runs import FIRST, Runs
from tests.support.fakes.runs import SECOND as OTHER
from tests.support.fakes.site import SECOND, V4, V6, Life, running, write_config
from tests.support.fakes.virtual_time import VirtualClock
from tests.support.lab.eventually import eventually
from tests.unit.runtime.test_end import spawned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support.fakes.site import Site

NEW = parse_prefix("192.0.2.9/32")
MORE = '[vip."vip-3.tld"]\naddresses = ["192.0.2.9"]\n'


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have another program hold the file, as a backup does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def garbage(path: Path) -> Iterator[None]:
    """Have the file overwritten in place, and put back."""
    whole = path.read_bytes()
    path.write_bytes(b"garbage" * 2000)
    yield
    path.write_bytes(whole)


@contextmanager
def of_a_newer_program(path: Path) -> Iterator[None]:
    """Have the file be of a version that this program does not know."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        (before,) = other.execute("PRAGMA user_version").fetchone()
        other.execute("PRAGMA user_version = 99")
        yield
        other.execute(f"PRAGMA user_version = {before}")


class Way(NamedTuple):
    """A way in which the file can't be read, and the remedy that is said."""

    harm: Callable[[Path], AbstractContextManager[None]]
    remedy: str


WAYS = [
    pytest.param(Way(locked, "another program holds it"), id="locked"),
    pytest.param(Way(garbage, "put a copy of it back"), id="garbage"),
    pytest.param(Way(of_a_newer_program, "use the newer program"), id="newer"),
]


def restarted(
    directory: Path,
    scene: Callable[[Site, Life], Awaitable[None]],
    harm: Way,
    more: str = "",
    v6: int | None = 2,
) -> None:
    """Play a scene with a watchdog whose successor starts while the file can't be read.

    Before, V4 and V6 are announced, and SECOND is drained, all of them alive. V4 dies between, and of V6 so many are alive then.
    """

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(directory, clock=clock) as site:
            await site.reconciler.operator.apply(
                {SECOND: Intent(Mode.DRAINED, "alice", clock.wall())}
            )
            await site.reconciler.record()
            assert site.table() == {str(V4), str(V6)}
            await site.life.kill()
            site.source.live |= {V4: 0, V6: v6}
            loaded = config.load(write_config(directory, more), {})
            with harm.harm(directory / "state.sqlite3"):
                life = Life(site.exabgp, loaded, site.source, clock, loaded.settings.state)
                life.listen()
                life.watch()
                await asyncio.sleep(10.0)
                await scene(site, life)
            site.source.live |= {V4: 2, V6: 2, NEW: 2}
            await asyncio.sleep(3.0)
            here = {str(V4), str(V6)} | ({str(NEW)} if more else set())
            assert site.table() == here
            assert life.reconciler.alarms.texts == []
            assert life.store.load().owned[V4].up
            (route,) = status.routes(life.reconciler, [SECOND])
            assert route.intent == "drained"
            await life.kill()

    virtual_time.run(main())


@pytest.mark.parametrize("way", WAYS)
def test_a_dead_vip_is_withdrawn(tmp_path: Path, way: Way) -> None:
    """Intents that were never read are unknown, not auto: nothing is announced; what is dead goes."""

    async def scene(site: Site, life: Life) -> None:
        assert site.table() == {str(V6)}
        texts = life.reconciler.alarms.texts
        (trouble,) = [text for text in texts if text.startswith("intents: ")]
        assert way.remedy in trouble
        assert "operators' intents are unknown: what is dead is withdrawn" in trouble
        for route in status.routes(life.reconciler, [V4, V6, SECOND]):
            assert (route.intent, route.as_wanted) == ("unknown", False)
            assert "operators' intents are unknown" in route.reason
        assert "a drain may be recorded there" in route.reason
        site.source.live[V4] = 2
        await asyncio.sleep(3.0)
        assert site.table() == {str(V6)}
        with pytest.raises(StoreError, match=way.remedy):
            await life.reconciler.operator.apply({V6: Intent(Mode.DRAINED, "alice", 0.0)})

    restarted(tmp_path, scene, way)


def test_unknown_health_is_held(tmp_path: Path) -> None:
    """What is announced and of unknown health stays, although nothing is remembered that it was up."""

    async def scene(site: Site, life: Life) -> None:
        assert site.table() == {str(V6)}
        (route,) = status.routes(life.reconciler, [V6])
        assert "held announced" in route.reason

    restarted(tmp_path, scene, Way(locked, ""), v6=None)


def test_a_new_vip(tmp_path: Path) -> None:
    """A VIP that is new in vip.toml is recorded as ours, and announced, once the file can be used."""

    async def scene(site: Site, life: Life) -> None:
        site.source.live[NEW] = 2
        await asyncio.sleep(3.0)
        assert NEW in life.reconciler.assignments
        assert site.table() == {str(V6)}

    restarted(tmp_path, scene, Way(garbage, ""), MORE)


def test_what_flapped(tmp_path: Path) -> None:
    """A VIP that was held down for flapping before the start is so again, once that can be read."""
    more = "[health]\ndamping = {}\n"

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock, more=more) as site:
            flapped = Damping(5000.0, clock.steady(), damped=True, up=False)
            site.store.record(News(damping={V4: flapped}))
            await site.life.kill()
            loaded = config.load(tmp_path / "vip.toml", {})
            with locked(tmp_path / "state.sqlite3"):
                life = Life(site.exabgp, loaded, site.source, clock, loaded.settings.state)
                life.listen()
                life.watch()
                await asyncio.sleep(10.0)
                assert str(V4) in site.table()
            await asyncio.sleep(5.0)
            assert str(V4) not in site.table()
            assert life.store.load().damping[V4].damped
            await life.kill()

    virtual_time.run(main())


def test_the_control_socket_is_there(tmp_path: Path) -> None:
    """vip_mgmt reaches a watchdog whose state file was garbage from the start: it says what is so."""
    (tmp_path / "state.sqlite3").write_bytes(b"garbage" * 2000)
    with spawned(tmp_path) as it:
        answer = (
            eventually(  # it is served before the first cycle is over, which says what is wrong
                lambda: client.ask(it.socket, "GET", "/status"),
                until=lambda shown: shown["trouble"],
                within=10,
                what="trouble",
            )
        )
        assert {route["intent"] for route in answer["routes"]} == {"unknown"}
        assert any("put a copy of it back" in text for text in answer["trouble"])
        assert "Traceback" not in it.log


@pytest.mark.parametrize("way", WAYS)
def test_a_pass(tmp_path: Path, way: Way) -> None:
    """A pass of cron withdraws what is dead, announces nothing, and says that it does not know all."""

    async def go(where: str, kind: str) -> None:
        del where, kind

    async def main() -> None:
        runs = Runs(tmp_path, go)
        assert await runs.run_pass()
        assert await runs.operate(OTHER, Mode.DRAINED)
        runs.source.live[FIRST] = 0
        with way.harm(tmp_path / "state.sqlite3"):
            assert not await runs.run_pass()
            assert runs.bgpd.networks.keys() == set()
            runs.source.live[FIRST] = 2
            assert not await runs.run_pass()
            assert runs.bgpd.networks.keys() == set()
        assert await runs.run_pass()
        assert runs.bgpd.networks.keys() == {FIRST}
        await runs.end()

    virtual_time.run(main())
