"""The state file: what is written stays, all or none, whoever else uses the file."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.damping import Damping
from policy.drain import resolved
from policy.health import Service, ServiceMemory, State
from policy.intent import Intent, Mode
from speaker.api import HistoryEntry
from speaker.state.database import MAX_SIZE
from speaker.state.following import FollowingStore
from speaker.state.history import LAST
from speaker.state.remembered import HISTORY_ROWS
from speaker.state.store import News, Owned, Store, StoreError
from speaker.state.versions import STEPS
from tests.support.lab.installed import NOBODY
from tests.support.lab.user import nobody, reachable
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from policy.route import Prefix

FIRST, SECOND, THIRD = made.HOSTS_V4[:3]
DRAINED = Intent(Mode.DRAINED, "alice", 1_700_000_000.0, "disk full", 1_700_003_600.0)
FORCED = Intent(Mode.FORCED, "bob", 1_700_000_001.0)
WEB, TLS = made.SERVICES[:2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(path)
    opened.load()
    yield opened
    opened.close()


def in_another_process(path: Path, code: str) -> str:
    """Run code over the same file in a process of its own, which is killed at its end."""
    text = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        from policy.intent import Intent, Mode
        from policy.route import parse_prefix
        from speaker.state.store import Store
        store = Store(Path({str(path)!r}))
        first = parse_prefix("192.0.2.1")
    """) + textwrap.dedent(code)
    text += "\nsys.stdout.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def again(path: Path) -> Store:
    """The file as the next process finds it."""
    return Store(path)


# --- what is written stays -----------------------------------------------------------------------


def test_all_of_it_is_there_after_reopening(store: Store, path: Path) -> None:
    """Intents, ownership, memory of health and history outlive the process."""
    store.set_intents({FIRST: DRAINED, SECOND: FORCED})
    store.own([FIRST, SECOND])
    store.record(
        News(
            owned={FIRST: Owned("a route", up=True)},
            history=[HistoryEntry(2.0, str(FIRST), "announced", "y")],
        )
    )
    memory: dict[Prefix, Mapping[Service, ServiceMemory]] = {
        FIRST: {WEB: ServiceMemory(State.UP), TLS: ServiceMemory(State.RISING, 3.5)},
        SECOND: {WEB: ServiceMemory(State.MISSING, gone_since=4.5, proven_at=2.5)},
    }
    store.record(News(health=memory))
    flapped = Damping(2500.0, 5.5, damped=True, up=False)
    store.record(News(damping={FIRST: flapped, SECOND: Damping(1.0, 2.0, damped=False, up=True)}))
    store.record(News(damping={SECOND: None}))
    store.close()
    reopened = again(path)
    assert reopened.load().damping == {FIRST: flapped}
    assert reopened.intents().of == {FIRST: DRAINED, SECOND: FORCED}
    assert reopened.load().owned == {FIRST: Owned("a route", up=True), SECOND: Owned()}
    assert reopened.load().health == memory
    assert [entry.event for entry in reopened.history([])] == ["drained", "forced", "announced"]
    reopened.close()


def test_killed_right_after(path: Path) -> None:
    """What was written is there although the writer was killed at once, and the file is well."""
    in_another_process(path, 'store.set_intents({first: Intent(Mode.DRAINED, "alice", 0.0)})')
    survivor = again(path)
    assert survivor.intents().of == {FIRST: Intent(Mode.DRAINED, "alice", 0.0)}
    survivor.close()


def test_killed_in_the_middle(path: Path) -> None:
    """A writer that is killed before it commits has changed nothing."""
    in_another_process(
        path,
        """
        store.set_intents({first: Intent(Mode.DRAINED, "alice", 0.0)})
        store._connections.for_writing(1.0).execute("BEGIN IMMEDIATE")
        store._connections.for_writing(1.0).execute("DELETE FROM intent")
        """,
    )
    survivor = again(path)
    assert survivor.intents().of.keys() == {FIRST}
    survivor.close()


def test_durable(store: Store) -> None:
    """A commit is on the disk, and its journal's directory entry too, before it returns."""
    assert store._connections.for_writing(1.0).execute("PRAGMA synchronous").fetchone() == (3,)


def test_restored_is_forgiven(store: Store) -> None:
    """An intent to announce forgets that a prefix flapped; a drain does not."""
    flapped = Damping(2500.0, 5.5, damped=True, up=False)
    store.record(News(damping=dict.fromkeys((FIRST, SECOND, THIRD), flapped)))
    auto = Intent(Mode.AUTO, "alice", 1.0)
    store.set_intents({FIRST: DRAINED, SECOND: FORCED, THIRD: auto})
    assert store.load().damping == {FIRST: flapped}


