"""Reports in the state file: durable, told in history, and what they drain with them or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.intent import Intent, Mode
from policy.report import AppReport, ReportState
from policy.route import parse_prefix
from speaker.state import reports
from speaker.state.following import FollowingStore
from speaker.state.remembered import HISTORY_ROWS
from speaker.state.reports import DRAIN_LINES, LINES, Given
from speaker.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = 1_700_000_000.0
FIRST, SECOND = map(parse_prefix, ("192.0.2.1/32", "2001:db8::1/128"))
UP = AppReport(ReportState.UP, "app", AT, 30.0)
DRAIN = AppReport(ReportState.DRAIN, "app", AT + 10, 60.0, "deploy")
DRAINS = Given(DRAIN, (FIRST, SECOND))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as store:
        yield store


def told(store: Store) -> list[tuple[str, str]]:
    return [(each.prefix, each.event) for each in store.history(())]


def test_outlives_the_process(path: Path, store: Store) -> None:
    """The last report of each name is there when the file is opened again, whoever opens it."""
    store.report([("shop", Given(UP)), ("db", Given(replace(UP, by="ops", weight=0.5)))])
    store.report([("shop", Given(replace(UP, state=ReportState.DOWN)))])
    wanted = {
        "shop": replace(UP, state=ReportState.DOWN),
        "db": replace(UP, by="ops", weight=0.5),
    }
    assert store.intents().reports == wanted
    with closing(Store(path)) as other:
        assert other.load().intents.reports == wanted
    with closing(FollowingStore(path)) as other:
        assert other.intents().reports == wanted


def test_history(store: Store) -> None:
    """What is new is told, with who said it; a renewal is not, nor another weight, but the same words after they expired are."""
    store.report([("shop", Given(UP))])
    store.report([("shop", Given(replace(UP, at=AT + 10)))])
    store.report([("shop", Given(replace(UP, at=AT + 11, weight=0.5)))])
    assert [each.reason for each in store.history(())] == ["up by app for 30s"]
    store.report([("shop", Given(replace(UP, at=AT + 100)))])
    down = replace(UP, state=ReportState.DOWN, at=AT + 110, reason="disk full")
    store.report([("shop", Given(down))])
    lines = store.history(())
    assert {each.prefix for each in lines} == {"report/shop"}
    assert [each.event for each in lines] == ["reported", "expired", "reported", "reported"]
    assert lines[-1].reason == "down by app for 30s: disk full; was up by app"


def test_a_row_that_makes_no_sense(path: Path, store: Store) -> None:
    """What somebody else wrote is left out, said, and harms no other."""
    store.report([("shop", Given(UP))])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO report VALUES ('x', 'sideways', 'a', 1, 1, '', 1, NULL, '')")
        db.execute("INSERT INTO report VALUES ('y', 'up', 'a', 1, 1e9, '', 1, NULL, '')")
        db.execute("INSERT INTO report VALUES ('z', 'up', 'a' || char(10), 1, 1, '', 1, NULL, '')")
    found = store.intents()
    assert found.reports == {"shop": UP}
    assert len(found.faults) == 3
    assert all("a row of table report is ignored" in each for each in found.faults)


def test_drains(store: Store) -> None:
    """A report that drains begins it; a renewal holds it for longer, as the same drain; `up` ends it softly."""
    store.report([("shop", DRAINS)])
    began = store.intents().of[FIRST]
    assert (began.mode, began.since, began.until) == (Mode.DRAINING, AT + 10, AT + 70)
    assert began.owner == "report/shop (app)"
    lines = len(told(store))
    store.report([("shop", Given(replace(DRAIN, at=AT + 40), (FIRST, SECOND)))])
    assert store.intents().of == dict.fromkeys((FIRST, SECOND), replace(began, until=AT + 100))
    assert len(told(store)) == lines
    store.report([("shop", Given(replace(UP, at=AT + 50)))])
    assert {each.mode for each in store.intents().of.values()} == {Mode.RETURNING}


def test_drains_again(store: Store) -> None:
    """A report that drains while its last drain still comes back begins another one: nobody else has spoken."""
    store.report([("shop", DRAINS)])
    store.report([("shop", Given(replace(UP, at=AT + 20)))])
    store.report([("db", Given(replace(DRAIN, at=AT + 21), (FIRST,)))])
    assert {each.mode for each in store.intents().of.values()} == {Mode.RETURNING}
    store.report([("shop", Given(replace(DRAIN, at=AT + 22), (FIRST, SECOND)))])
    assert {each.mode for each in store.intents().of.values()} == {Mode.DRAINING}
    assert {each.until for each in store.intents().of.values()} == {AT + 82}


def test_who_lifts_a_drain_has_the_last_word(path: Path, store: Store) -> None:
    """A drain that was ended, by an operator's -a or as nobody took over, is begun again by no renewal, for all its reasons: by another report of drain."""
    again = replace(DRAIN, at=AT + 20)
    store.report([("shop", DRAINS)])
    store.set_intents({FIRST: Intent(Mode.AUTO, "alice", AT + 15)})
    for each in (again, replace(again, at=AT + 21, reason="3 left")):
        store.report([("shop", Given(each, (FIRST, SECOND)))])
    with closing(Store(path)) as other:  # whoever records it
        other.report([("shop", Given(replace(again, at=AT + 22), (FIRST, SECOND)))])
    assert {p: each.mode for p, each in store.intents().of.items()} == {SECOND: Mode.DRAINING}
    store.report([("shop", Given(replace(UP, at=AT + 23)))])
    store.report([("shop", Given(replace(again, at=AT + 24), (FIRST, SECOND)))])
    assert {each.mode for each in store.intents().of.values()} == {Mode.DRAINING}
    assert len(store.intents().of) == 2


