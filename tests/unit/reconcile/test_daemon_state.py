"""What is believed of the daemon, what was read back, and when a failed change is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.plan import Announce, Change, Drift, Withdraw, plan
from policy.route import Prefix, Route
from speaker.backends.base import Reading
from speaker.reconcile.daemon_state import FIRST_RETRY, LAST_RETRY, DaemonState
from tests.support.strategies import policy as made

FIRST, SECOND = made.HOSTS_V4[:2]
ROUTE = Route(FIRST, made.SOME[0])
OTHER = Route(FIRST, made.SOME[1])
ANNOUNCE = Announce(ROUTE)


def reading(*routes: Route, doubtful: tuple[Prefix, ...] = ()) -> Reading:
    """What was read of the two prefixes."""
    found = {FIRST: None, SECOND: None, **{route.prefix: route for route in routes}}
    return Reading(found, doubtful)


def test_nothing_is_known_at_first() -> None:
    """A new view believes nothing, so that all is planned."""
    view = DaemonState()
    assert plan({FIRST: None}, view.believed) == (Withdraw(FIRST),)
    assert not view.announced
    assert not view.unread


def test_accepted() -> None:
    """What the daemon accepted is believed at once, and confirmed when it was read."""
    view = DaemonState()
    view.accepted([ANNOUNCE], {}, 0.0)
    assert view.believed == {FIRST: ROUTE}
    assert view.announced == {FIRST}
    assert view.unread
    assert not view.confirmed
    view.read(reading(ROUTE), 1.0)
    assert view.confirmed == {FIRST: ROUTE, SECOND: None}
    assert not view.unread


def test_failed() -> None:
    """What failed is unknown, whatever was believed of it, and waits before it is tried again."""
    view = DaemonState()
    view.read(reading(ROUTE), 0.0)
    view.accepted([Withdraw(FIRST)], {FIRST: "no answer"}, 10.0)
    assert FIRST not in view.believed
    assert view.announced == {FIRST}, "what was read last"
    changes = plan({FIRST: None}, view.believed)
    assert view.ready(changes, 10.0) == []
    assert view.next_retry() == pytest.approx(10.0 + FIRST_RETRY)
    assert view.ready(changes, 10.0 + FIRST_RETRY) == [Withdraw(FIRST)]


def test_an_operator_waits_for_nothing() -> None:
    """What an operator asks for is tried at once."""
    view = DaemonState()
    view.accepted([Withdraw(FIRST)], {FIRST: "no answer"}, 0.0)
    assert view.ready([Withdraw(FIRST)], 0.0, at_once=[FIRST]) == [Withdraw(FIRST)]


def test_another_change_waits_for_nothing() -> None:
    """Back-off is of a change, not of a prefix: the opposite is tried at once."""
    view = DaemonState()
    view.accepted([ANNOUNCE], {FIRST: "error"}, 0.0)
    assert view.ready([Withdraw(FIRST)], 0.0) == [Withdraw(FIRST)]
    assert view.ready([Announce(OTHER)], 0.0) == [Announce(OTHER)]


def test_back_off() -> None:
    """The same failure waits twice as long each time, up to half a minute."""
    view, now, delays = DaemonState(), 0.0, []
    for _ in range(10):
        view.accepted([ANNOUNCE], {FIRST: "error"}, now)
        again = view.next_retry()
        assert again is not None
        delays.append(again - now)
        now = again
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert delays[-1] == LAST_RETRY


def test_back_off_of_what_is_accepted_and_not_done() -> None:
    """What is accepted and read back as something else is a failure that waits longer each time too."""
    view, now, delays = DaemonState(), 0.0, []
    for _ in range(4):
        assert view.ready([ANNOUNCE], now) == [ANNOUNCE]
        view.accepted([ANNOUNCE], {}, now)
        assert view.ready([], now + 0.1) == []
        assert view.next_retry() is None, "it waits for the reading, not for a retry"
        view.read(reading(), now)
        assert view.failures[FIRST].reason == "accepted, but read back as withdrawn"
        again = view.next_retry()
        assert again is not None
        delays.append(again - now)
        now = again
    assert delays == [0.5, 1.0, 2.0, 4.0]


def test_healed() -> None:
    """What was read as wanted is no failure any more, and the next failure waits as the first one."""
    view = DaemonState()
    for _ in range(3):
        view.accepted([ANNOUNCE], {FIRST: "no answer"}, 0.0)
    view.read(reading(ROUTE), 0.0)
    assert not view.failures
    assert view.next_retry() is None
    view.accepted([ANNOUNCE], {FIRST: "no answer"}, 0.0)
    assert view.next_retry() == pytest.approx(FIRST_RETRY)


def test_what_is_not_wanted_any_more() -> None:
    """A failed change that is not planned any more is forgotten: nothing wakes for it."""
    view = DaemonState()
    view.accepted([ANNOUNCE], {FIRST: "error"}, 0.0)
    view.read(reading(), 0.0)
    assert view.failures
    assert view.ready(plan({FIRST: None}, view.believed), 0.1) == []
    assert view.next_retry() is None


def test_doubt() -> None:
    """What is doubtful is shown as it was read, and planned all the same."""
    view = DaemonState()
    view.read(reading(doubtful=(FIRST,)), 0.0)
    assert view.confirmed[FIRST] is None
    assert plan({FIRST: None, SECOND: None}, view.believed) == (Withdraw(FIRST),)


def test_unreadable() -> None:
    """Where the daemon can't be read nothing is confirmed; what it accepted is still believed."""
    view = DaemonState()
    view.accepted([ANNOUNCE], {}, 0.0)
    view.read(reading(ROUTE), 0.0)
    view.unreadable()
    assert not view.confirmed
    assert view.announced == {FIRST}


@pytest.mark.parametrize(
    ("seen", "text"),
    [(None, "withdrawn"), (Drift("half of it"), "half of it"), (OTHER, str(OTHER))],
)
def test_mismatch(seen: Route | Drift | None, text: str) -> None:
    """A mismatch says what was read back instead."""
    view = DaemonState()
    view.accepted([ANNOUNCE], {}, 0.0)
    view.read(Reading({FIRST: seen}), 0.0)
    assert view.failures[FIRST].reason == f"accepted, but read back as {text}"


@given(st.lists(st.tuples(made.desired_sets(), st.sets(made.FEW_PREFIXES)), max_size=4))
def test_versions(steps: list[tuple[dict[Prefix, Route | None], set[Prefix]]]) -> None:
    """`version` grows whenever what is believed changes, and `announced` is always of the latest."""
    view = DaemonState()
    for desired, failing in steps:
        changes: list[Change] = list(plan(desired, view.believed))
        before, version = dict(view.believed), view.version
        view.accepted(changes, dict.fromkeys(failing & {c.prefix for c in changes}, "x"), 0.0)
        assert view.believed == before or view.version > version
        seen = {**view.confirmed, **view.believed}
        assert view.announced == {prefix for prefix, route in seen.items() if route is not None}
        assert not failing & view.believed.keys() & {c.prefix for c in changes}
