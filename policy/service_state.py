"""A service's health as a state machine: what is remembered of it, and what a look makes of that.

Theory of operation. A service is a virtual server of IPVS, kept by a checker (keepalived). All that is
seen of it is a count of live realservers, at moments of our choosing. Alone, the count would be judged by
two thresholds and two timers: UP, FALLING, DOWN, RISING. But the table says something else than it seems
to while the checker ends, starts or takes a new configuration:

- a checker that ends removes the services, and the next one brings them back: one that is not in IPVS is
  MISSING for `restart_grace`, and only then LOST, which falls like one whose last realserver died;
- one that was killed leaves the table as it was: what exists is *frozen*, and says nothing;
- in alpha mode a service comes back empty, until a first check passes: it has RETURNED, and that it has too
  few is not believed for `warm_up`;
- otherwise it comes back full, although nothing was checked: one that was GONE has APPEARED, and that it has
  enough is not believed for `warm_up`;
- after the checker's start nothing is proven for `warm_up`, unless the service was seen to be without and
  then to be filled: only the checker that runs now can have done that.

What is not believed is *unknown* for a service that was up, and *down* for one that was down: each stays
what it was. `TABLE` has every transition, in the order in which they are tried; a row with a deadline
holds until it, and the next one that fits from then on. docs/health.md shows it. Times are in seconds on
the steady clock; a remembered one that lies in the future is taken as now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from policy.health import ServiceMemory, State
from policy.service_look import (
    Doubt,
    Seen,
    ServiceCase,
    announced_warm,
    believed,
    checked_again,
    fall,
    grace,
    rise,
    warm,
)

if TYPE_CHECKING:
    from collections.abc import Callable


# --- what is remembered then ----------------------------------------------------------------------


def _same(case: ServiceCase) -> ServiceMemory:
    return case.last


def _up(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.UP, proven_at=case.proven_at)


def _down(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.DOWN, proven_at=case.proven_at)


def _gone(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.GONE, gone_since=case.gone_since, proven_at=case.proven_at)


def _missing(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.MISSING, gone_since=case.missed_since)


def _there(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.UP, proven_at=case.last.proven_at)


def _still_falling(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.FALLING, case.last.since, proven_at=case.last.proven_at)


def _doubted(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.FALLING, case.since, proven_at=case.last.proven_at)


def _returned(case: ServiceCase) -> ServiceMemory:
    return replace(case.last, state=State.RETURNED, since=case.back_at, gone_since=None)


def _falling(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.FALLING, case.falling_since, proven_at=case.proven_at)


def _lost(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.LOST, case.falling_since, case.gone_since, case.proven_at)


def _appeared(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.APPEARED, case.appeared_at, case.last.gone_since, case.proven_at)


def _rising(case: ServiceCase) -> ServiceMemory:
    return ServiceMemory(State.RISING, case.appeared_at, proven_at=case.proven_at)


# --- the table ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One transition: from any of some states, where this is seen, and before the deadline."""

    states: tuple[State, ...]
    seen: tuple[Seen, ...]
    to: State | None
    """The state from then on; None: it stays what it is."""
    taken: bool | Doubt
    """What the service is taken for: up or down; or why that is unknown."""
    remember: Callable[[ServiceCase], ServiceMemory]
    until: Callable[[ServiceCase], float | None] | None = None


_S = State
_UPS = (_S.UP, _S.FALLING, _S.MISSING, _S.LOST, _S.RETURNED)
_DOWNS = (_S.DOWN, _S.GONE, _S.APPEARED, _S.RISING)
_ABSENT, _FROZEN, _BAD = (Seen.ABSENT,), (Seen.FROZEN,), (Seen.BAD,)
_GOOD, _NOT_BAD, _NOT_GOOD = (Seen.GOOD,), (Seen.BETWEEN, Seen.GOOD), (Seen.BAD, Seen.BETWEEN)
_EXISTS = (Seen.BAD, Seen.BETWEEN, Seen.GOOD)
_IS_UP, _IS_DOWN = True, False

