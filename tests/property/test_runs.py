"""Several runs at one bgpd, however they are interleaved: what was drained stays withdrawn."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.intent import Mode
from speaker.reconcile.lock import FileLock, LockError
from speaker.runtime.bgpd import NotBegunError
from tests.support.fakes import virtual_time
from tests.support.fakes.runs import FIRST, SECOND, Runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from policy.route import Prefix


def play(directory: Path, scene: Callable[[Runs, Gates], Awaitable[None]]) -> None:
    """Play a scene with a daemon, which has announced all; and see that bgpd ends as is decided."""

    async def main() -> None:
        gates = Gates()
        runs = Runs(directory, gates)
        daemon = runs.start_daemon()
        try:
            await asyncio.sleep(20.0)
            assert runs.bgpd.networks.keys() == {FIRST, SECOND}
            await scene(runs, gates)
            await asyncio.sleep(60.0)
            assert not runs.bgpd.wrongs
            assert not daemon.done()
        finally:
            await runs.end(daemon)

    virtual_time.run(main())


class Gates:
    """Holds a run's vtysh, if told to, until it is let go."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], asyncio.Event] = {}
        self._waiting: dict[tuple[str, str], asyncio.Event] = {}

    async def __call__(self, who: str, kind: str) -> None:
        if (who, kind) in self._held:
            self._waiting[who, kind].set()
            await self._held[who, kind].wait()

    def hold(self, who: str, kind: str) -> None:
        self._held[who, kind] = asyncio.Event()
        self._waiting[who, kind] = asyncio.Event()

    async def until_held(self, who: str, kind: str) -> None:
        await self._waiting[who, kind].wait()

    def let_go(self, who: str, kind: str) -> None:
        self._held.pop((who, kind)).set()


# --- the two orders ------------------------------------------------------------------------------


def test_drained_while_the_daemon_waits(tmp_path: Path) -> None:
    """What the daemon would announce, it decides after it got the lock: it was drained meanwhile."""

    async def scene(runs: Runs, gates: Gates) -> None:
        runs.source.live[FIRST] = 0
        await asyncio.sleep(3.0)
        assert FIRST not in runs.bgpd.networks
        gates.hold("vip_mgmt", "read")
        draining = asyncio.create_task(runs.operate(FIRST, Mode.DRAINED))
        await gates.until_held("vip_mgmt", "read")
        runs.source.live[FIRST] = 2  # and the daemon sees it, and waits
        await asyncio.sleep(2.0)
        gates.let_go("vip_mgmt", "read")
        assert await draining
        await asyncio.sleep(10.0)
        assert await runs.operate(FIRST, Mode.AUTO)
        assert FIRST in runs.bgpd.networks

    play(tmp_path, scene)


def test_drained_while_another_run_does_not_end(tmp_path: Path) -> None:
    """A drain that gets no lock is recorded all the same, says so, and is carried out by the next run."""

    async def scene(runs: Runs, gates: Gates) -> None:
        del gates
        async with FileLock(1.0, runs.config.settings.state).held():
            assert not await runs.operate(FIRST, Mode.DRAINED)
        await asyncio.sleep(10.0)
        assert FIRST not in runs.bgpd.networks

    play(tmp_path, scene)


def test_ended_while_it_waits_for_another_run(tmp_path: Path) -> None:
    """A drain is durable before the lock is waited for: it holds although vip_mgmt is killed there."""

    async def scene(runs: Runs, gates: Gates) -> None:
        del gates
        async with FileLock(1.0, runs.config.settings.state).held():
            draining = asyncio.create_task(runs.operate(FIRST, Mode.DRAINED))
            await asyncio.sleep(1.0)
            assert not draining.done()
            draining.cancel()
            await asyncio.wait({draining})
        await asyncio.sleep(10.0)
        assert FIRST not in runs.bgpd.networks

    play(tmp_path, scene)


def test_drained_while_a_pass_waits(tmp_path: Path) -> None:
    """A pass that waits for what the guard holds keeps nobody waiting, and decides once more after it."""

    async def no_gate(who: str, kind: str) -> None:
        del who, kind

    async def main() -> None:
        runs = Runs(tmp_path, no_gate, policy='max_withdraw = "0%"\nconfirm = "300s"')
        assert await runs.run_pass()
        runs.source.live |= {FIRST: 0, SECOND: 0}
        passing = asyncio.create_task(runs.run_pass())
        await asyncio.sleep(10.0)
        async with asyncio.timeout(10.0):
            assert await runs.operate(SECOND, Mode.DRAINED)
        runs.source.live |= {FIRST: 2, SECOND: 2}
        assert not passing.done()
        assert runs.bgpd.networks.keys() == {FIRST}
        assert await passing
        assert runs.bgpd.networks.keys() == {FIRST}
        assert not runs.bgpd.wrongs
        await runs.end()

    virtual_time.run(main())


