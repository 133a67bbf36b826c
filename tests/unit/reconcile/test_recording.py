"""That the state file can't be written is an alarm at once, on a quiet night too, and ends when it can be."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker.reconcile.intents import apply_intent
from speaker.reconcile.recording import LOOK, TRY
from speaker.state.room import ROOM, lacks_room, may_be_full
from speaker.state.store import StoreError
from tests.support.fakes import virtual_time
from tests.support.fakes.site import V4, running
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fakes.site import Site

DRAINED = Intent(Mode.DRAINED, "alice", 1_700_000_000.0)


def alarmed(site: Site) -> list[str]:
    return [text for text in site.reconciler.alarms.texts if text.startswith("state:")]


@contextmanager
def unwritable(site: Site) -> Iterator[None]:
    """Have nothing written, at once, until the context ends: the file is elsewhere."""
    file = site.directory / "state.sqlite3"
    elsewhere = file.with_suffix(".moved")
    file.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(file)


async def stop_cycles(site: Site) -> None:
    """Have no cycle but those of the test."""
    watching = site.life.tasks[-1:]
    watching[0].cancel()
    await asyncio.wait(watching)


@pytest.mark.parametrize("is_watched", [True, False])
def test_a_refused_drain(tmp_path: Path, *, is_watched: bool) -> None:
    """A drain that can't be recorded is an alarm before its caller knows more; other answers do not end it, a writing that works does."""

    async def main() -> None:
        async with running(tmp_path) as site:
            await site.reconciler.record()
            if not is_watched:  # a cycle would say it, too
                await stop_cycles(site)
            with unwritable(site), pytest.raises(StoreError, match="state: "):
                await apply_intent(site.reconciler, [V4], DRAINED, dry_run=False)
            assert len(alarmed(site)) == 1
            assert await site.reconciler.record()  # there is nothing to be recorded
            assert len(alarmed(site)) == 1
            if is_watched:
                await asyncio.sleep(2 * LOOK)
            else:
                await site.reconciler.recorder.look()
            assert not alarmed(site)

    virtual_time.run(main())


def test_any_writing(tmp_path: Path) -> None:
    """Whatever can't be written, the next cycle says so."""

    async def main() -> None:
        async with running(tmp_path) as site:
            await site.reconciler.record()
            await stop_cycles(site)
            with unwritable(site), pytest.raises(StoreError, match="state: "):
                site.store.own([parse_prefix("192.0.2.99/32")], wait=0.0)
            site.store.cancel(1, "alice", 1.0)  # which finds nothing, and writes none
            await site.reconciler.cycle()
            assert len(alarmed(site)) == 1

    virtual_time.run(main())


def test_a_quiet_night(tmp_path: Path) -> None:
    """Where nothing is to be recorded, that it could not be is found within a quarter of an hour, and no disk is worn out."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        async with running(tmp_path, clock=clock) as site:
            await asyncio.sleep(TRY / 2)
            file = site.directory / "state.sqlite3"
            before = file.stat().st_mtime_ns
            with unwritable(site):
                await asyncio.sleep(TRY)
                assert len(alarmed(site)) == 1
            await asyncio.sleep(2 * LOOK)
            assert not alarmed(site)
            after = file.stat().st_mtime_ns
            assert after > before
            await asyncio.sleep(TRY / 2)
            assert file.stat().st_mtime_ns == after

    virtual_time.run(main())


def test_room(tmp_path: Path) -> None:
    """A file system may be full that has little room, no more files, or is read-only; one that tells nothing may not."""

    def numbers(
        blocks: int = 9, free: int = ROOM, files: int = 9, left: int = 1, flag: int = 0
    ) -> bool:
        return lacks_room(
            os.statvfs_result((1, 1, blocks, free, free, files, left, left, flag, 255))
        )

    assert not numbers()
    assert numbers(free=ROOM - 1)
    assert numbers(left=0)
    assert numbers(flag=os.ST_RDONLY)
    assert not numbers(blocks=0, free=0)
    assert not numbers(files=0, left=0)
    assert not may_be_full(tmp_path)
    assert may_be_full(tmp_path / "absent")
