"""The end of a stage of a soft drain where it can't be recorded, or connections not counted: no cycle waits for it."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, cast

import pytest

from policy.drain import GONE, Progress
from policy.intent import Intent, Mode
from policy.route import Asn, AsPath, Attributes
from policy.topology import DataCentre
from policy.witness import NOTHING_HEARD, Heard, HeardPath, Hearing, Witness
from speaker import config
from speaker.reconcile.alarms import Alarms
from speaker.reconcile.drains import SoftDrains
from speaker.reconcile.scope import scope
from speaker.reconcile.taking_over import WatchedTakeovers
from tests.support.fakes import virtual_time
from tests.support.fakes.site import V4, write_config
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from pathlib import Path

    from policy.connections import Counted
    from policy.route import Prefix
    from speaker.reconcile.daemon_state import DaemonState
    from speaker.reconcile.durable_state import DurableState
    from speaker.state.stages import StageEnd

HOP = IPv4Address("203.0.113.2")
LYO1 = [
    DataCentre("par1", Asn(64699)),
    DataCentre("lyo1", Asn(64699), next_hops=frozenset({HOP})),
]
PATH = HeardPath(Attributes(AsPath.originated(Asn(64699), 1)), HOP)
VIEW = cast("DaemonState", None)
"""Nothing was decided yet, so nothing is asked of it."""


@dataclass
class Disk:
    """What is remembered, on a disk that answers when it is told to. It is as much of `DurableState` as is used."""

    of: dict[Prefix, Progress] = field(default_factory=dict)
    wanted: dict[Prefix, Intent] = field(default_factory=dict)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    heard: Heard = NOTHING_HEARD
    why: list[str] = field(default_factory=list)

    @property
    def intents(self) -> Disk:
        return self

    @property
    def stages(self) -> Disk:
        return self

    def in_force(self) -> Mapping[Prefix, Intent]:
        return self.wanted

    @property
    def recorded(self) -> Mapping[Prefix, Intent]:
        return self.wanted

    def heed(self, _: object) -> None: ...

    def note(self, progress: Mapping[Prefix, Progress | None]) -> None:
        self.of.update({p: each for p, each in progress.items() if each is not None})

    async def advance(self, ended: Mapping[Prefix, StageEnd]) -> Collection[Prefix]:
        self.asked += 1
        self.why += [each.why for each in ended.values()]
        await self.answers.wait()
        for prefix in ended:
            del self.wanted[prefix]
        return list(ended)


class Broken:
    """What counts, and fails in a way that nobody foresaw."""

    async def count(self) -> Counted:
        raise RuntimeError("a table")


def play(directory: Path, scene: Callable[[SoftDrains, Disk, Alarms], Awaitable[None]]) -> None:
    """Play a scene in which V4 drains, and its time limit was long ago."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        disk, alarms = Disk(), Alarms()
        since = clock.wall() - 10_000
        disk.wanted[V4] = Intent(Mode.DRAINING, "alice", since)
        disk.of[V4] = Progress(Mode.DRAINING, since, clock.steady() - 10_000)
        drains = SoftDrains(
            cast("DurableState", disk),
            alarms,
            clock,
            lambda _: Broken(),
            WatchedTakeovers(lambda: disk.heard),
        )
        drains.take(scope(config.load(write_config(directory), {}), None))
        await scene(drains, disk, alarms)

    virtual_time.run(main())


def test_a_disk_that_does_not_answer(tmp_path: Path) -> None:
    """A cycle waits for it for a moment only; it is asked once, said, and goes on when it answers."""

    async def scene(drains: SoftDrains, disk: Disk, alarms: Alarms) -> None:
        for _ in range(3):
            async with asyncio.timeout(0.5):
                await drains.look(None, VIEW)
            assert alarms.texts[0].startswith(f"drains: {V4}: goes on as it is, softly announced")
        assert disk.asked == 1
        disk.answers.set()
        await asyncio.sleep(0)
        await drains.look(None, VIEW)
        assert (alarms.texts, disk.wanted) == ([], {})

    play(tmp_path, scene)


def test_undone_meanwhile(tmp_path: Path) -> None:
    """What could not be recorded is no alarm any more when no stage is left."""

    async def scene(drains: SoftDrains, disk: Disk, alarms: Alarms) -> None:
        await drains.look(None, VIEW)
        assert alarms.texts
        disk.answers.set()
        await asyncio.sleep(0)
        disk.wanted.clear()
        disk.wanted[V4] = Intent(Mode.DRAINED, "bob", 1.0)
        await drains.look(None, VIEW)
        assert not alarms.texts

    play(tmp_path, scene)


def test_a_count_that_fails(tmp_path: Path) -> None:
    """Whatever goes wrong with a count, connections are not known, and the cycle goes on."""

    async def scene(drains: SoftDrains, disk: Disk, _: Alarms) -> None:
        disk.answers.set()
        await drains.look(None, VIEW, wait=True)
        assert drains.counted.unknown == "not counted: RuntimeError: a table"

    play(tmp_path, scene)


def test_what_counts_can_not_be_made(tmp_path: Path) -> None:
    """Nor does it end a cycle where what counts can't even be made."""

    def broken(_: object) -> Broken:
        raise ImportError("of another version")

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        disk = Disk()
        disk.wanted[V4] = Intent(Mode.DRAINING, "alice", clock.wall())
        drains = SoftDrains(cast("DurableState", disk), Alarms(), clock, broken)
        drains.take(scope(config.load(write_config(tmp_path), {}), None))
        await drains.look(None, VIEW)
        assert drains.counted.unknown == "not counted: ImportError: of another version"

    virtual_time.run(main())


def test_a_count_that_nobody_takes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A count that fails once nobody asks for it any more leaves nothing behind that is told by chance, when memory is freed."""

    async def scene(drains: SoftDrains, _: Disk, __: Alarms) -> None:
        await drains.look(None, VIEW)
        await asyncio.sleep(0)

    play(tmp_path, scene)
    gc.collect()
    assert "never retrieved" not in caplog.text


@pytest.mark.parametrize("insists", [False, True])
def test_who_takes_over_is_gone(tmp_path: Path, *, insists: bool) -> None:
    """Where the witness that told another data centre's path has it no more, what drains is announced as before, for that reason; unless the operator insisted."""

    async def scene(drains: SoftDrains, disk: Disk, _: Alarms) -> None:
        disk.answers.set()
        intent = disk.wanted[V4] = Intent(Mode.DRAINING, "alice", 1.0, insisted=insists)
        for paths, passes in (({V4: [PATH]}, 1.0), ({}, 1.0), ({}, 1.5)):
            witness = Witness("203.0.113.1", Asn(64500), Asn(64699), Hearing.WHOLE, paths)
            disk.heard = Heard("par1", LYO1, [witness])
            await drains.look(None, VIEW)
            assert disk.wanted[V4] is intent
            await asyncio.sleep(passes)
        await drains.look(None, VIEW)
        await asyncio.sleep(0)
        await drains.look(None, VIEW)
        assert disk.wanted == ({V4: intent} if insists else {})
        assert disk.why == ([] if insists else [GONE])

    play(tmp_path, scene)
