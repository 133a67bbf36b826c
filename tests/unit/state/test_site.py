"""What was asked of the whole site, in the state file: durable, merged, and carried over into the intents once."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.drain import Progress
from policy.errors import PolicyError
from policy.intent import Intent, Mode
from policy.route import parse_prefix
from policy.site_intent import EVERYWHERE, MAX_STANDING, Extent, SiteIntent
from policy.window import Window
from speaker.state import site, site_members
from speaker.state.following import FollowingStore
from speaker.state.rows import HOLDER, Intents
from speaker.state.site_text import parse_site_text, site_text
from speaker.state.store import StageEnd, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND = map(parse_prefix, ("192.0.2.1/32", "2001:db8::1/128"))
NOW = 1_700_000_000.0
PAR, LYO = Extent("par1"), Extent("lyo1")
LB1, LB2 = Extent("par1", "lb1"), Extent("par1", "lb2")
DRAINED = Intent(Mode.DRAINED, "ann", NOW, "kernel")
AUTO = Intent(Mode.AUTO, "bob", NOW + 10)
SOFT = Intent(Mode.DRAINING, "ann", NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path)) as store:
        yield store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    """Return another machine's."""
    with closing(Store(tmp_path / "other.sqlite3")) as store:
        yield store


def told(store: Store) -> list[tuple[str, str]]:
    return [(e.event, e.reason) for e in store.history([FIRST])]


def later(intent: Intent, seconds: float) -> Intent:
    return replace(intent, since=intent.since + seconds)


def hand_on(one: Store, other: Store, here: Extent = LB2, now: float = NOW) -> None:
    other.take_site(one.site_dirty(), here, now)


def test_asked_here(store: Store, path: Path) -> None:
    """What is asked for the data centre is on the disk, in force here, and to be handed on, when the call returns."""
    assert store.ask_site({FIRST: DRAINED, SECOND: DRAINED}, PAR, LB1) == {}
    with closing(Store(path)) as again:
        assert again.intents().of == {FIRST: DRAINED, SECOND: DRAINED}
        (one,) = again.site_dirty()[PAR, FIRST]
        assert again.site_known([FIRST]) == {FIRST: (one,)}
    assert (one.intent, one.extent, one.seen, one.where) == (DRAINED, PAR, (), "par1/lb1")
    said = "drained for par1 by ann on par1/lb1 at 2023-11-14T22:13:20Z: kernel"
    assert told(store) == [("drained", said)]
    assert store.ask_site({FIRST: AUTO}, PAR, LB1) == {FIRST: DRAINED}
    assert store.intents().of == {SECOND: DRAINED}
    (last,) = store.site_dirty()[PAR, FIRST]
    assert last.seen == (one.id,)


def test_for_others(store: Store) -> None:
    """What is asked for another data centre changes nothing here, is handed on, and history has it."""
    store.ask_site({FIRST: DRAINED}, LYO, LB1)
    assert store.intents().of == {}
    assert [*store.site_dirty()] == [(LYO, FIRST)]
    ((event, text),) = told(store)
    assert (event, text.split(" at ")[0]) == ("asked", "drained for lyo1 by ann on par1/lb1")


def test_for_this_machine_alone(store: Store) -> None:
    """It never leaves the machine, and a restore for its data centre does not lift it: history says so."""
    store.ask_site({FIRST: DRAINED}, LB1, LB1)
    assert store.site_dirty() == {}
    assert store.ask_site({FIRST: AUTO}, PAR, LB1) == {}
    assert store.intents().of == {FIRST: DRAINED}
    assert told(store)[-1][0] == "asked"
    store.ask_site({FIRST: later(AUTO, 1)}, LB1, LB1)
    assert store.intents().of == {}


def test_taken_over(store: Store, other: Store) -> None:
    """What another machine asked for is in force here by one call, which says for which prefixes that is new."""
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    handed = store.site_dirty()
    assert [*other.take_site(handed, LB2, NOW + 60)] == [FIRST]
    assert other.intents().of == {FIRST: DRAINED}
    (line,) = other.history([])
    assert line.time == NOW + 60, "when it came into force here, whatever another clock says"
    assert line.reason.startswith("drained for par1 by ann on par1/lb1")
    assert [*other.take_site(handed, LB2, NOW + 61)] == []
    assert len(other.history([])) == 1
    assert other.site_dirty() == {}


