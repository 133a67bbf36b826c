"""vip.toml on the disk is compared with what was loaded, by its content, in one thread at a time."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

from speaker import config
from speaker.reconcile import loaded_file
from speaker.reconcile.loaded_file import FileState, LoadedFile
from speaker.supervision.threads import Threads
from tests.support.fakes.site import write_config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import pytest

FAULTY = '[health]\ndrop_at = "none"\n'


class Disk:
    """A file that was loaded, and how often it was loaded since."""

    def __init__(self, directory: Path) -> None:
        self.path = write_config(directory)
        self.file = LoadedFile(config.load(self.path, {}).file)
        self.loads = 0
        self.on_loop = threading.get_ident()

    def load(self) -> None:
        assert threading.get_ident() != self.on_loop
        self.loads += 1
        config.load(self.path, {})

    async def state(self) -> FileState:
        await self.file.judge(self.load)
        return self.file.verdict.state


def play(directory: Path, scene: Callable[[Disk], Awaitable[None]]) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(Threads())
        await scene(Disk(directory))

    asyncio.run(main())


def test_content_counts(tmp_path: Path) -> None:
    """Another content of the same size and time is a change, and the same content written again is none."""

    async def scene(disk: Disk) -> None:
        before, text = disk.path.stat(), disk.path.read_text()
        assert await disk.state() is FileState.LOADED
        disk.path.write_text(text.replace("192.0.2.2", "192.0.2.3"))
        os.utime(disk.path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert disk.path.stat().st_size == before.st_size
        for _ in range(3):
            assert await disk.state() is FileState.CHANGED
        assert disk.loads == 1
        assert "was changed since it was loaded; load it" in disk.file.verdict.trouble
        disk.path.write_text(text)
        assert await disk.state() is FileState.LOADED
        assert disk.file.verdict.trouble == ""

    play(tmp_path, scene)


def test_faults(tmp_path: Path) -> None:
    """A change that can't be loaded says why, is tried once, and ends when what is there can be."""

    async def scene(disk: Disk) -> None:
        text = disk.path.read_text()
        disk.path.write_text(text + FAULTY)
        for _ in range(3):
            assert await disk.state() is FileState.FAULTY
        assert disk.loads == 1
        assert "cannot be loaded: health.drop_at: " in disk.file.verdict.trouble
        assert disk.file.verdict.trouble.endswith(": correct the file, then vip_mgmt reload")
        await disk.file.look()
        assert disk.file.verdict.state is FileState.FAULTY
        disk.path.write_text(text + "\n")
        assert await disk.state() is FileState.CHANGED
        disk.file.loaded(config.load(disk.path, {}).file)
        assert await disk.state() is FileState.LOADED
        disk.path.unlink()
        assert await disk.state() is FileState.FAULTY
        assert "No such file" in disk.file.verdict.trouble

    play(tmp_path, scene)


def test_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for a second, and by one thread, whoever asks; what is so is unknown until it answers."""
    monkeypatch.setattr(loaded_file, "WITHIN", 0.05)

    async def scene(disk: Disk) -> None:
        disk.path.unlink()
        os.mkfifo(disk.path)  # whose open hangs until somebody writes
        before = threading.active_count()
        for _ in range(5):
            await disk.file.look()
            assert disk.file.verdict.state is FileState.UNKNOWN
        assert threading.active_count() <= before + 1
        with disk.path.open("w") as fifo:
            fifo.write("something else")
        async with asyncio.timeout(20):
            while disk.file.verdict.state is FileState.UNKNOWN:
                await asyncio.sleep(0.01)
                disk.path.unlink(missing_ok=True)
                await disk.file.look()

    play(tmp_path, scene)