def test_an_operators_word_before_a_drain(store: Store) -> None:
    """Where an operator lifts what they wanted when a report began to drain, its renewals begin none; where that ended by itself, they do."""
    store.set_intents({FIRST: Intent(Mode.DRAINED, "alice", AT)})
    store.set_intents({SECOND: Intent(Mode.DRAINED, "alice", AT, until=AT + 15)})
    store.report([("shop", DRAINS)])
    store.set_intents({FIRST: Intent(Mode.AUTO, "alice", AT + 15)})
    store.report([("shop", Given(replace(DRAIN, at=AT + 20), (FIRST, SECOND)))])
    assert {p: each.owner for p, each in store.intents().of.items()} == {
        SECOND: "report/shop (app)"
    }


def test_what_joins_a_drain(store: Store) -> None:
    """A prefix that a report did not drain yet, as its rule did not name it or it was held, is drained by the next renewal."""
    store.report([("shop", Given(DRAIN, (FIRST,)))])
    store.report([("shop", Given(replace(DRAIN, at=AT + 20), (FIRST, SECOND)))])
    assert {*store.intents().of} == {FIRST, SECOND}
    store.report([("shop", Given(replace(DRAIN, at=AT + 30), (SECOND,), "FIRST: last"))])
    store.set_intents({FIRST: Intent(Mode.AUTO, "alice", AT + 31)})
    store.report([("shop", Given(replace(DRAIN, at=AT + 40), (FIRST, SECOND)))])
    assert {*store.intents().of} == {FIRST, SECOND}  # it was held, and is no longer


def test_a_drain_of_a_report_that_expired(store: Store) -> None:
    """A report after one that holds no more begins its drain, whoever lifted the one before."""
    store.report([("shop", DRAINS)])
    store.set_intents({FIRST: Intent(Mode.AUTO, "alice", AT + 15)})
    store.report([("shop", Given(replace(DRAIN, at=AT + 80), (FIRST, SECOND)))])
    assert {each.until for each in store.intents().of.values()} == {AT + 140}
    assert len(store.intents().of) == 2


def test_lines_that_are_gone_take_no_room(path: Path, store: Store) -> None:
    """How many lines there are decides what is forgotten, and not how many there ever were."""
    store.set_intents({FIRST: Intent(Mode.FORCED, "alice", AT)})
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO history VALUES (?, 1.0, 'report/shop', 'reported', '')", [2 * HISTORY_ROWS]
        )
    store.report([("shop", Given(UP))])
    assert told(store) == [(str(FIRST), "forced"), *[("report/shop", "reported")] * 2]