def test_drained_while_the_daemon_writes(tmp_path: Path) -> None:
    """vip_mgmt waits for the daemon's batch, finds it announced, and withdraws it."""

    async def scene(runs: Runs, gates: Gates) -> None:
        runs.source.live[FIRST] = 0
        await asyncio.sleep(3.0)
        gates.hold("daemon", "write")
        runs.source.live[FIRST] = 2
        await gates.until_held("daemon", "write")
        draining = asyncio.create_task(runs.operate(FIRST, Mode.DRAINED))
        await asyncio.sleep(2.0)
        assert not draining.done()
        gates.let_go("daemon", "write")
        assert await draining
        assert FIRST not in runs.bgpd.networks

    play(tmp_path, scene)


@pytest.mark.parametrize("by_socket", [True, False])
def test_drained_while_a_pass_writes(tmp_path: Path, by_socket: bool) -> None:  # noqa: FBT001 - a parameter
    """A pass that decided before is waited for; whoever drains then undoes what it wrote."""

    async def scene(runs: Runs, gates: Gates) -> None:
        gates.hold("daemon", "write")
        runs.source.live[FIRST] = 0
        await gates.until_held("daemon", "write")
        runs.source.live[FIRST] = 2
        gates.let_go("daemon", "write")
        gates.hold("pass", "write")
        passing = asyncio.create_task(runs.run_pass())
        waiting = asyncio.create_task(gates.until_held("pass", "write"))
        await asyncio.wait({waiting, passing}, return_when=asyncio.FIRST_COMPLETED)
        draining = asyncio.create_task(runs.operate(FIRST, Mode.DRAINED, by_socket=by_socket))
        await asyncio.sleep(2.0)
        gates.let_go("pass", "write")
        await passing
        assert await draining
        assert FIRST not in runs.bgpd.networks

    play(tmp_path, scene)


def test_restored_by_another_run(tmp_path: Path) -> None:
    """What vip_mgmt restores by itself, the daemon holds too, although it drained it and flapped."""

    async def scene(runs: Runs, gates: Gates) -> None:
        del gates
        assert await runs.operate(FIRST, Mode.DRAINED, by_socket=True)
        runs.source.live[FIRST] = None
        await asyncio.sleep(10.0)
        assert await runs.operate(FIRST, Mode.AUTO)
        await asyncio.sleep(10.0)
        assert FIRST in runs.bgpd.networks
        assert await runs.operate(SECOND, Mode.DRAINED)
        await asyncio.sleep(10.0)
        assert runs.bgpd.networks.keys() == {FIRST}

    play(tmp_path, scene)


def test_bgpd_is_read_again_after_another_run(tmp_path: Path) -> None:
    """What the daemon knew of bgpd is old once another run had the lock: it reads at its next turn."""

    async def scene(runs: Runs, gates: Gates) -> None:
        del gates
        await runs.operate(FIRST, Mode.DRAINED)
        runs.bgpd.networks.pop(SECOND)
        await asyncio.sleep(1.5)
        assert runs.bgpd.networks.keys() == {SECOND}

    play(tmp_path, scene)


# --- any order -----------------------------------------------------------------------------------


class Step(NamedTuple):
    """Something that begins, so long after the step before it (seconds)."""

    after: float
    what: str
    prefix: Prefix


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from([0.0, 0.0, 0.02, 0.1, 0.3, 1.0, 3.0, 40.0]),
        st.sampled_from(
            ["-d", "-d", "-d by socket", "-a", "-a by socket", "pass", "dies", "lives"]
        ),
        st.sampled_from([FIRST, FIRST, SECOND]),
    ),
    min_size=1,
    max_size=12,
)
SLOWNESS = st.lists(st.sampled_from([0.0, 0.01, 0.2, 1.0, 3.0, 7.0]), min_size=1, max_size=8)


@given(STEPS, SLOWNESS)
def test_any_order(steps: list[Step], slowness: list[float]) -> None:
    """Rule 1: from when `-d` returned 0 it is never announced until `-a`; and all heals in the end."""

    async def begin(runs: Runs, step: Step) -> None:
        match step.what.split():
            case ["pass"]:
                with suppress(NotBegunError):
                    await runs.run_pass()
            case ["dies"]:
                runs.source.live[step.prefix] = 0
            case ["lives"]:
                runs.source.live[step.prefix] = 2
            case [option, *by_socket]:
                mode = Mode.DRAINED if option == "-d" else Mode.AUTO
                with suppress(LockError):
                    await runs.operate(step.prefix, mode, by_socket=bool(by_socket))

    async def main(directory: Path) -> None:
        runs_of_vtysh = 0

        async def slow(who: str, kind: str) -> None:
            nonlocal runs_of_vtysh
            del who, kind
            runs_of_vtysh += 1
            await asyncio.sleep(slowness[runs_of_vtysh % len(slowness)])

        runs = Runs(directory, slow)
        daemon = runs.start_daemon()
        begun = []
        try:
            for step in steps:
                await asyncio.sleep(step.after)
                begun.append(asyncio.create_task(begin(runs, step)))
            await asyncio.gather(*begun)
            await asyncio.sleep(200.0)
            assert not runs.bgpd.wrongs
            intents = runs.stores[0].intents().of
            assert runs.bgpd.networks.keys() == {
                p for p, live in runs.source.live.items() if live and p not in intents
            }
            assert not daemon.done()
        finally:
            await runs.end(daemon)

    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        virtual_time.run(main(Path(directory)))
