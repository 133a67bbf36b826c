"""The stages of a soft drain in the state file: what is remembered, what follows, and whose word holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.drain import Progress
from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker.state.remembered import News
from speaker.state.stages import StageEnd
from speaker.state.store import Store
from speaker.state.versions import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND = map(parse_prefix, ("192.0.2.1", "192.0.2.2"))
SOFT = Intent(Mode.DRAINING, "alice", 1700000000.0, "kernel")
PROGRESS = Progress(Mode.DRAINING, SOFT.since, 1700000001.0, 1700000002.0)
OVER = Progress(Mode.DRAINED, SOFT.since, 1700000040.0, None, 3)
DRAINED = replace(SOFT, mode=Mode.DRAINED)
END = StageEnd(SOFT, DRAINED, OVER, "timeout 15m")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "state.sqlite3")
    yield store
    store.close()


def again(store: Store, tmp_path: Path) -> Store:
    """The file as the next process finds it."""
    store.close()
    return Store(tmp_path / "state.sqlite3")


@pytest.mark.parametrize("progress", [PROGRESS, OVER, replace(OVER, left=None)])
def test_what_is_remembered_outlives_the_process(
    store: Store, tmp_path: Path, progress: Progress
) -> None:
    """A stage comes back as it was; one that is forgotten does not."""
    store.record(News(drains={FIRST: progress, SECOND: progress}))
    store.record(News(drains={SECOND: None}))
    other = again(store, tmp_path)
    assert other.load().drains == {FIRST: progress}
    other.close()


def test_what_follows(store: Store, tmp_path: Path) -> None:
    """The next intent, what is remembered, and the line of history come together."""
    forced = replace(SOFT, forced=True)
    store.set_intents({FIRST: Intent(Mode.FORCED, "bob", 1.0)})
    store.set_intents({FIRST: SOFT})
    assert store.intents().of == {FIRST: forced}
    assert store.advance({FIRST: END._replace(before=forced)}, 1700000040.0) == [FIRST]
    other = again(store, tmp_path)
    assert other.intents().of == {FIRST: DRAINED}
    assert other.load().drains == {FIRST: OVER}
    line = other.history([])[-1]
    assert (line.event, line.time) == ("drained", 1700000040.0)
    assert line.reason == "drained by alice at 2023-11-14T22:13:20Z: kernel; timeout 15m"
    other.close()


def test_the_way_back_ends(store: Store) -> None:
    """Nothing is in force any more, and nothing is remembered."""
    back = Intent(Mode.RETURNING, "alice", 1700000000.0)
    store.set_intents({FIRST: Intent(Mode.DRAINED, "bob", 1.0)})
    store.set_intents({FIRST: back})
    store.record(News(drains={FIRST: Progress(Mode.RETURNING, back.since, 5.0)}))
    assert store.advance({FIRST: StageEnd(back, None, None, "announced softly")}, 9.0) == [FIRST]
    assert not store.intents().of
    assert not store.load().drains
    assert store.history([])[-1].reason == f"announced softly; was {back}"


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.DRAINED, Mode.FORCED, Mode.RETURNING])
def test_an_operator_came_before_it(store: Store, mode: Mode) -> None:
    """What was recorded meanwhile holds, and nothing of the end is told."""
    store.set_intents({FIRST: SOFT, SECOND: SOFT})
    store.set_intents({FIRST: Intent(mode, "bob", 1700000030.0)})
    before = store.intents().of.get(FIRST)
    assert store.advance({FIRST: END, SECOND: END}, 1700000040.0) == [SECOND]
    assert store.intents().of.get(FIRST) == before
    assert store.intents().of[SECOND] == DRAINED
    assert [line.event for line in store.history([FIRST])] == ["draining", mode]
    assert store.load().drains == {SECOND: OVER}


def test_asked_twice(store: Store) -> None:
    """A stage goes on, and the second word is told when it was said."""
    store.set_intents({FIRST: SOFT})
    store.set_intents({FIRST: Intent(Mode.DRAINING, "bob", 1700000030.0)})
    assert store.intents().of[FIRST] == Intent(Mode.DRAINING, "bob", SOFT.since)
    assert [line.time for line in store.history([])] == [SOFT.since, 1700000030.0]


def test_who_insists(store: Store, tmp_path: Path) -> None:
    """That is durable, told in history, and of no stage but the drain; a window withdraws it as any other."""
    insisted = replace(SOFT, insisted=True)
    store.set_intents({FIRST: insisted})
    store = again(store, tmp_path)
    assert store.intents().of == {FIRST: insisted}
    (line,) = store.history([])
    assert line.reason == "draining by alice at 2023-11-14T22:13:20Z, with --force: kernel"
    assert store.advance({FIRST: END._replace(before=insisted)}, 1700000040.0) == [FIRST]
    assert store.intents().of == {FIRST: DRAINED}
    store.close()


@pytest.mark.parametrize("insists", [False, True])
def test_an_end_of_another_word(store: Store, *, insists: bool) -> None:
    """Whoever insists, or no longer does, while the end of the stage is on its way to the disk, is heard: the stage goes on."""
    before = replace(SOFT, insisted=not insists)
    store.set_intents({FIRST: before})
    store.set_intents({FIRST: replace(SOFT, since=1700000030.0, insisted=insists)})
    gone = StageEnd(before, None, None, "no other data centre announces it any more")
    assert store.advance({FIRST: gone}, 1700000040.0) == []
    assert store.intents().of == {FIRST: replace(SOFT, insisted=insists)}


def test_what_expired_is_not_in_force(store: Store) -> None:
    """A drain that has ended by itself is none: what is asked then begins where all is announced."""
    store.set_intents({FIRST: replace(DRAINED, until=1700000010.0)})
    store.set_intents({FIRST: Intent(Mode.DRAINING, "bob", 1700000030.0)})
    assert store.intents().of[FIRST].mode is Mode.DRAINING


def test_of_the_version_before(tmp_path: Path) -> None:
    """A file of version 2 keeps its intents, of which none was forced before."""
    path = tmp_path / "state.sqlite3"
    db = sqlite3.connect(path)
    db.executescript(";".join(STEPS[:2]) + "PRAGMA user_version = 2;")
    db.execute(
        "INSERT INTO intent VALUES ('192.0.2.1/32', 'drained', 'alice', 'kernel', 17e8, NULL)"
    )
    db.commit()
    db.close()
    for _ in range(2):
        store = Store(path)
        assert store.intents().of == {FIRST: DRAINED}
        assert store.load().drains == {}
        store.close()


def test_a_row_that_makes_no_sense(tmp_path: Path) -> None:
    """A file that was made by hand may hold anything: that is ignored, and told of, and not for who counts with it."""
    path = tmp_path / "state.sqlite3"
    with closing(Store(path)) as store:
        store.own([FIRST])
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TABLE drain")
        db.execute("CREATE TABLE drain (prefix, stage, of, began, quiet_since, connections)")
        db.execute("INSERT INTO drain VALUES ('192.0.2.1/32', 'drained', 1.0, 1.0, NULL, 'many')")
    with closing(Store(path)) as store:
        found = store.load()
    assert found.drains == {}
    (fault,) = found.faults
    assert fault.startswith("a row of table drain is ignored: '192.0.2.1/32': ")
