"""The table of a service's health: nothing is left out, every row is reached, and the page has it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.health import CheckerRule, ServiceMemory, State, Thresholds
from policy.service_look import Doubt, Seen, ServiceCase
from policy.service_state import TABLE, Row, step

PAGE = Path(__file__).parents[3] / "docs" / "health.md"
TIMES = st.sampled_from([0.0, 1.0, 5.0, 10.0])
PAST = st.sampled_from([80.0, 90.0, 95.0, 99.0, 100.0])


@st.composite
def cases(draw: st.DrawFn) -> ServiceCase:
    """A look at a service in any state, as it can come about."""
    state = draw(st.sampled_from(State))
    began = State.FALLING, State.LOST, State.RETURNED, State.APPEARED, State.RISING
    gone = State.MISSING, State.LOST, State.GONE, State.APPEARED
    last = ServiceMemory(
        state,
        draw(PAST) if state in began else None,
        draw(PAST) if state in gone else None,
    )
    started = draw(st.none() | PAST)
    seen = draw(st.sampled_from([s for s in Seen if s is not Seen.FROZEN or started is None]))
    warm_up = draw(TIMES)
    warm_at = None if started is None or started + warm_up <= 100.0 else started + warm_up
    return ServiceCase(
        last,
        seen,
        Thresholds(fall=draw(TIMES), rise=draw(TIMES)),
        CheckerRule(required=True, restart_grace=draw(TIMES), warm_up=warm_up),
        100.0,
        started,
        warm_at,
        draw(st.booleans()),
        None if started is None or state is State.NEW else draw(st.none() | st.just(100.0)),
    )


def holding(case: ServiceCase) -> Row | None:
    """Return the first row of the table that holds."""
    for row in TABLE:
        if case.last.state in row.states and case.seen in row.seen:
            until = None if row.until is None else row.until(case)
            if row.until is None or (until is not None and case.now < until):
                return row
    return None


@given(cases(), st.booleans())
def test_a_step_is_a_row(case: ServiceCase, was_down: bool) -> None:  # noqa: FBT001 - Hypothesis gives it
    """What comes of a look is what the first row that holds says, and its state is remembered."""
    came = step(case, was_down=was_down)
    row = holding(case)
    if row is None:
        assert case.last.state is State.NEW
        assert isinstance(came.taken, bool)
        return
    assert came.taken == row.taken
    assert came.memory.state is (case.last.state if row.to is None else row.to)
    assert came.until is None or came.until > case.now


@pytest.mark.parametrize("state", [state for state in State if state is not State.NEW])
@pytest.mark.parametrize("seen", Seen)
def test_nothing_is_left_out(state: State, seen: Seen) -> None:
    """In every state, whatever is seen, one row holds for ever."""
    rows = [row for row in TABLE if state in row.states and seen in row.seen]
    assert rows[-1].until is None
    assert all(row.until is not None for row in rows[:-1])


@given(cases())
def test_what_is_not_believed_turns_nothing(case: ServiceCase) -> None:
    """Unknown never turns a service: one that was up is held to be up, one that was down to be down."""
    came = step(case, was_down=False)
    if isinstance(came.taken, Doubt) and case.last.state is not State.NEW:
        assert came.memory.up == case.last.up


def lines() -> list[str]:
    """The table as the page shows it."""
    return [
        f"| {', '.join(row.states)} | {', '.join(row.seen)} "
        f"| {(row.until.__doc__ or '').rstrip('.') if row.until else ''} "
        f"| {row.to or 'as it was'} | {_taken(row)} |"
        for row in TABLE
    ]


def _taken(row: Row) -> str:
    if isinstance(row.taken, Doubt):
        return f"unknown: {row.taken}"
    return "up" if row.taken else "down"


def test_the_page() -> None:
    """docs/health.md has every row, in the order in which they are tried."""
    text = PAGE.read_text()
    found = [
        list(group)
        for is_table, group in groupby(text.splitlines(), lambda line: line.startswith("| "))
        if is_table
    ]
    assert lines() in found, "\n".join(lines())
