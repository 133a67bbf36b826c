"""What may be stale at ExaBGP: every demand is met once, by a reading that began after it, or stays."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.plan import Announce, Withdraw
from policy.route import AsPath, Attributes, Route, parse_prefix
from speaker.backends.exabgp.staleness import (
    CALM,
    DOUBT,
    MEETS,
    MIXED,
    RAISES,
    RARELY,
    SETTLE,
    Demand,
    Event,
    Staleness,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy.route import Prefix

PAGE = Path(__file__).parents[4] / "docs" / "exabgp.md"
PREFIX, OTHER = parse_prefix("192.0.2.1/32"), parse_prefix("192.0.2.2/32")
GONE = Withdraw(PREFIX)
BACK = Announce(Route(PREFIX, Attributes(AsPath())))
BOTH = frozenset(Demand)


def quiet(now: float = 0.0) -> Staleness:
    """Nothing is stale, since now."""
    stale = Staleness()
    stale.began(now)
    stale.end(stale.begin(now), now, flushed=True)
    return stale


def test_at_the_start() -> None:
    """A session may have come up before anybody listened: all is doubted until a reading met it."""
    stale = Staleness()
    stale.began(0.0)
    first = stale.begin(1.0)
    assert first.demands == BOTH
    stale.end(first, 1.0, flushed=False)
    second = stale.begin(2.0)
    assert second.demands == {Demand.SEND_ALL}
    stale.end(second, 2.0, flushed=True)
    assert not stale.begin(3.0).demands
    assert stale.is_settling(DOUBT)
    assert not stale.is_settling(DOUBT + 0.1)


@pytest.mark.parametrize("event", RAISES)
def test_a_reading_that_fails_meets_nothing(event: Event) -> None:
    """What a reading was to do is still to be done when it fails."""
    stale = quiet()
    stale.happened(event)
    stale.begin(1.0)
    assert stale.begin(2.0).demands == RAISES[event]


@pytest.mark.parametrize("event", RAISES)
def test_what_happens_during_a_reading(event: Event) -> None:
    """A reading meets nothing of what happens while it is under way."""
    stale = quiet()
    stale.happened(event)
    attempt = stale.begin(1.0)
    stale.happened(event)
    stale.end(attempt, 1.0, flushed=True)
    assert stale.begin(2.0).demands == RAISES[event]


def test_a_session_comes_up() -> None:
    """It is doubted more than once, and all is sent again when it has sent its table."""
    stale = quiet()
    events = stale.session_came_up(100.0)
    assert [delay for delay, _ in events] == [*SETTLE]
    assert [event for _, event in events] == [Event.SETTLING, Event.SETTLED]
    for (_, event), demands in zip(events, ({Demand.WITHDRAW_ABSENT}, BOTH), strict=True):
        other = quiet()
        other.happened(event)
        assert other.begin(111.0).demands == demands
    assert stale.is_settling(100.0 + SETTLE[-1])
    assert not stale.is_settling(100.1 + SETTLE[-1])


def test_changed_again() -> None:
    """What changes twice within MIXED is mixed until all was sent again, in calm."""
    stale = quiet()
    assert stale.changed([BACK], 10.0) is None
    assert stale.changed([GONE], 10.0 + MIXED - 1) is not None
    attempt = stale.begin(10.0 + MIXED)
    assert (attempt.mixed, attempt.is_calm, attempt.must_flush) == (
        frozenset({PREFIX}),
        False,
        True,
    )
    assert not attempt.may_flush(some_up=True)
    stale.end(attempt, 10.0 + MIXED, flushed=False)
    assert stale.is_mixed()
    attempt = stale.begin(10.0 + MIXED + CALM)
    assert attempt.may_flush(some_up=True)
    assert not attempt.may_flush(some_up=False)
    stale.end(attempt, 10.0 + MIXED + CALM, flushed=True)
    assert not stale.is_mixed()
    assert not stale.begin(30.0).must_flush


def had(*, announced: bool | None) -> Callable[[Prefix], bool | None]:
    """All sessions have each prefix, or none has, or that is not known."""
    return lambda _: announced


def test_what_was_told_is_not_mixed() -> None:
    """A change that turned what all sessions had, and that all were sent since, mixes with none that follows."""
    stale = quiet()
    for turn in range(4):
        change = BACK if turn % 2 else GONE
        assert stale.changed([change], 10.0 + turn, had(announced=change is GONE)) is None
    assert not stale.is_mixed()
    assert not stale.begin(14.0).must_flush


def test_what_is_not_told_is_mixed() -> None:
    """... and where it is not known of one session, before or after, or not sent yet, it may."""
    for before, after in ((True, None), (None, False), (None, None), (True, True), (False, False)):
        stale = quiet()
        stale.changed([GONE], 10.0, had(announced=before))
        assert stale.changed([BACK], 11.0, had(announced=after)) is not None
        assert stale.begin(12.0).must_flush


def test_another_shape_is_mixed() -> None:
    """That a session has a prefix does not tell in which shape: a route that changed may be on its way."""
    stale = quiet()
    other = Announce(Route(PREFIX, Attributes(AsPath(), 1)))
    stale.changed([BACK], 10.0, had(announced=True))
    assert stale.changed([other], 11.0, had(announced=True)) is not None


def test_what_is_mixed_stays_so() -> None:
    """What is mixed proves nothing of what follows: what all have may be from before all of it."""
    stale = quiet()
    for when, change in ((10.0, BACK), (10.5, GONE), (11.0, BACK)):
        stale.changed([change], when, had(announced=False))
    attempt = stale.begin(14.5)
    stale.changed([GONE], 15.0, had(announced=True))
    stale.end(attempt, 15.5, flushed=True)
    assert stale.is_mixed()
    assert stale.begin(20.0).must_flush


def test_changed_again_during_a_reading() -> None:
    """What is mixed while all is sent again stays mixed; the rest is not."""
    stale = quiet()
    other = Announce(Route(OTHER, Attributes(AsPath())))
    stale.changed([GONE, other], 10.0)
    stale.changed([BACK], 11.0)
    attempt = stale.begin(19.0)
    stale.changed([Withdraw(OTHER)], 19.5)
    stale.end(attempt, 20.0, flushed=True)
    after = stale.begin(30.0)
    assert (after.mixed, after.must_flush) == (frozenset({OTHER}), True)


def test_the_same_again_is_no_change() -> None:
    """A change that is asked for again mixes nothing, nor does one that comes late."""
    stale = quiet()
    assert stale.changed([GONE], 10.0) is None
    assert stale.changed([GONE], 11.0) is None
    assert stale.change_of(PREFIX) == GONE
    assert stale.changed([BACK], 11.0 + MIXED) is None


def test_now_and_then() -> None:
    """What is absent is doubted each hour, without any event."""
    stale = quiet(1.0)
    assert not stale.begin(RARELY).demands
    assert stale.begin(1.0 + RARELY).demands == {Demand.WITHDRAW_ABSENT}


def test_once_for_the_same() -> None:
    """What is missing, or unknown, is acted on once: not at each reading for as long as it lasts."""
    stale = quiet()
    missing = frozenset({("192.0.2.251", str(PREFIX))})
    assert stale.is_newly_missing(missing)
    assert not stale.is_newly_missing(missing)
    assert not stale.is_newly_missing(frozenset())
    assert stale.is_newly_missing(missing)
    assert stale.newly_unknown({PREFIX}) == {PREFIX}
    assert stale.newly_unknown({PREFIX, OTHER}) == {OTHER}
    assert stale.newly_unknown(()) == frozenset()


@given(st.lists(st.sampled_from([*RAISES, "read", "flush", "fail"]), max_size=20))
def test_nothing_is_lost(steps: list[Event | str]) -> None:
    """A demand stands until a reading that began after its last event met it, and no longer."""
    stale, now = quiet(), 0.0
    expected: set[Demand] = set()
    for step in steps:
        now += 1.0
        if isinstance(step, Event):
            stale.happened(step)
            expected |= RAISES[step]
            continue
        attempt = stale.begin(now)
        assert attempt.demands == expected
        if step == "fail":
            continue
        stale.end(attempt, now, flushed=step == "flush")
        expected.discard(MEETS[Event.READ])
        if step == "flush":
            expected.discard(MEETS[Event.FLUSHED])


def lines() -> list[str]:
    """The table as the page shows it."""
    return [
        f"| {event} | {', '.join(sorted(RAISES.get(event, ())))} | {MEETS.get(event, '')} |"
        for event in Event
    ]


def test_the_page() -> None:
    """docs/exabgp.md has every event, and what it raises or meets."""
    text = PAGE.read_text().splitlines()
    tables = [
        list(group) for is_row, group in groupby(text, lambda line: line.startswith("| ")) if is_row
    ]
    assert lines() in tables, "\n".join(lines())
