"""Planned drains in the state file: durable, told in history, and each begun or missed once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from policy.window import LATE, Window
from speaker.state.following import FollowingStore
from speaker.state.store import Store, StoreError
from speaker.state.versions import STEPS
from speaker.state.windows import MAX_WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND = map(parse_prefix, ("192.0.2.1/32", "2001:db8::1/128"))
MADE, AT = 1_700_000_000.0, 1_700_010_000.0
PLANNED = Window(0, frozenset({FIRST, SECOND}), Mode.DRAINED, "alice", MADE, AT, "kernel", 7200.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as store:
        yield store


def events(store: Store) -> list[tuple[float, str, str]]:
    return [(e.time, e.prefix, e.event) for e in store.history([])]


def test_begun(store: Store, path: Path) -> None:
    """At its time it becomes an intent with its owner, reason and end, in the same step in which it ends to be planned."""
    window = store.schedule(PLANNED)
    assert window == replace(PLANNED, number=1)
    with closing(Store(path)) as other:
        assert other.intents().windows == (window,)
        assert not store.run_windows([1], AT - 1)
        assert store.run_windows([1], AT + 5)
        assert not other.run_windows([1], AT + 5), "another process looked at the same time"
        found = other.intents()
    intent = Intent(Mode.DRAINED, "alice", AT + 5, "kernel", AT + 7200)
    assert (found.of, found.windows) == ({FIRST: intent, SECOND: intent}, ())
    told = store.history([FIRST])
    assert [(e.time, e.event) for e in told] == [
        (MADE, "scheduled"),
        (AT + 5, "started"),
        (AT + 5, "drained"),
    ]
    assert all("by alice" in e.reason and e.reason.endswith("kernel") for e in told)


def test_a_soft_drain_begins(store: Store) -> None:
    """What begins is the first stage, as `-d --soft` records it: what was forced before is remembered with it."""
    store.set_intents({FIRST: Intent(Mode.FORCED, "carol", MADE)})
    store.schedule(replace(PLANNED, mode=Mode.DRAINING))
    assert store.run_windows([1], AT)
    found = store.intents().of
    assert (found[FIRST].mode, found[FIRST].forced) == (Mode.DRAINING, True)
    assert (found[SECOND].mode, found[SECOND].forced) == (Mode.DRAINING, False)


def test_somebodys_soft_drain_is_withdrawn(store: Store) -> None:
    """What drains softly for longer is withdrawn when a window withdraws it, and ends when it was to end."""
    soft = Intent(Mode.DRAINING, "carol", AT - 60, "slowly", forced=True)
    store.set_intents({FIRST: soft})
    store.schedule(PLANNED)
    store.run_windows([1], AT)
    assert store.intents().of[FIRST] == Intent(Mode.DRAINED, "carol", AT, "slowly")


def test_missed(store: Store) -> None:
    """Too late it begins no more: it stays on file as missed, until somebody has seen it."""
    store.schedule(PLANNED)
    assert store.run_windows([1], AT + LATE + 1)
    assert not store.run_windows([1], AT), "the clock was set back"
    (window,) = store.intents().windows
    assert (window.missed, store.intents().of) == (AT + LATE + 1, {})
    assert events(store)[2:] == [(AT + LATE + 1, str(p), "missed") for p in (FIRST, SECOND)]
    assert store.cancel(1, "bob", AT + 9999) == window
    assert store.intents().windows == ()
    assert "cancelled" not in {event for _, _, event in events(store)}


def test_cancelled(store: Store) -> None:
    """One that is cancelled never begins, history tells who did it, and no other gets its number."""
    window = store.schedule(PLANNED)
    assert store.cancel(1, "bob", MADE + 1) == window
    assert store.cancel(1, "bob", MADE + 2) is None
    assert not store.run_windows([1], AT)
    assert store.intents().of == {}
    assert store.history([FIRST])[-1].reason.startswith("by bob; was drained from ")
    assert store.schedule(PLANNED).number == 2


def test_somebodys_drain_stays(store: Store) -> None:
    """A prefix that is drained until somebody restores it stays so, and history says that."""
    other = Intent(Mode.DRAINED, "carol", MADE)
    store.set_intents({FIRST: other})
    store.schedule(PLANNED)
    store.run_windows([1], AT)
    assert store.intents().of[FIRST] == other
    assert store.intents().of[SECOND].owner == "alice"
    assert store.history([FIRST])[-1].event == "started"
    assert "stays drained by carol" in store.history([FIRST])[-1].reason


def test_bounded(store: Store) -> None:
    """There may not be any number of them."""
    for _ in range(MAX_WINDOWS):
        store.schedule(PLANNED)
    with pytest.raises(StoreError, match="no more fit; vip_mgmt schedule"):
        store.schedule(PLANNED)


@pytest.mark.parametrize(
    "column",
    [
        "prefixes = '{}'",
        "prefixes = '[1]'",
        pytest.param(f"prefixes = '{'[' * 200_000}'", id="deep"),
        "mode = 'auto'",
        "at = 1e300",
        "late = -1.0",
    ],
)
def test_a_row_that_makes_no_sense(store: Store, path: Path, column: str) -> None:
    """It is told of, does not begin, and keeps no other from doing so."""
    for _ in range(2):
        store.schedule(PLANNED)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"UPDATE planned SET {column} WHERE number = 1")
    found = store.intents()
    assert [window.number for window in found.windows] == [2]
    (fault,) = found.faults
    assert fault.startswith("a row of table planned is ignored: 1: ")
    assert store.run_windows([1, 2], AT)
    assert store.intents().of.keys() == {FIRST, SECOND}


@pytest.mark.parametrize(
    ("column", "named"), [("at", "at"), ("made", "made"), ("missed", "missed"), ("seconds", "for")]
)
def test_a_time_that_makes_no_sense(store: Store, path: Path, column: str, named: str) -> None:
    """What is told of it names the time that is none."""
    store.schedule(PLANNED)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"UPDATE planned SET {column} = 1e300")
    (fault,) = store.intents().faults
    assert f": 1: {named}: 1e+300: not a time that has a date; remove it" in fault


@pytest.mark.parametrize("version", range(1, len(STEPS)))
def test_of_an_older_program(path: Path, version: int) -> None:
    """A file of any version before is followed as it is, and made the newest by who writes it; no intent is lost."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(";".join(STEPS[:version]) + f"PRAGMA user_version = {version};")
        columns = "prefix, mode, owner, reason, since"
        db.execute(
            f"INSERT INTO intent ({columns}) VALUES ('192.0.2.1/32', 'drained', 'a', '', 17e8)"
        )
        db.commit()
    before = path.read_bytes()
    with closing(FollowingStore(path)) as follower:
        assert follower.intents().of.keys() == {FIRST}
    assert path.read_bytes() == before
    with closing(Store(path)) as store:
        assert store.intents().of.keys() == {FIRST}
        assert store.schedule(PLANNED).number == 1


def test_followed(path: Path, store: Store) -> None:
    """Who writes no file heeds what is planned there, too."""
    with closing(FollowingStore(path)) as follower:
        window = store.schedule(PLANNED)
        assert follower.intents().windows == (window,)
        assert follower.intents() is follower.intents()