# --- two processes -------------------------------------------------------------------------------


def test_two_processes(store: Store, path: Path) -> None:
    """Each sees at once what the other has written, cached or not."""
    assert store.intents().of == {}
    assert store.intents().of is store.intents().of
    in_another_process(path, 'store.set_intents({first: Intent(Mode.DRAINED, "alice", 0.0)})')
    assert store.intents().of.keys() == {FIRST}
    store.set_intents({FIRST: Intent(Mode.AUTO, "bob", 1.0)})
    assert in_another_process(path, "print(dict(store.intents().of))") == "{}\n"


def test_while_another_writes(store: Store, path: Path) -> None:
    """A file that another process holds for long is a StoreError, and nothing is half written."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked"):
        store.set_intents({FIRST: DRAINED}, wait=0.01)
    holder.execute("ROLLBACK")
    holder.close()
    assert store.intents().of == {}


# --- intents -------------------------------------------------------------------------------------


def test_read_while_a_write_waits(store: Store, path: Path) -> None:
    """Intents and history are read at once, while a write in another thread waits for its turn."""
    store.set_intents({SECOND: FORCED})
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        writing = threading.Thread(
            target=store.set_intents, args=({FIRST: DRAINED},), kwargs={"wait": 60.0}
        )
        writing.start()
        try:
            for _ in range(20):
                assert store.intents().of == {SECOND: FORCED}
                assert len(store.history([])) == 1
                assert writing.is_alive()
                writing.join(0.02)
        finally:
            holder.execute("ROLLBACK")
            writing.join()
    assert store.intents().of == {FIRST: DRAINED, SECOND: FORCED}


def test_while_another_reads(store: Store, path: Path) -> None:
    """Who reads for too long makes one write fail, wholly; those after it are as they always were."""
    store.set_intents({SECOND: FORCED})
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM intent").fetchall()
        with pytest.raises(StoreError, match="locked"):
            store.set_intents({FIRST: DRAINED}, wait=0.1)
        assert store.intents().of == {SECOND: FORCED}
        reader.execute("COMMIT")
    store.set_intents({THIRD: DRAINED})
    assert store.intents().of == {SECOND: FORCED, THIRD: DRAINED}


def test_a_full_disk(store: Store) -> None:
    """A write for which there is no room fails as a whole, and says why."""
    (pages,) = store._connections.for_writing(1.0).execute("PRAGMA page_count").fetchone()
    store._connections.for_writing(1.0).execute(f"PRAGMA max_page_count = {pages}")
    many = [HistoryEntry(1.0, str(FIRST), "announced", "x" * 200)] * 1000
    store.own([FIRST])
    with pytest.raises(StoreError, match="full; make room"):
        store.record(News(owned={FIRST: Owned("route", up=True)}, history=many))
    assert store.load().owned == {FIRST: Owned()}
    store._connections.for_writing(1.0).execute("PRAGMA max_page_count = 100000")
    store.record(News(owned={FIRST: Owned("route", up=True)}, history=many))
    assert len(store.history([], limit=2000)) == 1000


def test_auto_lifts(store: Store) -> None:
    """An intent of mode auto takes away what was there; a later one replaces an earlier."""
    store.set_intents({FIRST: DRAINED, SECOND: DRAINED})
    store.set_intents({FIRST: Intent(Mode.AUTO, "bob", 1.0), SECOND: FORCED})
    assert store.intents().of == {SECOND: FORCED}


def test_all_or_none(store: Store) -> None:
    """Where one can't be written, none is, and nothing that goes with them either."""
    store.own([FIRST, SECOND])
    store.set_intents({FIRST: FORCED})
    before = store.history([])
    db = store._connections.for_writing(1.0)
    db.set_authorizer(None)
    db.execute(
        "CREATE TRIGGER full BEFORE INSERT ON history WHEN NEW.prefix = '192.0.2.2/32' "
        "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )
    with pytest.raises(StoreError, match="disk full"):
        store.set_intents({FIRST: DRAINED, SECOND: DRAINED}, up=[FIRST])
    assert store.intents().of == {FIRST: FORCED}
    assert store.history([]) == before
    assert store.load().owned == {FIRST: Owned(), SECOND: Owned()}
    store._connections.for_writing(1.0).execute("DROP TRIGGER full")
    store.set_intents({SECOND: DRAINED}, up=[FIRST])
    assert store.intents().of.keys() == {FIRST, SECOND}
    assert store.load().owned == {FIRST: Owned(up=True), SECOND: Owned()}


@given(st.dictionaries(made.PREFIXES, made.intents(), max_size=5))
def test_any_intents(intents: dict[Prefix, Intent]) -> None:
    """Every intent comes back as it was, but for those of mode auto, which are none; all are history."""
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory, "state.sqlite3"))
        store.set_intents(intents)
        intents = {prefix: resolved(intent, None) for prefix, intent in intents.items()}
        kept = {prefix: i for prefix, i in intents.items() if i.mode is not Mode.AUTO}
        assert store.intents().of == kept
        assert Counter(store.history([])) == Counter(
            HistoryEntry(intent.since, str(prefix), intent.mode, str(intent))
            for prefix, intent in intents.items()
        )
        store.close()


