"""The state file and what is beside it, made by an operator who means harm: reading it ends, and touches nothing else."""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker.state.store import SHOWN, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PREFIX = parse_prefix("192.0.2.1/32")
DRAINED = Intent(Mode.DRAINED, "alice", 1.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state file with an intent."""
    path = tmp_path / "state.sqlite3"
    with closing(Store(path)) as store:
        store.set_intents({PREFIX: DRAINED})
    return path


def read(store: Store) -> None:
    store.load()
    store.history([])


def write(store: Store) -> None:
    store.set_intents({PREFIX: DRAINED})


def use(path: Path) -> None:
    with closing(Store(path)) as store:
        read(store)
        write(store)


@pytest.mark.parametrize("in_memory_copy", [False, True])
@pytest.mark.parametrize("suffix", ["-journal", "-wal"])
def test_a_pipe_beside_it(path: Path, suffix: str, *, in_memory_copy: bool) -> None:
    """A pipe in the place of a file of SQLite's is not waited for, before opening the file and after."""
    with closing(Store(path, in_memory_copy=in_memory_copy)) as store:
        if not in_memory_copy:
            store.load()
        beside = path.with_name(f"{path.name}{suffix}")
        os.mkfifo(beside, 0o444)
        with pytest.raises(StoreError, match="is not a regular file of one name"):
            store.load()
        beside.unlink()
        store.load()


@pytest.mark.parametrize("is_link", [False, True])
@pytest.mark.parametrize("in_memory_copy", [False, True])
@pytest.mark.parametrize("use", [read, write])
def test_a_journal_of_several_files(
    path: Path,
    tmp_path: Path,
    use: Callable[[Store], object],
    *,
    in_memory_copy: bool,
    is_link: bool,
) -> None:
    """A journal that names another file as its super-journal has SQLite remove nothing, whatever comes first."""
    victim = tmp_path / "elsewhere"
    victim.write_text("kept")
    name = os.fsencode(victim)
    magic = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
    header = magic + struct.pack(">5I", 0, 0, 11, 512, 4096)
    trailer = struct.pack(">I", 1) + name + struct.pack(">II", len(name), sum(name)) + magic
    path.with_name(f"{path.name}-journal").write_bytes(header.ljust(512, b"\0") + trailer)
    used = path
    if is_link:
        used = tmp_path / "link"
        used.symlink_to(path)
    with (
        closing(Store(used, in_memory_copy=in_memory_copy)) as store,
        pytest.raises(StoreError, match="names another journal"),
    ):
        use(store)
    assert victim.exists()


def test_another_name_beside_it(path: Path) -> None:
    """Another name of the file itself is not opened: closing it would unlock the file."""
    path.with_name(f"{path.name}-journal").hardlink_to(path)
    with pytest.raises(StoreError, match="is not a regular file of one name"):
        use(path)


def test_a_journal_that_a_crash_left(path: Path) -> None:
    """An honest journal is played back as ever."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA cache_size = 1")
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM intent")
        other.executemany(
            "INSERT INTO history (time, prefix, event, reason) VALUES (1, 'x', 'x', ?)",
            [("x" * 1000,)] * 100,
        )
        torn = path.with_name("torn")
        torn.write_bytes(path.read_bytes())
        journal = path.with_name(f"{path.name}-journal").read_bytes()
        torn.with_name("torn-journal").write_bytes(journal)
    with closing(Store(torn)) as store:
        assert store.intents().of == {PREFIX: DRAINED}


def _leads_to_itself(path: Path, table: str, levels: int) -> None:
    """Have each page of a table lead 300 times to the next one: SQLite finds 300 ** levels rows."""
    with closing(sqlite3.connect(path)) as db:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (root,) = db.execute(query, [table]).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    first = len(data) // size + 1
    pages = [bytes(data[(root - 1) * size : root * size])]
    for child in range(first, first + levels):
        page, at, cells = bytearray(size), size, []
        for key in range(1, 301):
            cell = struct.pack(">I", child)
            cell += bytes([key]) if key < 128 else bytes([0x80 | key >> 7, key & 0x7F])
            at -= len(cell)
            page[at : at + len(cell)] = cell
            cells.append(at)
        page[:12] = struct.pack(">BHHHBI", 5, 0, len(cells), at, 0, child)
        page[12 : 12 + 2 * len(cells)] = struct.pack(f">{len(cells)}H", *cells)
        pages.append(bytes(page))
    data[(root - 1) * size : root * size] = pages.pop()
    data += b"".join(pages)
    data[28:32] = struct.pack(">I", len(data) // size)
    path.write_bytes(data)


def test_rows_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that lead to each other make rows without end of a small file: memory is bounded."""
    _leads_to_itself(path, "intent", 6)
    assert path.stat().st_size < 1 << 17
    monkeypatch.setattr("speaker.state.fetched.MAX_SIZE", 1 << 20)
    monkeypatch.setattr("speaker.state.database.MAX_STEPS", 1 << 23)  # which ends it else
    with pytest.raises(StoreError, match="bytes of rows; put a copy of it back"):
        use(path)


def test_steps_without_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And time is, where no row is returned meanwhile."""
    _leads_to_itself(path, "history", 3)
    monkeypatch.setattr("speaker.state.database.MAX_STEPS", 1 << 22)
    with (
        closing(Store(path)) as store,
        pytest.raises(StoreError, match=r"takes too many steps.*put a copy of it back"),
        store._connections.aside() as db,
    ):
        db.execute("SELECT time FROM history WHERE reason = 'none' AND time = -1").fetchall()


def test_a_huge_value(path: Path) -> None:
    """A value of more than is ever recorded is not read."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE intent SET reason = printf('%.*c', 20000000, 'x')")
    with pytest.raises(StoreError, match="too big"):
        use(path)


def test_history_of_huge_texts(path: Path) -> None:
    """Of a text of history that somebody made huge, as much is read as is ever shown."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE history SET reason = printf('%.*c', 10000000, 'x')")
    with closing(Store(path)) as store:
        (line,) = store.history([])
        (same,) = store.latest([PREFIX], 5)[PREFIX]
    assert line == same
    assert len(line.reason) == SHOWN


def test_history_of_many_prefixes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read of history is bounded in all, however many prefixes are asked for."""
    monkeypatch.setattr("speaker.state.fetched.MAX_SIZE", 1 << 20)
    prefixes = [parse_prefix(f"198.51.100.{n}/32") for n in range(100)]
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.executemany(
            "INSERT INTO history (time, prefix, event, reason) VALUES (1, ?, 'x', ?)",
            [(str(prefix), "x" * SHOWN * 2) for prefix in prefixes],
        )
    with closing(Store(path)) as store:
        assert store.latest(prefixes[:50], 5).keys() == {*prefixes[:50]}
        with pytest.raises(StoreError, match="bytes of rows"):
            store.latest([*prefixes, *prefixes], 5)
