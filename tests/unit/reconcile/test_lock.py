"""The lock: who waits, for how long, what goes on meanwhile, and what a turn is good for."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.plan import Announce, Withdraw
from policy.route import AsPath, Attributes, Route
from speaker.backends.base import Reading
from speaker.clock import SystemClock
from speaker.reconcile.durable_state import DurableState
from speaker.reconcile.lock import FileLock, LockError, NoLock
from speaker.reconcile.turn import UNSURE, Exclusive
from speaker.state.store import Store
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from policy.plan import Change
    from policy.route import Prefix
    from policy.witness import Witness
    from speaker.backends.base import Peer

FIRST, SECOND = made.HOSTS_V4[:2]
SOON, LONG = 0.2, 20.0
DRAINED = Intent(Mode.DRAINED, "alice", 0.0)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


class Daemon:
    """A backend that notes when it is used, and takes its time."""

    owes_end_of_rib = False

    def heard(self) -> tuple[Witness, ...]:
        return ()

    read_interval = 7.0

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    async def _use(self, name: str) -> None:
        self._notes.append(f"{name} begins")
        await asyncio.sleep(0.02)
        self._notes.append(f"{name} ends")

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        await self._use("apply")
        return {change.prefix: "refused" for change in changes[:1]}

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        await self._use("read")
        return Reading(dict.fromkeys(prefixes))

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        del prefixes

    async def end_of_rib(self) -> None:
        pass

    def daemon(self) -> None:
        return None

    def peers(self) -> Sequence[Peer]:
        return []


def exclusive(state: Path, notes: list[str], within: float = LONG) -> tuple[Exclusive, Store]:
    store = Store(state)
    durable = DurableState(store, SystemClock())
    durable.own_at_once([FIRST, SECOND], None)
    return Exclusive(Daemon(notes), FileLock(within, state), durable), store


def test_two_at_once_take_turns(state: Path) -> None:
    """Whatever is done in a turn is done before another run's turn begins."""
    notes: list[str] = []

    async def use(ours: Exclusive) -> None:
        async with ours.turn() as turn:
            notes.append("turn begins")
            await turn.read([FIRST])
            await turn.apply([Withdraw(FIRST)])
            notes.append("turn ends")

    async def main() -> None:
        one, two = exclusive(state, notes)[0], exclusive(state, notes)[0]
        await asyncio.gather(use(one), use(two), use(two), use(one))

    asyncio.run(main())
    names = ("turn begins", "read begins", "read ends", "apply begins", "apply ends", "turn ends")
    assert notes == [*names] * 4


def test_what_the_backend_says_is_passed_on(state: Path) -> None:
    """A turn speaks to the backend itself."""

    async def main() -> None:
        async with exclusive(state, [])[0].turn() as turn:
            assert await turn.apply([Withdraw(FIRST), Withdraw(SECOND)]) == {FIRST: "refused"}
            assert (await turn.read([SECOND])).routes == {SECOND: None}

    asyncio.run(main())


def test_a_turn_that_has_ended(state: Path) -> None:
    """Nothing can be done with it, or by a decision that was made in it."""

    async def main() -> None:
        notes: list[str] = []
        async with exclusive(state, notes)[0].turn() as turn:
            pass
        with pytest.raises(RuntimeError, match="not held any more"):
            await turn.apply([Withdraw(FIRST)])
        with pytest.raises(RuntimeError, match="not held any more"):
            await turn.read([FIRST])
        assert notes == []

    asyncio.run(main())


def test_intents_are_read_when_it_is_our_turn(state: Path) -> None:
    """What another run records while it has the lock is known to whoever waited for it."""

    async def main() -> None:
        ours, _ = exclusive(state, [])
        async with ours.turn() as turn:
            assert turn.intents == {}
        _, other = exclusive(state, [])
        async with FileLock(SOON, state).held():
            waiting = asyncio.create_task(use(ours))
            await asyncio.sleep(0.1)
            other.set_intents({FIRST: DRAINED})
        assert await waiting == {FIRST: DRAINED}

    async def use(ours: Exclusive) -> Mapping[Prefix, Intent]:
        async with ours.turn() as turn:
            return turn.intents

    asyncio.run(main())


def test_who_had_it_last(state: Path) -> None:
    """A run knows whether another one had the lock since; who can't tell says no."""

    async def had(lock: FileLock) -> bool:
        async with lock.held() as alone:
            return alone

    async def main() -> None:
        one, two = FileLock(SOON, state), FileLock(SOON, state)
        said = [await had(lock) for lock in (one, one, two, one, one, two, two)]
        assert said == [False, True, False, False, True, False, True]
        with state.with_suffix(".lock").open("w"):
            pass
        assert [await had(two), await had(two)] == [False, True]

    asyncio.run(main())


