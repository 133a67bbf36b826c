"""Root in another user's directory: whoever may write there can't lead root to any other file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker.control.unix_socket import bind
from speaker.errors import SpeakerError
from speaker.files.directory_owner import as_owner
from speaker.health.keepalived.fifo import Fifo
from speaker.reconcile.lock import FileLock
from speaker.state.store import Store
from tests.support.lab.installed import NOBODY
from tests.support.lab.requirements import require
from tests.support.lab.user import reachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

PREFIX = parse_prefix("192.0.2.1/32")


@pytest.fixture
def folder() -> Iterator[Path]:
    """The daemon's directory: another user's, whose group, the operators, may write there."""
    require()
    with reachable(0o755) as place:
        inner = place / "vip-speaker"
        inner.mkdir()
        os.chown(inner, NOBODY, NOBODY)
        inner.chmod(0o2770)
        yield inner


@pytest.fixture
def secret(folder: Path) -> Path:
    """A file of root's alone, elsewhere."""
    path = folder.parent / "shadow"
    path.write_text("secret")
    path.chmod(0o600)
    return path


def seen(path: Path) -> tuple[int, int, str]:
    found = path.stat()
    return found.st_uid, found.st_mode & 0o7777, path.read_text()


# --- every path that root opens in there ----------------------------------------------------------


def use_state(folder: Path) -> None:
    store = Store(folder / "state.sqlite3")
    try:
        store.set_intents({PREFIX: Intent(Mode.DRAINED, "root", 0.0)})
        store.history([])
    finally:
        store.close()


def use_state_read_only(folder: Path) -> None:
    Store(folder / "state.sqlite3", in_memory_copy=True).load()


def use_lock(folder: Path) -> None:
    async def lock() -> None:
        async with FileLock(1.0, folder / "state.sqlite3").held():
            pass

    asyncio.run(lock())


def use_control(folder: Path) -> None:
    bound = bind(folder / "control.sock")
    bound.listener.close()
    bound.remove()


@asynccontextmanager
async def listening(folder: Path, notes: list[str]) -> AsyncIterator[None]:
    task = asyncio.create_task(Fifo(lambda: folder / "lvs.fifo", lambda: None, notes.append).run())
    try:
        while not notes:  # noqa: ASYNC110 - it notes at once, or never
            await asyncio.sleep(0.01)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def use_fifo(folder: Path) -> None:
    notes: list[str] = []

    async def listen() -> None:
        async with listening(folder, notes):
            pass

    asyncio.run(listen())
    if notes[0]:
        raise SpeakerError(notes[0])


USES: dict[str, tuple[Callable[[Path], None], str]] = {
    "state": (use_state, "state.sqlite3"),
    "rehearsal": (use_state_read_only, "state.sqlite3"),
    "lock": (use_lock, "state.lock"),
    "control": (use_control, "control.sock"),
    "fifo": (use_fifo, "lvs.fifo"),
}
EACH = pytest.mark.parametrize(("use", "name"), USES.values(), ids=USES.keys())


@EACH
def test_what_root_makes(folder: Path, use: Callable[[Path], None], name: str) -> None:
    """What root makes belongs to the directory's owner, so that the daemon can use it; all works."""
    use(folder)
    for made in folder.iterdir():
        assert (made.lstat().st_uid, made.lstat().st_gid) == (NOBODY, NOBODY), made.name
    if name in {"state.sqlite3", "state.lock"} and use is not use_state_read_only:
        assert (folder / name).stat().st_mode & 0o777 == 0o660


@EACH
def test_a_link_to_a_file_of_roots(
    folder: Path, secret: Path, use: Callable[[Path], None], name: str
) -> None:
    """A symbolic link in there leads root to no file of its own: it is not read, nor changed."""
    before = seen(secret)
    (folder / name).symlink_to(secret)
    with suppress(SpeakerError):
        use(folder)
    assert seen(secret) == before


@EACH
def test_a_link_to_nothing(folder: Path, use: Callable[[Path], None], name: str) -> None:
    """A symbolic link in there has root make no file elsewhere."""
    target = folder.parent / "cron"
    (folder / name).symlink_to(target)
    with suppress(SpeakerError):
        use(folder)
    assert not target.exists()


def hot_journal(folder: Path, named: Path) -> Path:
    """As the directory's owner, leave a journal that names another one, and give the state file that has it."""
    use_state(folder)
    path = folder / "state.sqlite3"
    name = os.fsencode(named)
    trailer = name + len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big")
    magic = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
    pages = path.stat().st_size // 4096
    header = magic + b"".join(n.to_bytes(4, "big") for n in (0, 0, pages, 512, 4096))
    journal = header.ljust(512, b"\0") + (1).to_bytes(4, "big") + trailer + magic
    beside = path.with_name(f"{path.name}-journal")
    beside.write_bytes(journal)
    os.chown(beside, NOBODY, NOBODY)
    return path