# --- a rehearsal ---------------------------------------------------------------------------------


def test_a_rehearsal_leaves_the_file_alone(store: Store, path: Path) -> None:
    """It begins with what the file has, writes what it likes, and not a byte of the file changes."""
    store.set_intents({FIRST: DRAINED})
    store.own([FIRST])
    before = path.read_bytes()
    rehearsal = Store(path, in_memory_copy=True)
    assert rehearsal.intents().of == {FIRST: DRAINED}
    rehearsal.set_intents({FIRST: FORCED, SECOND: DRAINED})
    rehearsal.own([SECOND])
    rehearsal.record(News(owned={FIRST: Owned("a route", up=True)}))
    assert rehearsal.intents().of == {FIRST: FORCED, SECOND: DRAINED}
    assert rehearsal.load().owned == {FIRST: Owned("a route", up=True), SECOND: Owned()}
    rehearsal.close()
    assert path.read_bytes() == before
    assert store.intents().of == {FIRST: DRAINED}


def test_a_rehearsal_without_a_file(path: Path) -> None:
    """It begins with nothing, and makes none."""
    rehearsal = Store(path, in_memory_copy=True)
    rehearsal.set_intents({FIRST: DRAINED})
    assert rehearsal.intents().of == {FIRST: DRAINED}
    rehearsal.close()
    assert not path.exists()


def test_a_rehearsal_of_a_bad_file(path: Path) -> None:
    """What can't be read for good is not rehearsed on either."""
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(StoreError, match=str(path)):
        Store(path, in_memory_copy=True).load()


# --- what is ours --------------------------------------------------------------------------------


def test_ownership(store: Store) -> None:
    """Owning again keeps what was confirmed; disowning forgets it, and its health."""
    store.own([FIRST, SECOND])
    store.record(News(owned={FIRST: Owned("a route", up=True), THIRD: Owned("not ours")}))
    store.own([FIRST])
    assert store.load().owned == {FIRST: Owned("a route", up=True), SECOND: Owned()}
    store.record(
        News(health={FIRST: {WEB: ServiceMemory(State.UP)}, SECOND: {WEB: ServiceMemory(State.UP)}})
    )
    store.record(News(gone={FIRST}))
    assert store.load().owned.keys() == {SECOND}
    assert store.load().health.keys() == {SECOND}


def test_memory_is_replaced(store: Store) -> None:
    """What is remembered of a prefix replaces what was; others keep theirs."""
    store.record(
        News(
            health={FIRST: {WEB: ServiceMemory(State.UP)}, SECOND: {TLS: ServiceMemory(State.DOWN)}}
        )
    )
    store.record(News(health={FIRST: {TLS: ServiceMemory(State.DOWN)}}))
    assert store.load().health == {
        FIRST: {TLS: ServiceMemory(State.DOWN)},
        SECOND: {TLS: ServiceMemory(State.DOWN)},
    }
    store.record(News(health={FIRST: {}}))
    assert store.load().health.keys() == {SECOND}


# --- history -------------------------------------------------------------------------------------


def entries(count: int, prefix: Prefix = FIRST) -> list[HistoryEntry]:
    return [HistoryEntry(float(number), str(prefix), "announced", "x") for number in range(count)]


def test_since(store: Store) -> None:
    """What was done since a time, of some prefixes or of all."""
    store.record(News(history=entries(500)))
    assert [entry.time for entry in store.history([], since=100.0)] == [
        *map(float, range(100, 500))
    ]
    assert [entry.time for entry in store.history([FIRST], since=498.5)] == [499.0]
    assert store.history([SECOND], since=0.0) == []