def test_unreadable_intents(state: Path) -> None:
    """Nobody else had the lock: all goes on. Somebody had: what he may have drained is not announced."""
    announce = Announce(Route(FIRST, Attributes(AsPath())))

    async def main() -> None:
        ours, _ = exclusive(state, [])

        async def use() -> Mapping[Prefix, str]:
            async with ours.turn() as turn:
                return await turn.apply([announce, Withdraw(SECOND)])

        assert await use() == {FIRST: "refused"}
        with closing(sqlite3.connect(state, isolation_level=None)) as backup:
            backup.execute("BEGIN EXCLUSIVE")
            assert await use() == {FIRST: "refused"}
            async with FileLock(SOON, state).held():
                pass
            for _ in range(2):
                assert await use() == {FIRST: UNSURE, SECOND: "refused"}
            backup.execute("ROLLBACK")
        assert await use() == {FIRST: "refused"}

    asyncio.run(main())


def test_waiting_is_bounded_and_holds_up_nothing(state: Path) -> None:
    """Another run that does not end: the backend is not used, that is said, and the loop goes on."""
    notes: list[str] = []

    async def use(ours: Exclusive) -> None:
        async with ours.turn():
            notes.append("a turn")

    async def main() -> None:
        ours, _ = exclusive(state, notes, SOON)
        patient, _ = exclusive(state, notes)
        async with FileLock(SOON, state).held():
            with pytest.raises(LockError, match="still locked by another vip_mgmt or vip_watchdog"):
                await use(ours)
            waiting = asyncio.create_task(use(patient))
            for _ in range(5):
                await asyncio.sleep(0.01)
                assert not waiting.done()
            assert notes == []
        await waiting
        async with ours.turn() as turn:
            assert await turn.apply([]) == {}

    asyncio.run(main())


def test_a_lock_that_is_removed(state: Path) -> None:
    """Whoever removes its file while somebody waits does not let two act at once."""

    async def main() -> None:
        active: list[str] = []

        async def use(name: str, until: asyncio.Event) -> None:
            async with FileLock(LONG, state).held():
                active.append(name)
                await until.wait()
                active.remove(name)

        first, second, third = (asyncio.Event() for _ in range(3))

        async def until(name: str) -> None:
            while name not in active:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)

        one = asyncio.create_task(use("one", first))
        await until("one")
        two = asyncio.create_task(use("two", second))
        await asyncio.sleep(SOON)  # it waits by now, or comes later, which is as well
        state.with_suffix(".lock").unlink()
        three = asyncio.create_task(use("three", third))
        await until("three")
        first.set()
        await one
        await asyncio.sleep(SOON)
        assert active == ["three"]
        third.set()
        await three
        await until("two")
        second.set()
        await two

    asyncio.run(main())


def test_no_lock() -> None:
    """Where nobody else can write, there is nothing to wait for."""

    async def main() -> None:
        async with NoLock().held() as alone, NoLock().held():
            assert alone

    asyncio.run(main())


def test_a_turn_ends_with_its_process(state: Path) -> None:
    """A run that was killed holds nobody up."""
    code = (
        "import asyncio, pathlib, sys, time\n"
        "from speaker.reconcile.lock import FileLock\n"
        "async def main():\n"
        "    async with FileLock(1, pathlib.Path(sys.argv[1])).held():\n"
        "        print('mine', flush=True)\n"
        "        time.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    argv = [sys.executable, "-c", code, str(state)]

    async def take(within: float) -> None:
        async with FileLock(within, state).held():
            pass

    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(LockError):
            asyncio.run(take(SOON))
        other.kill()
    asyncio.run(take(LONG))


def test_its_group_may_take_turns(state: Path) -> None:
    """The lock's file is its group's too, whatever the umask."""

    async def take() -> None:
        async with FileLock(SOON, state).held():
            pass

    before = os.umask(0o137)
    try:
        asyncio.run(take())
    finally:
        os.umask(before)
    assert stat.S_IMODE(state.with_suffix(".lock").stat().st_mode) == 0o660


def test_another_state_file(tmp_path: Path) -> None:
    """The lock stays beside the state file that is used: another one takes effect at the next start."""

    async def take() -> None:
        lock = FileLock(SOON)
        lock.configure(tmp_path / "one.sqlite3")
        lock.configure(tmp_path / "two.sqlite3")
        async with lock.held():
            pass

    asyncio.run(take())
    assert [path.name for path in tmp_path.iterdir()] == ["one.lock"]


def test_nowhere_to_lock(tmp_path: Path) -> None:
    """A directory that is not there: said with the key that names it."""

    async def take() -> None:
        async with FileLock(SOON, tmp_path / "none" / "state.sqlite3").held():
            pass

    with pytest.raises(LockError, match=r"node\.state names it"):
        asyncio.run(take())


@pytest.mark.parametrize("kind", ["pipe", "another name"])
def test_what_is_no_lock(state: Path, kind: str) -> None:
    """What stands in its place, and is no file of its own, is a LockError, and our mark is not written to it."""
    other, path = state.with_name("exabgp.conf"), state.with_suffix(".lock")
    other.write_text("kept")
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.hardlink_to(other)

    async def take() -> None:
        async with FileLock(SOON, state).held():
            pytest.fail("taken")

    with pytest.raises(LockError, match="is not a regular file of one name"):
        asyncio.run(take())
    assert other.read_text() == "kept"
