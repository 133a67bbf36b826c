"""One run of ours at a time: who waits, for how long, and what goes on meanwhile."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from policy.plan import Withdraw
from speaker.backends.base import BackendError, Reading
from speaker.turn import InTurn, TurnError, turn
from tests.property import strategies as made

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from policy.plan import Change
    from policy.route import Prefix
    from speaker.backends.base import Peer

FIRST, SECOND = made.HOSTS_V4[:2]
SOON, LONG = 0.2, 20.0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


class Daemon:
    """A backend that notes when it is used, and takes its time."""

    heal = 7.0

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    async def _use(self, name: str) -> None:
        self._notes.append(f"{name} begins")
        await asyncio.sleep(0.1)
        self._notes.append(f"{name} ends")

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        await self._use("apply")
        return {change.prefix: "refused" for change in changes[:1]}

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        await self._use("read")
        return Reading(dict.fromkeys(prefixes))

    async def until_sent(self, prefixes: Collection[Prefix]) -> None:
        await self._use(f"until_sent {len(prefixes)}")

    def peers(self) -> Sequence[Peer]:
        return []


def backend(state: Path, notes: list[str], patience: float = LONG) -> InTurn:
    ours = InTurn(Daemon(notes), patience)
    ours.configure(state)
    return ours


def test_two_at_once_take_turns(state: Path) -> None:
    """Whatever two processes ask of it at once, one use ends before the next begins."""
    notes: list[str] = []

    async def main() -> None:
        one, two = backend(state, notes), backend(state, notes)
        await asyncio.gather(one.read([FIRST]), two.apply([]), two.read([]), one.apply([]))

    asyncio.run(main())
    assert len(notes) == 8
    begun = [note.split()[0] for note in notes[::2]]
    assert notes == [f"{name} {edge}" for name in begun for edge in ("begins", "ends")]


def test_what_the_backend_says_is_passed_on(state: Path) -> None:
    """In its turn it is the backend itself."""

    async def main() -> None:
        ours = backend(state, [])
        assert await ours.apply([Withdraw(FIRST), Withdraw(SECOND)]) == {FIRST: "refused"}
        assert (await ours.read([SECOND])).routes == {SECOND: None}
        assert (ours.heal, ours.peers()) == (7.0, [])

    asyncio.run(main())


def test_waiting_is_bounded_and_holds_up_nothing(state: Path) -> None:
    """Another run that does not end: the backend is not used, that is said, and the loop goes on."""
    notes: list[str] = []
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(SOON / 50)
            beats += 1

    async def main() -> None:
        beating = asyncio.create_task(beat())
        ours = backend(state, notes, SOON)
        async with turn(state, SOON):
            failures = await ours.apply([Withdraw(FIRST), Withdraw(SECOND)])
            with pytest.raises(BackendError, match="does not end"):
                await ours.read([FIRST])
        assert failures.keys() == {FIRST, SECOND}
        assert all("another vip_mgmt or vip_watchdog runs" in why for why in failures.values())
        assert notes == []
        assert await ours.apply([]) == {}
        beating.cancel()

    asyncio.run(main())
    assert beats > 10


def test_a_turn_ends_with_its_process(state: Path) -> None:
    """A run that was killed holds nobody up."""
    code = (
        "import asyncio, pathlib, sys, time\n"
        "from speaker.turn import turn\n"
        "async def main():\n"
        "    async with turn(pathlib.Path(sys.argv[1]), 1):\n"
        "        print('mine', flush=True)\n"
        "        time.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    argv = [sys.executable, "-c", code, str(state)]

    async def take(within: float) -> None:
        async with turn(state, within):
            pass

    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(TurnError):
            asyncio.run(take(SOON))
        other.kill()
    asyncio.run(take(LONG))


def test_its_group_may_take_turns(state: Path) -> None:
    """The lock's file is its group's too, whatever the umask."""

    async def take() -> None:
        async with turn(state, SOON):
            pass

    before = os.umask(0o137)
    try:
        asyncio.run(take())
    finally:
        os.umask(before)
    assert stat.S_IMODE(state.with_suffix(".lock").stat().st_mode) == 0o660


def test_nowhere_to_lock(tmp_path: Path) -> None:
    """A directory that is not there: said with the key that names it."""
    ours = backend(tmp_path / "none" / "state.sqlite3", [])
    failures = asyncio.run(ours.apply([Withdraw(FIRST)]))
    assert "node.state names it" in failures[FIRST]