def test_history_is_kept_for_a_time(store: Store) -> None:
    """What is older than history is kept goes with the next line, but for the last lines of all."""
    store.record(News(history=entries(LAST + 500)))
    store.keep = LAST + 100.0
    store.record(News(history=[HistoryEntry(LAST + 500.0, str(SECOND), "announced", "x")]))
    # Those from 400 on are not older.
    assert next(entry.time for entry in store.history([], since=0.0)) == 400.0
    ahead = 1e9  # a clock that was set wrongly for a moment
    store.record(News(history=[HistoryEntry(ahead, str(SECOND), "announced", "x")]))
    left = [entry.time for entry in store.history([], since=0.0)]
    assert (len(left), left[-1]) == (LAST, ahead)
    store.keep = None
    store.record(News(history=[HistoryEntry(2 * ahead, str(SECOND), "announced", "x")]))
    assert len(store.history([], since=0.0)) == LAST + 1


def test_history(store: Store) -> None:
    """The newest entries of the prefixes asked for, or of all, oldest first."""
    store.record(News(history=entries(5)))
    store.record(News(history=entries(2, SECOND)))
    assert [entry.time for entry in store.history([], limit=3)] == [0.0, 1.0, 4.0]
    assert [entry.time for entry in store.history([FIRST], limit=2)] == [3.0, 4.0]
    assert len(store.history([FIRST, SECOND])) == 7
    assert store.history([THIRD]) == []


def test_history_does_not_grow_for_ever(store: Store) -> None:
    """The oldest entries make room."""
    store.record(News(history=entries(HISTORY_ROWS)))
    store.record(News(history=entries(7, SECOND)))
    kept = store.history([], limit=2 * HISTORY_ROWS)
    assert len(kept) == HISTORY_ROWS
    assert (kept[0].time, kept[-1].time) == (7.0, 6.0)


def test_history_is_in_order_of_time(store: Store) -> None:
    """What was recorded a moment late stands where it belongs; a clock that was set back moves nothing."""
    times = [100.0, 103.0, 102.5, 103.0, 110.0, 50.0, 51.0]
    events = "abcdefg"
    store.record(
        News(
            history=[HistoryEntry(t, str(FIRST), e, "") for t, e in zip(times, events, strict=True)]
        )
    )
    assert "".join(entry.event for entry in store.history([])) == "acbdefg"
    assert "".join(entry.event for entry in store.latest([FIRST], 5)[FIRST]) == "cdefg"


def test_what_is_replaced_is_told(store: Store) -> None:
    """Whoever replaces an intent that is in force is told it, and so is history; not one that has ended."""
    assert store.set_intents({FIRST: DRAINED, SECOND: FORCED}) == {}
    again = Intent(Mode.DRAINED, "bob", DRAINED.since + 60.0, "new kernel")
    assert store.set_intents({FIRST: again, THIRD: again}) == {FIRST: DRAINED}
    assert store.set_intents({SECOND: Intent(Mode.AUTO, "bob", again.since)}) == {SECOND: FORCED}
    assert [entry.reason for entry in store.history([])][2:] == [
        f"{again}; was {DRAINED}",
        str(again),
        f"auto by bob at 2023-11-14T22:14:20Z; was {FORCED}",
    ]
    store.set_intents({SECOND: DRAINED})
    later = Intent(Mode.DRAINED, "bob", DRAINED.since + 7200.0)
    assert store.set_intents({SECOND: later}) == {}
    assert [(entry.event, entry.reason) for entry in store.history([SECOND])][-2:] == [
        ("expired", str(DRAINED)),
        ("drained", str(later)),
    ]


def test_an_end_is_told_once(store: Store, path: Path) -> None:
    """An intent that ended by itself is told once, by whomever, at the time at which it ended."""
    ends = DRAINED.until
    assert ends is not None
    store.set_intents({FIRST: DRAINED, SECOND: FORCED})
    store.record(News(expired=ends - 1.0))
    assert [entry.event for entry in store.history([])] == ["drained", "forced"]
    other = again(path)
    for each in (store, other, store):
        each.record(News(expired=ends + 60.0))
    other.close()
    assert store.history([])[2:] == [HistoryEntry(ends, str(FIRST), "expired", str(DRAINED))]
    # It stays there: a clock that was wrong may be set back.
    assert store.intents().of == {FIRST: DRAINED, SECOND: FORCED}


def test_an_end_before_all_history_is_not_told(store: Store) -> None:
    """What history has forgotten does not come back as new."""
    store.set_intents({FIRST: DRAINED})
    newer = [HistoryEntry(2e9, str(SECOND), "announced", "")] * HISTORY_ROWS
    store.record(News(history=newer))
    store.record(News(expired=2e9))
    assert store.history([FIRST]) == []