TABLE: tuple[Row, ...] = (
    # first sight; what these do not hold begins as `_first` says
    Row((_S.NEW,), _FROZEN, None, Doubt.FROZEN, _same),
    Row((_S.NEW,), _BAD + _ABSENT, None, Doubt.STARTED, _same, announced_warm),
    # up, or held to be
    Row(_UPS, _ABSENT, _S.MISSING, Doubt.GONE, _missing, grace),
    Row((_S.UP, _S.MISSING), _FROZEN, _S.UP, Doubt.FROZEN, _there),
    Row((_S.FALLING, _S.LOST, _S.RETURNED), _FROZEN, _S.FALLING, Doubt.FROZEN, _still_falling),
    Row((_S.MISSING, _S.RETURNED), _BAD, _S.RETURNED, Doubt.BACK, _returned, checked_again),
    Row(_UPS, _BAD, _S.FALLING, Doubt.STARTED, _doubted, warm),
    Row(_UPS, _ABSENT, None, Doubt.STARTED, _same, warm),
    Row(_UPS, _BAD, _S.FALLING, _IS_UP, _falling, fall),
    Row(_UPS, _ABSENT, _S.LOST, _IS_UP, _lost, fall),
    Row(_UPS, _BAD, _S.DOWN, _IS_DOWN, _down),
    Row(_UPS, _ABSENT, _S.GONE, _IS_DOWN, _gone),
    Row(_UPS, _NOT_BAD, _S.UP, _IS_UP, _up),
    # down, or held to be
    Row(_DOWNS, _FROZEN, None, Doubt.FROZEN, _same),
    Row(_DOWNS, _ABSENT, _S.GONE, _IS_DOWN, _gone),
    Row((_S.GONE, _S.APPEARED), _EXISTS, _S.APPEARED, _IS_DOWN, _appeared, believed),
    Row(_DOWNS, _NOT_GOOD, _S.DOWN, _IS_DOWN, _down),
    Row(_DOWNS, _GOOD, _S.RISING, _IS_DOWN, _rising, rise),
    Row(_DOWNS, _GOOD, _S.UP, _IS_UP, _up),
)


def _by_sight() -> dict[tuple[State, Seen], tuple[Row, ...]]:
    """Return the rows of each state and sight, in their order: each look tries two or three."""
    return {
        (state, seen): tuple(row for row in TABLE if state in row.states and seen in row.seen)
        for state in State
        for seen in Seen
    }


_ROWS = _by_sight()


class Step(NamedTuple):
    """What came of a look: what the service is taken for, what is remembered, and until when at most."""

    taken: bool | Doubt
    memory: ServiceMemory
    until: float | None


def step(case: ServiceCase, *, was_down: bool) -> Step:
    """Apply the first row that holds.

    Args:
        case: the look.
        was_down: whether the last look found the address down: a service of which nothing is
            remembered was not there then.
    """
    if (found := _try(case)) is None:
        found = _try(case._replace(last=_first(case, was_down=was_down)))
    if found is None:
        raise AssertionError(f"no row for {case}")
    return found


def _try(case: ServiceCase) -> Step | None:
    for row in _ROWS[case.last.state, case.seen]:
        until = None if row.until is None else row.until(case)
        if row.until is None or (until is not None and case.now < until):
            return Step(row.taken, row.remember(case), until)
    return None


def _first(case: ServiceCase, *, was_down: bool) -> ServiceMemory:
    """Return what a service is taken to have been that nothing is remembered of.

    What is announced, or has enough under a checker that has run for long, is up: a table that is there
    at the first look is believed.
    """
    if was_down and case.started is not None and not case.was_announced:
        return ServiceMemory(State.GONE, gone_since=case.now)
    is_up = case.seen is Seen.GOOD or (case.seen is Seen.BETWEEN and case.was_announced)
    is_believed = case.warm_at is None or case.was_announced
    return ServiceMemory(State.UP if is_up and is_believed else State.DOWN)
