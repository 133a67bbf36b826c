"""Reports: what applications say of themselves, for how long that is believed, and what it is to a rule. Values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from policy.errors import PolicyError
from policy.health import Health
from policy.intent import MAX_TEXT, is_time, timestamp
from policy.rule import Said
from policy.sources import LONGEST
from policy.wording import span


class ReportState(StrEnum):
    """What an application says of itself. `drain`: it serves those it has, and wants no new ones."""

    UP = "up"
    DOWN = "down"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class AppReport:
    """What was reported, by whom, when (seconds since the epoch), and for how many seconds it holds.

    `weight` is what the application says that it can take, from 0 to 1: so much it counts where a rule wants a share. `ended` is when it was noted that it holds
    no more, None before.

    Raises:
        PolicyError: a value that makes no sense, or a text that is too long or not printable.
    """

    state: ReportState
    by: str
    at: float
    ttl: float
    reason: str = ""
    weight: float = 1.0
    ended: float | None = None

    def __post_init__(self) -> None:
        for what, text in (("by", self.by), ("reason", self.reason)):
            if len(text) > MAX_TEXT or not text.isprintable():
                raise PolicyError(
                    f"{what}: {text[:MAX_TEXT]!r}: too long, or not printable; write at most {MAX_TEXT} printable characters"
                )
        for what, time in (("at", self.at), ("ended", self.ended)):
            if time is not None and not is_time(time):
                raise PolicyError(f"{what}: {time:g}: not a time")
        if not (isfinite(self.ttl) and 0 < self.ttl <= LONGEST):
            raise PolicyError(f"ttl: {self.ttl:g} s: not more than 0, or more than a day")
        if not 0 <= self.weight <= 1:
            raise PolicyError(f"weight: {self.weight:g}: not from 0 to 1")

    @property
    def until(self) -> float:
        """Until when it holds (seconds since the epoch)."""
        return self.at + self.ttl

    def left(self, now: float) -> float:
        """Return for how many seconds it holds from `now` on (seconds since the epoch), not negative.

        Where the clock was set back since, that is never more than it was given; and nothing once that was noted.
        """
        if self.ended is not None:
            return 0.0
        return min(max(self.until - now, 0.0), self.ttl)

    def renews(self, before: AppReport | None) -> bool:
        """Tell whether it says the same as the one before, by the same, and only holds for longer."""
        return before is not None and self.says_what(before) and self.weight == before.weight

    def says_what(self, other: AppReport) -> bool:
        """Tell whether it says the same as another, by the same, whatever their times and weights."""
        return (self.state, self.by, self.reason) == (other.state, other.by, other.reason)

    def __str__(self) -> str:
        text = f"{self.state} by {self.by} until {timestamp(self.until)}"
        return f"{text}: {self.reason}" if self.reason else text


@dataclass(frozen=True, slots=True)
class ReportRule:
    """How reports of a name are taken.

    Attributes:
        name: of it.
        expired: what it is to a rule when the last one has expired.
        max_ttl: for how long one may hold, in seconds.
        drain: whether `drain` is taken, which drains the VIPs softly whose rules name it.
    """

    name: str
    expired: Health = Health.UNKNOWN
    max_ttl: float = 3600.0
    drain: bool = False

    def check(self, report: AppReport) -> None:
        """Refuse what a report of this name can't say.

        Raises:
            PolicyError: it holds for too long, or drains, which is not configured.
        """
        if report.ttl > self.max_ttl:
            raise PolicyError(
                f"ttl: {span(report.ttl)}: report.{self.name}.max_ttl is {span(self.max_ttl)}; report more often"
            )
        if report.state is ReportState.DRAIN and not self.drain:
            raise PolicyError(
                f"state: {self.name} takes no drain; set drain = true in [report.{self.name}]"
            )


def said(rule: ReportRule, report: AppReport | None, *, holds: bool, since: float | None) -> Said:
    """Return what a report is to a rule. One that drains still serves, so it is up.

    Args:
        rule: how it is taken.
        report: the last one, None where there was none.
        holds: whether it has not expired.
        since: when it began to say that (steady clock), None where that is not known.
    """
    if report is None:
        return Said(Health.UNKNOWN, "nothing was reported")
    why = f"by {report.by}" + (f": {report.reason}" if report.reason else "")
    if not holds:
        text = f"expired at {timestamp(report.until)}; was {report.state} {why}"
        return Said(rule.expired, text, since)
    if report.state is ReportState.DOWN:
        return Said(Health.DOWN, why, since)
    if report.weight < 1:
        why = f"{report.weight:.4g} of it, {why}"
    text = f"drains {why}" if report.state is ReportState.DRAIN else why
    return Said(Health.UP, text, since, weight=report.weight)