def test_clean(store: Store) -> None:
    """Only what was handed on is not handed on again: what was asked meanwhile is."""
    store.ask_site({FIRST: DRAINED, SECOND: DRAINED}, PAR, LB1)
    handed = store.site_dirty()
    store.ask_site({FIRST: AUTO}, PAR, LB1)
    store.site_clean(handed)
    assert [*store.site_dirty()] == [(PAR, FIRST)]
    store.site_clean(store.site_dirty())
    assert store.site_dirty() == {}


def test_two_at_once(store: Store, other: Store) -> None:
    """A drain holds beside a restore that knew nothing of it, on each side, whoever was later; both histories have both."""
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    other.ask_site({FIRST: AUTO}, PAR, LB2)
    one, two = store.site_dirty(), other.site_dirty()
    store.take_site(two, LB1, NOW + 20)
    other.take_site(one, LB2, NOW + 20)
    assert store.intents().of == other.intents().of == {FIRST: DRAINED}
    assert store.site_dirty() == other.site_dirty()
    assert len(store.site_dirty()[PAR, FIRST]) == 2
    assert [event for event, _ in told(store)] == ["drained", "asked"]
    assert [event for event, _ in told(other)] == ["auto", "drained"]
    other.ask_site({FIRST: later(AUTO, 60)}, PAR, LB2)
    hand_on(other, store, LB1)
    assert store.intents().of == {}
    events = [event for event, _ in told(store)]
    assert events == ["drained", "asked", "auto", "overruled"], "the restore that lost is told, too"


def test_the_etcd_of_an_old_copy(store: Store) -> None:
    """What etcd lacks, or has an older word of, is to be handed on again; nothing in force changes."""
    store.ask_site({FIRST: DRAINED, SECOND: DRAINED}, PAR, LB1)
    old = store.site_dirty()
    store.take_site(old, LB1, NOW, whole=True)
    assert store.site_dirty() == {}
    store.ask_site({FIRST: AUTO}, PAR, LB1)
    store.site_clean(store.site_dirty())
    assert [*store.take_site({(PAR, FIRST): old[PAR, FIRST]}, LB1, NOW + 9, whole=True)] == []
    assert store.site_dirty().keys() == {(PAR, FIRST), (PAR, SECOND)}
    assert store.intents().of == {SECOND: DRAINED}


def test_a_part_of_etcd(store: Store) -> None:
    """What some news of etcd do not mention, it does not lack."""
    store.ask_site({FIRST: DRAINED, SECOND: DRAINED}, PAR, LB1)
    found = store.site_dirty()
    store.site_clean(found)
    store.take_site({(PAR, FIRST): found[PAR, FIRST]}, LB1, NOW)
    assert store.site_dirty() == {}


def test_an_order_of_another_machine(store: Store, other: Store) -> None:
    """Another machine may order this one: what stands here for it alone is then told in etcd, too."""
    store.ask_site({FIRST: DRAINED}, LB2, LB1)
    other.ask_site({FIRST: replace(DRAINED, owner="carl")}, LB2, LB2)
    hand_on(store, other)
    assert len(other.site_dirty()[LB2, FIRST]) == 2
    other.site_clean(other.site_dirty())
    store.ask_site({FIRST: AUTO}, LB2, LB1)
    hand_on(store, other)
    assert other.intents().of[FIRST].owner == "carl", "whose drain was not known there"
    other.ask_site({FIRST: later(AUTO, 9)}, LB2, LB2)
    assert (LB2, FIRST) in other.site_dirty(), "etcd has a key of it"
    other.site_clean(other.site_dirty())
    other.take_site({}, LB2, NOW, whole=True)
    assert (LB2, FIRST) in other.site_dirty(), "which it lost"


def test_a_stage_goes_on(store: Store, other: Store) -> None:
    """A soft drain that withdrew is not put back by news that say the same, nor by what passes over it and goes."""
    store.ask_site({FIRST: SOFT}, PAR, LB1)
    drained = replace(SOFT, mode=Mode.DRAINED)
    store.advance({FIRST: StageEnd(SOFT, drained, Progress(Mode.DRAINING, NOW, NOW), "quiet")}, NOW)
    other.ask_site({FIRST: Intent(Mode.FORCED, "bob", NOW)}, EVERYWHERE, LB2)
    for found in (store.site_dirty(), other.site_dirty(), store.site_dirty()):
        store.take_site(found, LB1, NOW + 60)
    assert store.intents().of == {FIRST: drained}
    store.ask_site({FIRST: later(replace(DRAINED, until=NOW + 200), 90)}, LB1, LB1)
    assert store.intents().of[FIRST].mode is Mode.DRAINED
    store.settle_site(LB1, NOW + 201)
    assert store.intents().of == {FIRST: drained}


