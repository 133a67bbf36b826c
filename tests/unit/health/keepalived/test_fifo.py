"""keepalived's fifo: every word in it is a look, and nothing that happens to it is the end."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from speaker.health.keepalived.fifo import Fifo
from speaker.health.throttle import AGAIN
from tests.support.lab.user import nobody, reachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

CHECK = 0.05
EVENT = b"RS [127.0.1.1]:tcp:8080 [192.0.2.1]:tcp:80 DOWN\n"


class Site:
    """A fifo that is read, and all that came of it."""

    def __init__(self, path: Path) -> None:
        self.path: Path | None = path
        self.looks = 0
        self.notes: list[str] = []
        self.fifo = Fifo(lambda: self.path, self.look, self.note, check=CHECK)

    def look(self) -> None:
        self.looks += 1

    def note(self, text: str) -> None:
        if text != (self.notes[-1] if self.notes else ""):
            self.notes.append(text)

    async def until(self, check: Callable[[], object], what: str) -> None:
        """Wait for something."""
        with suppress(TimeoutError):
            async with asyncio.timeout(20.0):
                while not check():  # noqa: ASYNC110 - nothing tells when it is so
                    await asyncio.sleep(0.001)
        assert check(), what

    async def rests(self) -> None:
        """Wait until what was written has been looked at."""
        await self.until(lambda: self.fifo._throttle.resting, "it looks for ever")

    async def looks_for(self, data: bytes) -> int:
        """Write, as keepalived does, and count the looks for it."""
        await self.rests()
        self.looks = 0
        assert self.path is not None
        descriptor = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        os.write(descriptor, data)
        os.close(descriptor)
        await self.until(lambda: self.looks, "no look")
        await self.rests()
        return self.looks


@asynccontextmanager
async def reading(path: Path) -> AsyncIterator[Site]:
    site = Site(path)
    task = asyncio.create_task(site.fifo.run())
    await asyncio.sleep(0)
    try:
        yield site
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert site.fifo._descriptor is None


def test_made_beforehand(tmp_path: Path) -> None:
    """It is made for its user alone, whatever the umask; an event is a look at once, and one more."""

    async def main() -> None:
        before = os.umask(0o077)
        try:
            async with reading(tmp_path / "lvs.fifo") as site:
                mode = (tmp_path / "lvs.fifo").lstat().st_mode
                assert stat.S_ISFIFO(mode)
                assert stat.S_IMODE(mode) == 0o600
                assert await site.looks_for(EVENT) == 2
                assert await site.looks_for(EVENT * 3) == 2
                assert site.notes == []
        finally:
            os.umask(before)

    asyncio.run(main())


@pytest.mark.parametrize("data", [b"RS [127.0.1.1]:t", b"\n", b"\xff\x00garbage\n", b"x" * 60_000])
def test_garbage(tmp_path: Path, data: bytes) -> None:
    """Half lines and garbage are looks too; an event after it is one, and a whole line is told of."""

    async def main() -> None:
        async with reading(tmp_path / "lvs.fifo") as site:
            assert await site.looks_for(data) == 2
            assert await site.looks_for(b"\n" + EVENT) == 2
            await site.until(lambda: site.notes, "nothing is said of it")
            assert "is not keepalived's" in site.notes[0]

    asyncio.run(main())


def test_a_flood(tmp_path: Path) -> None:
    """However much is written, it looks at most once in a while, and the loop goes on."""

    async def main() -> None:
        async with reading(tmp_path / "lvs.fifo") as site:
            await site.rests()
            site.looks, began = 0, time.monotonic()
            descriptor = os.open(tmp_path / "lvs.fifo", os.O_WRONLY | os.O_NONBLOCK)

            def flooded() -> bool:
                with suppress(BlockingIOError):
                    os.write(descriptor, EVENT * 50)
                return site.looks >= 5

            await site.until(flooded, "few looks")
            os.close(descriptor)
            await site.rests()
            assert site.looks <= (time.monotonic() - began) / AGAIN + 2

    asyncio.run(main())


def test_keepalived_makes_it_anew(tmp_path: Path) -> None:
    """Removed, or another one in its place: it is made, or opened, again, and looked at."""

    async def main() -> None:
        path = tmp_path / "lvs.fifo"
        async with reading(path) as site:
            path.unlink()
            await site.until(path.exists, "it is not made again")
            assert await site.looks_for(EVENT) == 2
            site.looks = 0
            os.mkfifo(tmp_path / "other")
            (tmp_path / "other").rename(path)
            await site.until(lambda: site.looks, "no look at what may have been missed")
            assert await site.looks_for(EVENT) == 2
            assert site.notes == []

    asyncio.run(main())


def test_written_before_anybody_read(tmp_path: Path) -> None:
    """Events from before the start are a look, and so is the start."""

    async def main() -> None:
        path = tmp_path / "lvs.fifo"
        os.mkfifo(path, 0o600)
        writer = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        os.write(writer, EVENT)
        async with reading(path) as site:
            await site.until(lambda: site.looks >= 2, "no look")
        os.close(writer)

    asyncio.run(main())


def test_the_end_of_keepalived(tmp_path: Path) -> None:
    """A writer that closes it is nothing to be told of: no look, no work."""

    async def main() -> None:
        async with reading(tmp_path / "lvs.fifo") as site:
            await site.looks_for(EVENT)
            used, began = time.process_time(), time.monotonic()
            site.looks = 0
            await asyncio.sleep(0.2)
            assert site.looks == 0
            assert time.process_time() - used < (time.monotonic() - began) / 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.touch(), "exists, and is not a FIFO; remove it"),
        (lambda path: path.symlink_to("elsewhere"), "exists, and is not a FIFO; remove it"),
        (lambda path: path.mkdir(), "exists, and is not a FIFO; remove it"),
        (lambda path: path.parent.rmdir(), "there is no "),
    ],
)
def test_it_can_not_be_made(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    """Without a fifo it says so once, and what to do; when that is done it says nothing more."""

    async def main() -> None:
        path = tmp_path / "run" / "lvs.fifo"
        path.parent.mkdir()
        make(path)
        async with reading(path) as site:
            await site.until(lambda: site.notes, "nothing is said")
            await asyncio.sleep(1.5 * CHECK)  # it looks again, and says nothing more
            [note] = site.notes
            assert note.startswith(f"keepalived_fifo: {path}: ")
            assert said in note
            assert note.endswith("; looking each interval only")
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
            path.parent.mkdir(exist_ok=True)
            await site.until(lambda: site.notes[-1] == "", "it does not notice")
            assert await site.looks_for(EVENT) == 2

    asyncio.run(main())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_another_users() -> None:
    """One that keepalived made for root alone is told of, and left alone."""
    with reachable(0o755) as folder:
        _another_users(folder / "lvs.fifo")


def _another_users(path: Path) -> None:
    os.mkfifo(path, 0o600)

    async def main() -> None:
        async with reading(path) as site:
            assert "is another user's; stop keepalived" in site.notes[0]

    with nobody():
        asyncio.run(main())
    assert path.exists()


def test_not_needed(tmp_path: Path) -> None:
    """Where no VIP needs it there is none; a configuration that needs it again gets it."""

    async def main() -> None:
        path = tmp_path / "lvs.fifo"
        async with reading(path) as site:
            assert await site.looks_for(EVENT) == 2
            site.path = None
            await site.until(lambda: site.fifo._descriptor is None, "it stays open")
            site.path = tmp_path / "another"
            await site.until(site.path.exists, "it is not made")
            assert await site.looks_for(EVENT) == 2

    asyncio.run(main())
