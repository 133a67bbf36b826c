"""What applications reported, added to what was observed: for as long as each report holds.

A report is read from the state file at each turn. How long it still holds is told by the clock of the day when it is first seen,
and by the steady clock from then on: a clock that is set ahead ends none, and one that is set back keeps none.

While applications can't report, because of something here, their silence says nothing: a report that expires is unknown then,
whatever `expired` says, and until they had as long again as it held.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from policy.health import Health
from policy.report import AppReport, ReportRule, said
from policy.rule import Said, terms
from policy.sources import REPORT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from policy.health import Observation
    from policy.route import Prefix
    from speaker.clock import Clock
    from speaker.reconcile.scope import Scope


RECORDING = "reports can't be recorded"
"""What hinders reports after one that could not be recorded."""


class _Seen(NamedTuple):
    """A report, since when it says what it does, and until when it holds (steady clock)."""

    report: AppReport
    since: float
    until: float


def _seen(report: AppReport, last: _Seen | None, now: float, until: float) -> _Seen:
    """Return what is known of a report, of which the one before may be known."""
    if last is None:
        return _Seen(report, now, until)
    if last.report == replace(report, ended=last.report.ended):
        # Its end is known by the steady clock; only that it was noted to be over is news.
        return _Seen(
            report, last.since, last.until if report.ended is None else min(last.until, now)
        )
    is_renewed = now < last.until and report.renews(last.report)
    return _Seen(report, last.since if is_renewed else now, until)


class ReportsSeen:
    """The reports that rules name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rules: Mapping[str, ReportRule] = {}
        self._asked: Mapping[Prefix, Collection[str]] = {}
        self._read: Mapping[str, AppReport] | None = None
        self._seen: dict[str, _Seen] = {}
        self._said: dict[str, Said] = {}
        self._of: Observation | None = None
        self._merged: Observation | None = None
        self._hindered_at: float | None = None

    def take(self, scope: Scope) -> None:
        """Take a configuration. What is known of reports stays."""
        self._rules = scope.config.settings.api.reports
        asked = {
            prefix: [
                *dict.fromkeys(t.removeprefix(REPORT) for t in terms(rule) if t.startswith(REPORT))
            ]
            for prefix, duty in scope.assignments.items()
            if (rule := duty.vip.health.rule) is not None
        }
        self._asked = {prefix: names for prefix, names in asked.items() if names}
        self._read = self._of = None

    @property
    def over(self) -> Sequence[tuple[str, AppReport]]:
        """Those that hold no more, of which that is not noted yet, with their names."""
        now = self._clock.steady()
        return [
            (name, each.report)
            for name, each in self._seen.items()
            if each.report.ended is None and now >= each.until
        ]

    @property
    def due(self) -> float:
        """When the next report expires (steady clock)."""
        if not self._asked:
            return inf
        now, again = self._clock.steady(), self._hindered_at
        ends = [each.until for each in self._seen.values()]
        if again is not None:
            ends += [again + each.report.ttl for each in self._seen.values()]
        return min((end for end in ends if end > now), default=inf)

    def told(
        self, observation: Observation, reports: Mapping[str, AppReport], hindered: Collection[str]
    ) -> Observation:
        """Return an observation with what reports say. The same object while all of it is the same.

        Args:
            observation: what else was seen.
            reports: the last ones, by name, expired or not.
            hindered: what keeps applications from reporting now, in words.
        """
        now = self._clock.steady()
        if hindered:
            self._hindered_at = now
        if reports is not self._read:
            self._look(reports, now)
        if not self._asked:
            return observation
        told = {name: self._told(rule, now) for name, rule in self._rules.items()}
        if told == self._said and observation is self._of and self._merged is not None:
            return self._merged
        self._said, self._of = told, observation
        self._merged = replace(observation, said=self._together(observation))
        return self._merged

    def _look(self, reports: Mapping[str, AppReport], now: float) -> None:
        """Take over reports that were read."""
        wall, last = self._clock.wall(), self._seen
        self._seen = {
            name: _seen(report, last.get(name), now, now + report.left(wall))
            for name, report in reports.items()
            if name in self._rules
        }
        self._read = reports

    def _told(self, rule: ReportRule, now: float) -> Said:
        seen = self._seen.get(rule.name)
        if seen is None:
            return said(rule, None, holds=False, since=None)
        holds, hindered = now < seen.until, self._hindered_at
        if not holds and hindered is not None and now < hindered + seen.report.ttl:
            rule = replace(rule, expired=Health.UNKNOWN)
        return said(rule, seen.report, holds=holds, since=seen.since if holds else seen.until)

    def _together(self, observation: Observation) -> dict[Prefix, Mapping[str, Said]]:
        """Return what all sources say of each prefix: of one of which nothing changed, the same object as before."""
        before = {} if self._merged is None else self._merged.said
        found = dict(observation.said)
        for prefix, names in self._asked.items():
            own = {REPORT + name: self._said[name] for name in names if name in self._said}
            new = {**found.get(prefix, {}), **own}
            old = before.get(prefix)
            found[prefix] = new if old is None or old != new else old
        return found