def test_a_return_ends(store: Store) -> None:
    """What came back softly, and is back, does not come back again."""
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    back = Intent(Mode.RETURNING, "bob", NOW + 1)
    store.ask_site({FIRST: back}, PAR, LB1)
    assert store.intents().of == {FIRST: back}
    store.advance({FIRST: StageEnd(back, None, None, "back")}, NOW + 60)
    store.take_site(store.site_dirty(), LB1, NOW + 61, whole=True)
    store.settle_site(LB1, NOW + 62)
    assert store.intents().of == {}


def test_no_gap_between_two_drains(store: Store) -> None:
    """Where a wider drain follows at the end of a narrower one, the prefix is drained all along, until that one is lifted."""
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    hour = Intent(Mode.DRAINED, "carl", NOW + 5, "", NOW + 3605)
    store.ask_site({FIRST: hour}, LB1, LB1)
    assert store.intents().of == {FIRST: replace(hour, until=None)}
    store.ask_site({FIRST: AUTO}, PAR, LB1)
    assert store.intents().of == {FIRST: hour}, "what was to follow was lifted"
    store.ask_site({FIRST: later(DRAINED, 20)}, PAR, LB1)
    assert store.settle_site(LB1, NOW + 3604) == NOW + 3605
    assert store.intents().of[FIRST].owner == "carl"
    assert store.settle_site(LB1, NOW + 3605) is None
    assert store.intents().of == {FIRST: later(DRAINED, 20)}


def test_for_an_hour(store: Store) -> None:
    """What a narrower restore lifted is in force again when that ends, and when the clock is set back it is not."""
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    hour = Intent(Mode.FORCED, "carl", NOW + 5, "", NOW + 3605)
    store.ask_site({FIRST: hour}, LB1, LB1)
    assert store.intents().of == {FIRST: hour}
    for now, expected in ((3606, DRAINED), (100, hour), (3700, DRAINED)):
        store.settle_site(LB1, NOW + now)
        assert store.intents().of == {FIRST: expected}


def test_what_took_its_place_is_over(store: Store, other: Store) -> None:
    """A drain is lifted where what took its place was heard of when that was over."""
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    hand_on(store, other)
    store.ask_site({FIRST: later(replace(DRAINED, until=NOW + 60), 1)}, PAR, LB1)
    other.take_site(store.site_dirty(), LB2, NOW + 99)
    assert other.intents().of == {}
    (text,) = [text for event, text in told(other) if event == "auto"]
    assert "is over" in text
    other.settle_site(LB2, NOW + 30)
    assert other.intents().of[FIRST].until == NOW + 60, "the clock was set back"


@pytest.mark.parametrize("is_soft", [False, True])
def test_a_machines_own_word(store: Store, other: Store, *, is_soft: bool) -> None:
    """A planned drain, or one from before there was a site, is lifted for the machine alone, not for its data centre."""
    mode = Mode.DRAINING if is_soft else Mode.DRAINED
    store.schedule(Window(0, frozenset({FIRST}), mode, "carl", NOW, NOW))
    store.run_windows([1], NOW)
    drained = store.intents().of
    other.ask_site({FIRST: AUTO}, PAR, LB2)
    hand_on(other, store, LB1, NOW + 20)
    assert store.intents().of == drained
    assert store.ask_site({FIRST: later(AUTO, 30)}, LB1, LB1) == drained
    assert store.intents().of == {}


def test_an_own_word_lifts_nothing_else(store: Store, other: Store) -> None:
    """A machine's own return, of which the site knew nothing, lifts no drain of its data centre."""
    store.set_intents({FIRST: SOFT})
    other.ask_site({FIRST: replace(SOFT, owner="bob")}, PAR, LB2)
    hand_on(other, store, LB1)
    assert store.intents().of[FIRST].owner == "ann"
    store.set_intents({FIRST: Intent(Mode.RETURNING, "ann", NOW + 9)})
    hand_on(other, store, LB1)
    other.ask_site({FIRST: Intent(Mode.DRAINED, "bob", NOW + 10)}, LYO, LB2)
    store.take_site(other.site_dirty(), LB1, NOW + 11)
    assert not store.intents().of[FIRST].restores


def test_another_name(store: Store) -> None:
    """A machine that is called otherwise since keeps its drains, as its own."""
    store.ask_site({FIRST: DRAINED}, LB1, LB1)
    store.ask_site({FIRST: AUTO}, PAR, LB2)
    assert store.intents().of == {FIRST: DRAINED}
    store.ask_site({FIRST: later(AUTO, 20)}, LB2, LB2)
    assert store.intents().of == {}


