"""One look at one service: what is seen, since when what is so, and until when it is not believed. Values."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from policy.health import State

if TYPE_CHECKING:
    from policy.health import CheckerRule, ServiceMemory, Thresholds


class Seen(StrEnum):
    """What a look shows of a service."""

    ABSENT = "not in IPVS"
    FROZEN = "in IPVS, without a checker"
    BAD = "at most drop_at"
    BETWEEN = "between the thresholds"
    GOOD = "at least restore_at"


class Doubt(StrEnum):
    """Why it is not known what a service is."""

    GONE = "not in IPVS; it may come back"
    FROZEN = "no checker runs"
    BACK = "it came back just now"
    STARTED = "the checker started just now"


class ServiceCase(NamedTuple):
    """One look at one service. `started` and `warm_at` are None where they do not matter (any more)."""

    last: ServiceMemory
    seen: Seen
    thresholds: Thresholds
    checker: CheckerRule
    now: float
    started: float | None
    warm_at: float | None
    was_announced: bool
    proven_at: float | None
    """When the checker that runs now was first seen to have filled the service, if it was."""

    @property
    def since(self) -> float:
        """When what the state is named for began; now where it only begins."""
        return self._past(self.last.since)

    @property
    def gone_since(self) -> float:
        """When it was first missed; now where it was there until now."""
        return self._past(self.last.gone_since)

    @property
    def missed_since(self) -> float:
        """Since when it is missed: now where it had just come back, and is gone again."""
        return self.now if self.last.state is State.RETURNED else self.gone_since

    @property
    def is_unproven(self) -> bool:
        """Whether a checker runs that was not seen to fill it, and so may not have checked it."""
        return self.started is not None and self.proven_at is None

    @property
    def back_at(self) -> float | None:
        """When a service that was missed came back, under the checker that runs now."""
        if self.started is None:
            return None
        return max(self.since, self.started) if self.last.state is State.RETURNED else self.now

    @property
    def falling_since(self) -> float:
        """Since when it has too few: what is not believed does not count."""
        began = self.since
        if self.last.state is State.RETURNED and self.back_at is not None:
            began = min(self.back_at + self.checker.warm_up, self.now)
        if self.started is not None and self.is_unproven:
            began = max(began, min(self.started + self.checker.warm_up, self.now))
        return began

    @property
    def appeared_at(self) -> float:
        """When a service that was gone appeared, under the checker that runs now."""
        return max(self.since, self.started or self.since)

    def _past(self, when: float | None) -> float:
        return self.now if when is None else min(when, self.now)


# --- deadlines: a row holds until then; None: it does not hold ------------------------------------


def may_come_back(case: ServiceCase) -> bool:
    """Tell whether a service that is not in IPVS is waited for."""
    return case.last.up and case.now < grace(case)


def grace(case: ServiceCase) -> float:
    """`restart_grace` after it was first missed; after now, where it had just come back."""
    return case.missed_since + case.checker.restart_grace


def checked_again(case: ServiceCase) -> float | None:
    """`warm_up` after it came back, while nothing is proven."""
    if case.back_at is None or not case.is_unproven:
        return None
    return case.back_at + case.checker.warm_up


def warm(case: ServiceCase) -> float | None:
    """`warm_up` after the checker's start, while nothing is proven."""
    return case.warm_at if case.is_unproven else None


def announced_warm(case: ServiceCase) -> float | None:
    """`warm_up` after the checker's start, for what is announced."""
    return case.warm_at if case.was_announced else None


def fall(case: ServiceCase) -> float | None:
    """`fall` after it began to have too few."""
    return case.falling_since + case.thresholds.fall


def believed(case: ServiceCase) -> float | None:
    """`warm_up` after it appeared, where there is no `rise` and it is not announced."""
    if case.started is None or case.was_announced or case.thresholds.rise:
        return None
    return case.appeared_at + case.checker.warm_up


def rise(case: ServiceCase) -> float | None:
    """`rise` after it began to have enough; without, `warm_up` after the checker's start."""
    since = case.appeared_at
    if case.started is not None and not case.thresholds.rise:
        return case.warm_at or since
    return since + case.thresholds.rise