def test_intents_are_followed(path: Path) -> None:
    """Who writes no file heeds what others record there meanwhile, and neither makes nor changes the file."""
    follower = FollowingStore(path)
    follower.load()
    follower.own([FIRST])
    assert follower.intents().of == {}
    assert not path.exists()
    with closing(again(path)) as other:
        other.set_intents({FIRST: DRAINED})
        before = path.read_bytes()
        assert follower.intents().of == {FIRST: DRAINED}
        assert follower.intents() is follower.intents()
        follower.record(News(owned={FIRST: Owned("a route", up=True)}))
        assert path.read_bytes() == before
        other.set_intents({SECOND: FORCED, FIRST: Intent(Mode.AUTO, "bob", 1.0)})
        assert follower.intents().of == {SECOND: FORCED}
    follower.close()


def test_waiting_is_kept(store: Store) -> None:
    """Whether a route waits for a session outlives the process."""
    store.own([FIRST, SECOND])
    owned: dict[Prefix, Owned] = {
        FIRST: Owned("a route", up=True, waiting=True),
        SECOND: Owned("a route", up=True),
    }
    store.record(News(owned=owned))
    assert store.load().owned == owned


def test_history_of_many(store: Store) -> None:
    """History may be asked for more prefixes than a query has room for."""
    store.record(News(history=entries(1)))
    many = [FIRST, *(made.host_v6(number) for number in range(40_000))]
    assert len(store.history(many)) == 1


def test_the_latest_of_each(store: Store) -> None:
    """Of each prefix the newest entries, oldest first; of one without any, none."""
    store.record(News(history=[*entries(7), *entries(2, SECOND)]))
    latest = store.latest([SECOND, FIRST, made.host_v6(1)], 3)
    assert {p: [entry.time for entry in found] for p, found in latest.items()} == {
        SECOND: [0.0, 1.0],
        FIRST: [4.0, 5.0, 6.0],
        made.host_v6(1): [],
    }


# --- files that can't be used --------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_not_a_state_file(path: Path, content: bytes) -> None:
    """A file that is something else is refused, and left as it is."""
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"drain again what it had|move the file away"):
        Store(path).load()
    assert path.read_bytes() == content


DAMAGES = {
    "garbage": lambda whole: b"garbage!" * (len(whole) // 8),
    "shorter": lambda _: b"garbage!" * 500,
    "empty": lambda _: b"",
    "half": lambda whole: whole[: len(whole) // 8],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_put_back_in_place(store: Store, path: Path, damage: Callable[[bytes], bytes]) -> None:
    """A file that is damaged while it is in use, and put back, is used again; and none is made of it meanwhile.

    Whoever puts it back may empty it first, as cp does.
    """
    store.set_intents({FIRST: DRAINED})
    store.intents()
    whole = path.read_bytes()
    for content in (damage(whole), b""):
        path.write_bytes(content)
        for _ in range(2):
            with pytest.raises(StoreError, match="it back, or move"):
                store.intents(wait=0.0)
            with pytest.raises(StoreError, match="it back, or move"):
                store.set_intents({SECOND: DRAINED})
        assert path.read_bytes() == content
    path.write_bytes(whole)
    assert store.intents().of == {FIRST: DRAINED}
    store.set_intents({SECOND: DRAINED})
    assert store.intents().of == {FIRST: DRAINED, SECOND: DRAINED}
    assert store.fault == ""


def test_damaged_where_sqlite_quotes_it(path: Path, store: Store) -> None:
    """Bytes that are no text, where SQLite quotes them in what it says, are a fault like any other."""
    store.close()
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE damping", b"CREATE T\xbdBLE damping"))
    with pytest.raises(StoreError, match=r"damaged: .*drain again what it had"):
        Store(path).load()


@pytest.mark.parametrize("in_memory_copy", [False, True])
def test_a_huge_file(path: Path, store: Store, *, in_memory_copy: bool) -> None:
    """A file of which operators, who may write it, made one that takes all memory is not read."""
    store.close()
    os.truncate(path, MAX_SIZE + 1)
    with pytest.raises(StoreError, match=f"has {MAX_SIZE + 1} bytes, at most {MAX_SIZE} are read"):
        Store(path, in_memory_copy=in_memory_copy).load()


@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_what_is_no_file(path: Path, kind: str) -> None:
    """What stands in place of the file, and is none, is waited for in no case."""
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="is not a regular file"):
        Store(path).load()


ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
VIEW = (
    f"CREATE VIEW intent AS {ENDLESS} SELECT n AS prefix, '' AS mode, '' AS owner, '' AS reason, "
)
VIEW += "1.0 AS since, 1.0 AS until FROM r"
TRIGGER = (
    f"CREATE TRIGGER t AFTER INSERT ON history BEGIN DELETE FROM owned WHERE up IN ({ENDLESS} "
)
TRIGGER += "SELECT -n FROM r); END"
CALL = VIEW.replace(ENDLESS, "").replace("SELECT n AS", "SELECT load_extension('x') AS")
CALL = CALL.replace(" FROM r", "")
FOREIGN = "a table, a view or a trigger that this program does not make; put a copy of it back"
CHECK = "CREATE TABLE intent (prefix, mode, owner, reason, since CHECK (since < 0), until)"


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE intent", VIEW],
        ["DROP TABLE intent", CALL],
        ["DROP TABLE intent"],
        ["DROP TABLE intent", CHECK],
        [TRIGGER],
    ],
    ids=["endless view", "view that calls", "no table", "table that checks", "trigger"],
)
def test_what_never_ends(store: Store, path: Path, statements: list[str]) -> None:
    """What operators put into the file is never run: a view or a trigger, which may have no end."""
    store.set_intents({FIRST: DRAINED})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for statement in statements:
            other.execute(statement)
    if statements[-1] not in {TRIGGER, CHECK}:
        with pytest.raises(StoreError, match=FOREIGN):
            store.load()
    with pytest.raises(StoreError, match=FOREIGN):
        store.set_intents({FIRST: FORCED})