def test_too_many_at_once(store: Store) -> None:
    """Of more than may stand side by side one is made, which drains as long as they did; each machine makes the same."""
    one = SiteIntent("0", PAR, replace(DRAINED, until=NOW + 60))
    more = [
        SiteIntent(str(n), PAR, replace(DRAINED, owner=f"u{n}", until=NOW + 100 * n))
        for n in range(1, MAX_STANDING + 1)
    ]
    store.take_site({(PAR, FIRST): [one, *more]}, LB1, NOW)
    (made,) = store.site_dirty()[PAR, FIRST]
    assert {*made.seen} == {one.id, *(each.id for each in more)}
    assert store.intents().of[FIRST].until == NOW + 100 * MAX_STANDING
    assert parse_site_text(site_text([made]), PAR) == (made,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"v":1}',
        '{"v":2,"intents":[]}',
        '{"v":1,"intents":[{"id":"x"}]}',
        "[" * 100_000,
        (
            '{"v":1,"intents":[{"id":"x","mode":"drained","owner":"a\\u001b","where":"","since":1,'
            '"reason":"","until":null,"forced":false,"insisted":false,"seen":[]}]}'
        ),
        (
            '{"v":1,"intents":[{"id":"x","mode":"drained","owner":"a","where":"","since":1e300,'
            '"reason":"","until":null,"forced":false,"insisted":false,"seen":[]}]}'
        ),
        (
            '{"v":1,"intents":[{"id":"x","mode":"drained","owner":"a","where":"","since":1,'
            '"reason":"","until":null,"forced":false,"insisted":false,"seen":["x"]}]}'
        ),
    ],
    ids=lambda text: text[:20],
)
def test_text_that_makes_no_sense(text: str) -> None:
    """It is refused in words."""
    with pytest.raises(PolicyError):
        parse_site_text(text, PAR)


def damage(path: Path, column: str = "intents = 'x'") -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"UPDATE site_intent SET {column}")


def test_a_damaged_row(store: Store, path: Path) -> None:
    """It is named, and left out; what was in force of it stays, and etcd's word takes its place."""
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    known = store.site_dirty()
    damage(path)
    (fault,) = store.load().faults
    assert "192.0.2.1/32 (par1) is ignored, because it can't be read" in fault
    assert store.site_known() == {}
    store.ask_site({FIRST: AUTO}, EVERYWHERE, LB1)
    assert store.site_faults
    assert store.intents().of == {FIRST: DRAINED}, "somebody's drain, and nobody knows whose"
    store.take_site(known, LB1, NOW + 20)
    assert store.site_faults == ()
    assert "unreadable" in [event for event, _ in told(store)]
    store.ask_site({FIRST: later(AUTO, 30)}, PAR, LB1)
    assert store.intents().of == {FIRST: DRAINED}, "it is this machine's own since"
    store.ask_site({FIRST: later(AUTO, 40)}, LB1, LB1)
    assert store.intents().of == {}


def test_rows_of_no_prefix_or_extent(store: Store, path: Path) -> None:
    """They are named, and keep nothing else from working."""
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    for column in ("prefix = 'x'", "dc = '', machine = 'x'"):
        damage(path, column)
        assert "a row of table site_intent is ignored" in store.load().faults[0]
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE site_obeyed SET prefix = 'x'")
    store.ask_site({FIRST: AUTO}, PAR, LB1)
    assert store.intents().of == {FIRST: DRAINED}


def test_an_intent_that_cannot_be_read(store: Store, path: Path) -> None:
    """What holds a prefix whose intent can't be read is no less a drain of this machine."""
    store.set_intents({FIRST: DRAINED})
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE intent SET mode = 'x'")
    store.ask_site({FIRST: AUTO}, PAR, LB1)
    assert store.intents().of[FIRST].owner == HOLDER
    store.ask_site({FIRST: later(AUTO, 1)}, LB1, LB1)
    assert store.intents().of == {}
    assert store.intents().faults == ()