def read_by_sqlite_alone(path: Path) -> None:
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
        db.execute("SELECT count(*) FROM intent").fetchone()


@pytest.mark.parametrize("open_to_all", [False, True])
def test_a_hot_journal(folder: Path, secret: Path, *, open_to_all: bool) -> None:
    """A journal that names another file as its own has root remove nothing (SQLite's super-journal).

    Not where the journal escapes our look at it, either; root to the file system would remove the file.
    """
    if open_to_all:
        secret.chmod(0o666)
    before = seen(secret)
    path = hot_journal(folder, secret)
    for use in (use_state, use_state_read_only):
        with pytest.raises(SpeakerError, match="names another journal"):
            use(folder)
    with as_owner(folder):
        read_by_sqlite_alone(path)
    assert seen(secret) == before
    read_by_sqlite_alone(hot_journal(folder, secret))
    assert not secret.exists()  # so the journal is one that SQLite obeys


@EACH
def test_a_directory_of_roots_that_others_write(
    folder: Path, use: Callable[[Path], None], name: str
) -> None:
    """Root refuses a directory of its own that others may write to, and says what to do."""
    del name
    os.chown(folder, 0, NOBODY)
    folder.chmod(0o2770)
    with pytest.raises(SpeakerError, match=r"lets others write; chown it to the user"):
        use(folder)
    assert not [*folder.iterdir()]


@EACH
def test_a_directory_that_another_may_replace(
    folder: Path, use: Callable[[Path], None], name: str
) -> None:
    """Root refuses one below a folder of another user: it could be another directory any moment."""
    del name
    os.chown(folder.parent, NOBODY + 1, -1)
    with pytest.raises(SpeakerError, match="belongs to user"):
        use(folder)
    assert not [*folder.iterdir()]


@EACH
def test_a_directory_that_is_another_users_link(
    folder: Path, use: Callable[[Path], None], name: str
) -> None:
    """Root refuses one by the name of another user's link, such as in /tmp: it could lead elsewhere soon."""
    del name
    link = folder.with_name("link")
    link.symlink_to(folder)
    os.lchown(link, NOBODY + 1, -1)
    with pytest.raises(SpeakerError, match="belongs to user"):
        use(link)
    assert not [*folder.iterdir()]


# --- the means ------------------------------------------------------------------------------------


def test_only_this_thread_and_context(folder: Path) -> None:
    """Other threads stay root to the file system, and this one is root again at the end."""
    mine, others = folder / "mine", folder / "others"
    inside = threading.Event()

    def touch() -> None:
        inside.wait()
        others.touch()

    thread = threading.Thread(target=touch)
    thread.start()
    with as_owner(folder):
        mine.touch()
        inside.set()
        thread.join()
    (folder / "after").touch()
    owners = {path.name: path.stat().st_uid for path in folder.iterdir()}
    assert owners == {"mine": NOBODY, "others": 0, "after": 0}


_RIGHTS = """
import os, sys, threading
from pathlib import Path
from speaker.files.directory_owner import as_owner
def tell():
    with as_owner(Path(sys.argv[1])):
        lines = Path("/proc/thread-self/status").read_text().splitlines()
        found = dict(line.split(":", 1) for line in lines)
        over_files = int(found["CapEff"], 16) & 0b11111  # of chown(2), open(2), chmod(2)
        print(found["Uid"].split()[3], found["Gid"].split()[3], found["Groups"].split(), over_files)
os.setgroups([0, 4])
thread = threading.Thread(target=tell)
thread.start()
thread.join()
tell()
"""


def test_no_group_of_roots_is_left(folder: Path) -> None:
    """While root works in there, the kernel has the owner, the directory's group, no further one, and no right over files."""
    told = subprocess.run(
        [sys.executable, "-c", _RIGHTS, folder], check=True, capture_output=True, text=True
    )
    assert told.stdout.splitlines() == 2 * [f"{NOBODY} {NOBODY} [] 0"]


def test_nothing_is_kept_after_a_fault(folder: Path) -> None:
    """What is raised in the context ends it as well."""
    with pytest.raises(ZeroDivisionError), as_owner(folder):
        raise ZeroDivisionError
    (folder / "after").touch()
    assert (folder / "after").stat().st_uid == 0


def test_in_a_directory_of_roots(folder: Path) -> None:
    """In a directory of root's, of its group too, root is root."""
    os.chown(folder, 0, 0)
    with as_owner(folder):
        (folder / "made").touch()
    assert (folder / "made").stat().st_uid == 0
