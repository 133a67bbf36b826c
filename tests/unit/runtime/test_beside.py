"""vip_watchdog --beside: it decides as the first one does, records nothing, and takes no order."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.plan import apply
from policy.route import parse_prefix
from speaker import config
from speaker.api import IntentRequest
from speaker.backends.base import Reading
from speaker.control.client import NotServedError, RefusedError
from speaker.control.running import RunningWatchdog
from speaker.runtime.assemble import Driver
from speaker.runtime.exabgp_process import BesideService
from speaker.runtime.left_running import PASSING, left_running
from speaker.state.store import Store
from speaker.vip_watchdog import main
from tests.support.fakes.site import V4, write_config

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from policy.plan import Change, Drift
    from policy.route import Prefix, Route
    from policy.witness import Witness
    from speaker.backends.base import Peer

SOON = 20.0
MORE = '[health]\nsource = "none"\ninterval = "50ms"\n[metrics]\nlisten = "127.0.0.1:9"\n'
OTHER = parse_prefix("192.0.2.2/32")


@dataclass
class Daemon:
    """A backend that takes everything, and has it. `cycles`: how often it was asked in the end of one."""

    owes_end_of_rib = False
    read_interval = 30.0
    has: dict[Prefix, Route | Drift | None] = field(default_factory=dict)
    cycles: int = 0

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        self.has = apply(changes, self.has)
        return {}

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        return Reading({prefix: self.has.get(prefix) for prefix in prefixes})

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        del prefixes

    async def end_of_rib(self) -> None: ...

    def heard(self) -> tuple[Witness, ...]:
        return ()

    def daemon(self) -> None:
        return None

    def peers(self) -> Sequence[Peer]:
        self.cycles += 1
        return []


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not is_so():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


@asynccontextmanager
async def beside(path: Path) -> AsyncIterator[Daemon]:
    """Have one run while the context lasts."""
    daemon, end = Daemon(), asyncio.Event()
    service = BesideService(path, "exabgp", Driver(daemon, lambda _: None), _leave)
    running = asyncio.create_task(service.run(end))
    try:
        yield daemon
    finally:
        end.set()
        await running


async def _leave(_: object) -> None: ...


def content(path: Path) -> dict[str, bytes]:
    """Return what is in the state file, and beside it."""
    return {each.name: each.read_bytes() for each in path.parent.glob("state*")}


def test_it_heeds_and_records_nothing(tmp_path: Path) -> None:
    """It announces what the first one does, and not what is drained, before or meanwhile; the state file stays as it was."""
    path = write_config(tmp_path, MORE)
    settings = config.load(path, {}).settings
    store = Store(settings.state)
    drained = Intent(Mode.DRAINED, "alice", 1.0)
    store.set_intents({OTHER: drained}, [])
    before = content(settings.state)

    async def run() -> None:
        async with beside(path) as daemon:
            await until(lambda: daemon.has.get(V4) is not None)
            assert daemon.has.get(OTHER) is None
            last = daemon.cycles + 5
            await until(lambda: daemon.cycles > last)
            assert content(settings.state) == before
            store.set_intents({V4: drained}, [])
            await until(lambda: daemon.has.get(V4) is None)

    asyncio.run(run())


def test_it_takes_no_order(tmp_path: Path) -> None:
    """It answers at a socket of its own, where nothing can be asked for; the first one's sockets are not touched."""
    path = write_config(tmp_path, MORE)
    settings = config.load(path, {}).settings

    async def run() -> None:
        async with beside(path):
            await until(settings.beside.exists)
            asked = RunningWatchdog(settings.beside, settings.beside)
            state = await asyncio.to_thread(asked.status)
            assert (state.trouble, len(state.routes)) == ((), 3)
            with pytest.raises(RefusedError):
                await asyncio.to_thread(
                    asked.apply, IntentRequest(mode=Mode.DRAINED, prefixes=(V4,))
                )
            with pytest.raises(NotServedError):
                await asyncio.to_thread(RunningWatchdog.of(config.load(path, {})).status)

    asyncio.run(run())
    assert not settings.beside.exists()


def test_one_that_was_left_running(tmp_path: Path) -> None:
    """Of one that runs for longer than a restart takes it is said, with what to do; of none, and of a new one, nothing."""
    path = tmp_path / "beside.sock"
    assert left_running(path, time.time()) == ""
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        assert left_running(path, time.time()) == ""
        said = left_running(path, time.time() + PASSING + 1.0)
    assert said.startswith("a second ExaBGP runs since 2")
    assert f"systemctl stop exabgp-vip-beside; rm -f {path}" in said


def test_exabgp_spawns_it(capsys: pytest.CaptureFixture[str]) -> None:
    """It stays by itself: --daemon and --shadow are other ways to run."""
    for other in ("--daemon", "--shadow"):
        with pytest.raises(SystemExit):
            main(["--beside", other])
        assert "--beside cannot be combined" in capsys.readouterr().err