def test_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more rows are kept than is good: what is asked beyond is refused, and what etcd has beyond is named."""
    monkeypatch.setattr(site, "MAX_ROWS", 1)
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    store.ask_site({FIRST: later(DRAINED, 1)}, PAR, LB1)
    with pytest.raises(StoreError, match="no more fit"):
        store.ask_site({SECOND: DRAINED}, PAR, LB1)
    assert store.take_site({(PAR, SECOND): [SiteIntent("x", PAR, DRAINED)]}, LB1, NOW) == {}.keys()
    assert store.site_faults == ("1 key of etcd not known here: at most 1 are kept",)
    assert store.intents().of.keys() == {FIRST}


def test_forgiven(store: Store, other: Store) -> None:
    """Who wants a prefix announced forgives its flapping on each machine; and what is taken to be up is so here."""
    store.own([FIRST])
    store.ask_site({FIRST: AUTO}, PAR, LB1, up=[FIRST])
    assert store.load().owned[FIRST].up
    hand_on(store, other)
    assert [event for event, _ in told(other)] == ["auto"]


@pytest.mark.parametrize("in_memory_copy", [False, True])
def test_who_reads_by_the_same_store(path: Path, *, in_memory_copy: bool) -> None:
    """The same process, and one that works on a copy, reads at once what was carried over."""
    with closing(Store(path, in_memory_copy=in_memory_copy)) as store:
        assert store.intents().of == {}
        store.ask_site({FIRST: DRAINED}, PAR, LB1)
        assert store.intents().of == {FIRST: DRAINED}
        gone = SiteIntent("x", PAR, AUTO, (store.site_known()[FIRST][0].id,))
        store.take_site({(PAR, FIRST): [gone]}, LB1, NOW)
        assert store.intents().of == {}


def test_followed(store: Store, path: Path) -> None:
    """Who writes no file heeds what is carried over there, too."""
    with closing(FollowingStore(path)) as follower:
        assert follower.intents().of == {}
        store.ask_site({FIRST: DRAINED}, PAR, LB1)
        assert follower.intents().of == {FIRST: DRAINED}


def test_machines_are_remembered(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When each was seen last is kept, no longer than it is to be, and of no more of them than of so many."""
    store.site_seen({LB1: NOW - 100.0, LB2: NOW}, NOW - 1000.0)
    with closing(Store(path)) as again:
        assert again.site_members() == {LB1: NOW - 100.0, LB2: NOW}
    store.site_seen({LB2: NOW + 50.0}, NOW - 50.0)
    assert store.site_members() == {LB2: NOW + 50.0}
    monkeypatch.setattr(site_members, "MOST", 3)
    store.site_seen({Extent("par1", f"lb{n}"): NOW + n for n in range(9)}, NOW)
    assert {each.machine for each in store.site_members()} == {"lb6", "lb7", "lb8"}


def test_moved(store: Store, path: Path) -> None:
    """A machine that has moved obeys what is asked where it is, not what was asked where it was; what is for it alone goes with it."""
    third = parse_prefix("192.0.2.3/32")
    store.ask_site({FIRST: DRAINED}, PAR, LB1)
    store.ask_site({SECOND: DRAINED}, LYO, LB1)
    store.ask_site({third: DRAINED}, LB1, LB1)
    assert store.intents().of == {FIRST: DRAINED, third: DRAINED}
    with closing(Store(path)) as again:
        again.settle_site(Extent("lyo1", "lb3"), NOW + 60)
        assert again.intents().of == {SECOND: DRAINED, third: DRAINED}
        assert "this machine is not of par1 any more" in told(again)[-1][1]
        again.settle_site(LB1, NOW + 120)  # back again
        assert again.intents().of == {FIRST: DRAINED, third: DRAINED}


def test_ids_are_its_own(store: Store) -> None:
    """Each intent of one command has its own."""
    ids = map(str, itertools.count())
    store.ask_site({FIRST: DRAINED, SECOND: DRAINED}, PAR, LB1, new_id=lambda: next(ids))
    assert {each.id for some in store.site_known().values() for each in some} == {"0", "1"}


def test_whether_all_was_ever_read(store: Store, path: Path) -> None:
    """Until all that etcd has was read once, the file says so, with what was asked here; for ever after it was, also by a copy."""
    assert store.intents().unread == store.load().intents.unread == frozenset()
    store.ask_site({FIRST: AUTO}, LB1, LB1)
    store.ask_site({SECOND: DRAINED}, LYO, LB1)
    asked = frozenset({(FIRST, LB1), (SECOND, LYO)})
    assert store.intents().unread == asked
    store.take_site({}, LB1, NOW)  # some of it, as a watch tells
    with closing(Store(path)) as again, closing(FollowingStore(path)) as copy:
        assert store.intents().unread == again.load().intents.unread == copy.intents().unread
        assert copy.intents().unread == asked
        for seconds in (0.0, 1.0):
            store.take_site({}, LB1, NOW + seconds, whole=True)
            for each in (store, again, copy):
                assert each.intents().unread is None
    assert Intents().unread == frozenset()  # where there is no file, none was read