def test_history_of_drains_is_bounded(path: Path, store: Store) -> None:
    """However often one report drains and does not, the lines of all else stay, those of the same prefix too."""
    store.set_intents({FIRST: Intent(Mode.DRAINED, "alice", AT)})
    store.set_intents({FIRST: Intent(Mode.AUTO, "alice", AT + 1)})
    for number in range(DRAIN_LINES + 5):
        store.report([("shop", Given(replace(DRAIN, at=AT + 2 * number + 2), (FIRST, SECOND)))])
        store.report([("shop", Given(replace(UP, at=AT + 2 * number + 3)))])
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT prefix, event FROM history ORDER BY id").fetchall()
    assert found[:2] == [(str(FIRST), "drained"), (str(FIRST), "auto")]
    for prefix, others in ((FIRST, 2), (SECOND, 0)):
        assert sum(name == str(prefix) for name, _ in found) == DRAIN_LINES + others
    assert found[-1] == (str(SECOND), "returning")


def test_the_word_of_others_stays(store: Store) -> None:
    """What an operator, or another report, wants of a prefix stays, at the beginning and at the end."""
    alice = Intent(Mode.FORCED, "alice", AT)
    store.set_intents({FIRST: alice})
    store.report([("db", Given(DRAIN, (SECOND,)))])
    before = store.intents().of
    store.report([("shop", DRAINS)])
    store.report([("shop", Given(replace(UP, at=AT + 20)))])
    assert store.intents().of == before


def test_wholly_or_not_at_all(store: Store) -> None:
    """Where one of several can't be recorded, none is, with no drain and no line."""
    with pytest.raises(AttributeError):
        store.report([("shop", DRAINS), ("db", None)])  # type: ignore[list-item]  # what fails half-way
    found = store.intents()
    assert (found.reports, found.of, told(store)) == ({}, {}, [])


def test_an_end_is_noted_once(path: Path, store: Store) -> None:
    """That a report expired has one line, by whichever process; and it holds no more, however the clock is set."""
    store.report([("shop", Given(UP))])
    with closing(Store(path)) as other:
        for each in (store, other, store):
            each.end_reports([("shop", AT), ("gone", AT)], AT + 31)
    assert [(each.event, each.reason) for each in store.history(())] == [
        ("reported", "up by app for 30s"),
        ("expired", "at 2023-11-14T22:13:50Z; was up by app"),
    ]
    found = store.intents().reports["shop"]
    assert (found.ended, found.left(AT + 1)) == (AT + 31, 0)


def test_an_end_of_a_report_before(store: Store) -> None:
    """A report that came meanwhile goes on; what expired unseen is told with the next report."""
    store.report([("shop", Given(UP))])
    store.report([("shop", Given(replace(UP, at=AT + 40)))])
    assert [each.event for each in store.history(())] == ["reported", "expired", "reported"]
    store.end_reports([("shop", AT)], AT + 50)
    assert store.intents().reports == {"shop": replace(UP, at=AT + 40)}
    assert len(told(store)) == 3


def test_history_of_all_is_bounded(
    path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many names one may report, and drain by, the lines of all else stay: each has fewer then, and one at least."""
    monkeypatch.setattr(reports, "OF_ALL", 40)
    monkeypatch.setattr(reports, "DRAINS_OF_ALL", 80)
    names = [f"app-{number}" for number in range(10)]
    store.report([(name, Given(UP)) for name in names])
    store.set_intents({FIRST: Intent(Mode.FORCED, "alice", AT)})
    for number in range(20):
        for name in names:
            at = AT + 20 * number
            store.report([(name, Given(replace(DRAIN, at=at), (SECOND,)))])
            store.report([(name, Given(replace(UP, at=at + 10)))])
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT prefix, event FROM history ORDER BY id").fetchall()
    assert (str(FIRST), "forced") in found
    for name in names:
        assert sum(prefix == f"report/{name}" for prefix, _ in found) == 40 // len(names)
    assert sum(prefix == str(SECOND) for prefix, _ in found) <= 80


def test_history_of_one_is_bounded(path: Path, store: Store) -> None:
    """However often something new is said of one report, the lines of all else stay."""
    store.set_intents({FIRST: Intent(Mode.FORCED, "alice", AT)})
    changes = [replace(UP, at=AT + n, reason=str(n)) for n in range(LINES + 50)]
    store.report([("shop", Given(each)) for each in changes])
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT prefix, reason FROM history ORDER BY id").fetchall()
    assert [prefix for prefix, _ in found] == [str(FIRST), *["report/shop"] * LINES]
    assert found[-1][1].startswith(f"up by app for 30s: {LINES + 49}; was up")