def test_no_memory_is_shared(store: Store, path: Path) -> None:
    """In a mode in which SQLite shares memory by a file, whoever shortens that file kills all who use it.

    So none is shared, whoever puts the state file into that mode; and it is put back.
    """
    store.set_intents({FIRST: DRAINED})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        assert other.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
        other.execute("DELETE FROM intent")
    shared = path.with_name(f"{path.name}-shm")
    assert not shared.exists()
    shared.mkdir()  # who wants to share memory can't
    for use in (
        store.intents,
        lambda: store.set_intents({SECOND: FORCED}),
        lambda: store.history([]),
    ):
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            shared.rmdir()
            other.execute("PRAGMA journal_mode = WAL")
        shared.mkdir()
        use()
    shared.rmdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        other.execute("BEGIN IMMEDIATE")  # and nobody holds it
    assert store.load().intents.of == {SECOND: FORCED}


def test_tables_that_somebody_made(store: Store, path: Path) -> None:
    """A table may have any types: each row that makes no sense is bad, and no other, as usual."""
    store.set_intents({FIRST: DRAINED})
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        row = other.execute("SELECT * FROM intent").fetchone()
        for table, columns in (
            ("intent", "prefix, mode, owner, reason, since, until, forced, insisted"),
            ("owned", "prefix, route, up"),
            ("health", "prefix, service, up, turning_since, gone_since, proven_at"),
            ("damping", "prefix, penalty, at, damped, up"),
            ("drain", "prefix, stage, of, began, quiet_since, connections"),
            ("history", "id, time, prefix, event, reason"),
        ):
            other.execute(f"DROP TABLE {table}")
            other.execute(f"CREATE TABLE {table} ({columns})")
            for value in (None, "x", b"\xff", 1e300, -1.0, float("inf"), 7):
                values = [value] * len(columns.split(", "))
                marks = ", ".join("?" * len(values))
                other.execute(f"INSERT INTO {table} VALUES ({marks})", values)
        other.execute("INSERT INTO intent VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        other.execute("INSERT INTO history VALUES (99, 1.0, 'a', 'b', 'c')")
    found = store.load()
    assert found.intents.of[FIRST] == DRAINED
    assert not found.owned
    assert not found.damping
    assert store.history([]) == [HistoryEntry(1.0, "a", "b", "c")]


def test_of_a_newer_program(path: Path, store: Store) -> None:
    """A file of another version is refused, with what to do, and left as it is."""
    store._connections.for_writing(1.0).execute("PRAGMA user_version = 99")
    with pytest.raises(
        StoreError,
        match="has version 99, this program knows 5; use the newer program, or move it away and drain again",
    ):
        Store(path).load()
    assert store._connections.for_writing(1.0).execute("PRAGMA user_version").fetchone() == (99,)


def test_of_an_older_program(path: Path) -> None:
    """A file of version 1 is brought up to date, and keeps all that it has."""
    db = sqlite3.connect(path)
    db.executescript(STEPS[0] + "PRAGMA user_version = 1;")
    db.executescript("""
        INSERT INTO intent VALUES ('192.0.2.1/32', 'forced', 'bob', '', 1700000001.0, NULL);
        INSERT INTO owned VALUES ('192.0.2.1/32', 'a route', 1);
        INSERT INTO health VALUES ('192.0.2.1/32', 'tcp/80', 1, 3.5);
        INSERT INTO history VALUES (1, 2.0, '192.0.2.1/32', 'announced', 'y');
    """)
    db.close()
    for _ in range(2):
        store = Store(path)
        assert store.intents().of == {FIRST: FORCED}
        assert store.load().owned == {FIRST: Owned("a route", up=True)}
        assert store.load().health == {FIRST: {WEB: ServiceMemory(State.FALLING, 3.5)}}
        assert [entry.event for entry in store.history([])] == ["announced"]
        store.record(News(health={FIRST: {WEB: ServiceMemory(State.FALLING, 3.5)}}))
        store.close()


@pytest.mark.parametrize("place", ["nowhere/state.sqlite3", ".", "file/state.sqlite3"])
def test_no_place_for_it(tmp_path: Path, place: str) -> None:
    """A file that can't be made is a StoreError that says what must be writable."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="its directory must be writable for this user"):
        Store(tmp_path / place).load()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_read_only(tmp_path: Path) -> None:
    """A directory or a file that this user may not write is a StoreError, not a file half made."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    made_by_root = Store(tmp_path / "state.sqlite3")
    made_by_root.load()
    made_by_root.close()
    (tmp_path / "state.sqlite3").chmod(0o600)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setuid(65534)
            for name in ("state.sqlite3", "other.sqlite3"):
                with pytest.raises(StoreError, match="its directory must be writable"):
                    Store(tmp_path / name).load()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    assert [child.name for child in tmp_path.iterdir()] == ["state.sqlite3"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_directory_that_can_not_be_searched(tmp_path: Path) -> None:
    """A file that this user can't look for any more is not said to be moved; and it is used again later."""
    for parent in tmp_path.parents:
        if parent.stat().st_mode & 0o077 == 0:
            parent.chmod(0o755)
    tmp_path.chmod(0o700)
    os.chown(tmp_path, 65534, 65534)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setuid(65534)
            store = Store(tmp_path / "state.sqlite3")
            store.own([FIRST])
            tmp_path.chmod(0o000)
            with pytest.raises(StoreError, match="is read-only for this user") as raised:
                store.set_intents({FIRST: DRAINED})
            assert "moved" not in str(raised.value)
            tmp_path.chmod(0o700)
            store.set_intents({FIRST: DRAINED})
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_read_only_amid_a_transaction() -> None:
    """Where the directory becomes read-only before a journal is removed, nothing is recorded, and the remedy is the same."""
    with reachable(0o755) as folder:
        os.chown(folder, NOBODY, NOBODY)
        with nobody(), closing(Store(folder / "state.sqlite3")) as store:
            store.own([FIRST])

            def write() -> None:
                with store._connections.writing() as db:
                    db.execute("DELETE FROM owned")
                    folder.chmod(0o555)

            with pytest.raises(StoreError, match=r"disk I/O error; .*is read-only for this user"):
                write()
            folder.chmod(0o755)
            assert store.load().owned.keys() == {FIRST}


def test_opened_while_it_was_read_only(store: Store, path: Path) -> None:
    """A file that could only be read when it was opened to be written is opened again for the next write."""
    late = Store(path)
    late._connections._writer = sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    with pytest.raises(StoreError, match="readonly database"):
        late.set_intents({FIRST: DRAINED})
    late.set_intents({FIRST: DRAINED})
    assert store.intents().of == {FIRST: DRAINED}


def test_mode(path: Path) -> None:
    """Its group may write it, whatever the umask: operators record a drain while ExaBGP is down."""
    before = os.umask(0o137)
    try:
        Store(path).load()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize(
    ("prefix", "rest"),
    [
        ("192.0.2.1/32", "'gone', 'a', '', 0, NULL"),
        ("192.0.2.1/32", "'drained', char(10), '', 0, NULL"),
        ("192.0.2.1/32", "'auto', 'a', CAST(x'ff' AS TEXT), 0, NULL"),
        ("192.0.2.1/32", "'forced', 'a', '', 9e99, NULL"),
        ("192.0.2.1/32", "'forced', 'a', '', 0, 9e999"),
        ("192.0.2.1/24", "'forced', 'a', '', 0, NULL"),
    ],
)
def test_an_intent_that_can_not_be_read(store: Store, prefix: str, rest: str) -> None:
    """It may have been a drain: what it names is held drained, and others are as they are."""
    store.set_intents({SECOND: FORCED})
    store._connections.for_writing(1.0).execute(
        f"INSERT INTO intent VALUES ('{prefix}', {rest}, 0, 0)"
    )
    for found in (store.intents(), store.load().intents):
        assert found.of[SECOND] == FORCED
        assert found.of[FIRST].mode is Mode.DRAINED
        assert found.of[FIRST].in_force(1e12)
        assert str(found.of[FIRST]).isprintable()
        (fault,) = found.faults
        assert f"the intent of '{prefix}' can't be read" in fault
        assert "vip_mgmt -a" in fault
        assert fault.isprintable()
    store.set_intents({FIRST: Intent(Mode.AUTO, "bob", 1.0)})
    assert store.intents() == store.load().intents
    assert store.intents().of == {SECOND: FORCED}
    assert not store.intents().faults


def test_an_intent_of_nobody_knows_what(store: Store) -> None:
    """A row that names no prefix holds none, stops nothing, and is said."""
    store._connections.for_writing(1.0).execute(
        "INSERT INTO intent VALUES ('nowhere' || char(27), 'drained', '', '', 0, 0, 0, 0)"
    )
    store.set_intents({FIRST: DRAINED})
    assert store.intents().of == {FIRST: DRAINED}
    (fault,) = store.intents().faults
    assert "whose prefix is 'nowhere\\x1b'" in fault


@pytest.mark.parametrize(
    ("table", "rest"),
    [
        ("owned", "'nowhere', '', 0"),
        ("health", "'nowhere', 'tcp/80', 1, NULL, NULL, NULL"),
        ("health", "'192.0.2.1/32', 'tcp', 1, NULL, NULL, NULL"),
        ("health", "'192.0.2.1/32', 'tcp/81', 1, 9e999, NULL, NULL"),
        ("damping", "'192.0.2.1/32', 9e999, 0, 1, 0"),
        ("drain", "'192.0.2.1/32', 'nowhere', 0, 0, NULL, NULL"),
        ("drain", "'192.0.2.1/32', 'draining', 0, 9e999, NULL, NULL"),
    ],
)
def test_another_row_that_can_not_be_read(store: Store, table: str, rest: str) -> None:
    """It is ignored, and said; all others are as they are."""
    store.own([FIRST, SECOND])
    store.record(News(health={FIRST: {WEB: ServiceMemory(State.UP)}}))
    before = store.load()
    assert not before.faults
    store._connections.for_writing(1.0).execute(f"INSERT INTO {table} VALUES ({rest})")
    found = store.load()
    (fault,) = found.faults
    assert fault.startswith(f"a row of table {table} is ignored: ")
    assert (found.owned, found.health, found.damping) == (
        before.owned,
        before.health,
        before.damping,
    )


@pytest.mark.parametrize("table", ["intent", "owned", "health", "damping", "drain"])
def test_no_table(store: Store, path: Path, table: str) -> None:
    """A file that lacks a table can't be read: no drain is forgotten over it."""
    store._connections.for_writing(1.0).execute(f"DROP TABLE {table}")
    with pytest.raises(StoreError, match=str(path)):
        store.load()


def test_moved_while_in_use(store: Store, path: Path) -> None:
    """A file that is moved, or another one of its name, is no place to read intents from."""
    assert not store.intents().of
    path.rename(path.with_suffix(".old"))
    for _ in range(2):
        with pytest.raises(StoreError, match="moved or removed; restart vip_watchdog"):
            store.intents()
        Store(path).load()
    path.with_suffix(".old").rename(path)
    assert not store.intents().of


def test_a_caller_that_was_cancelled(store: Store) -> None:
    """A write whose caller has gone ends before the next one begins; neither is lost."""

    async def main() -> None:
        with closing(sqlite3.connect(store._connections.path, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            first = asyncio.create_task(asyncio.to_thread(store.own, [FIRST]))
            await asyncio.sleep(0.05)
            first.cancel()
            second = asyncio.create_task(asyncio.to_thread(store.own, [SECOND]))
            await asyncio.sleep(0.05)
            holder.execute("ROLLBACK")
        await second

    asyncio.run(main())
    assert store.load().owned.keys() == {FIRST, SECOND}


def test_removed_while_in_use(store: Store, path: Path) -> None:
    """A file that somebody removed is missed at the next write."""
    path.unlink()
    with pytest.raises(StoreError, match="moved or removed; restart vip_watchdog"):
        store.set_intents({FIRST: DRAINED})


def test_replaced_while_in_use(store: Store, path: Path) -> None:
    """Nothing is recorded in another file of its name, however often that is tried: who has this one open never reads it."""
    store.set_intents({FIRST: DRAINED})
    other = path.with_suffix(".copy")
    other.write_bytes(path.read_bytes())
    other.chmod(path.stat().st_mode & 0o777)
    other.rename(path)
    for _ in range(4):
        with pytest.raises(StoreError, match="moved or removed; restart vip_watchdog"):
            store.set_intents({SECOND: DRAINED})
    assert Store(path).load().intents.of.keys() == {FIRST}
