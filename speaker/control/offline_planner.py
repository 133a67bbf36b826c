"""Planned drains, and reports, where no watchdog answers: in the state file alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from policy.asking import reported
from policy.assignment import assignments
from policy.errors import PolicyError
from policy.report import ReportState
from speaker.control.identity import user
from speaker.control.offline import StateFile
from speaker.planned import PlannedNow, WindowStatus, not_planned
from speaker.reported import ReportStatus, unknown_report
from speaker.state.reports import Given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.planned import Cancellation, WindowRequest
    from speaker.reported import ReportRequest


class StateFilePlanner(StateFile):
    """The state file, which takes what is planned and reported, too. It is `Planner` and `Reporter`."""

    def schedule(self, request: WindowRequest) -> PlannedNow:
        """See `Planner.schedule`."""
        window = request.window(user(), time.time())
        with self._store() as store:
            if not request.dry_run:
                window = store.schedule(window, wait=self._wait)
            return PlannedNow.of(window, store.intents().windows)

    def windows(self) -> Sequence[WindowStatus]:
        """See `Planner.windows`."""
        with self._store() as store:
            found = store.intents().windows
            return [WindowStatus.of(window, found) for window in found]

    def cancel(self, cancellation: Cancellation) -> WindowStatus:
        """See `Planner.cancel`."""
        number = cancellation.number
        with self._store() as store:
            window = store.cancel(number, user(), time.time(), wait=self._wait)
        if window is None:
            raise PolicyError(not_planned(number))
        return WindowStatus.of(window)

    def report(self, name: str, request: ReportRequest) -> ReportStatus:
        """See `Reporter.report`."""
        api = self._config.settings.api
        if name not in api.reports:
            raise PolicyError(unknown_report(name, [*api.reports]))
        now = time.time()
        report = request.report(user(), now)
        api.reports[name].check(report)
        duties = assignments(self._config.topology, self._config.settings.dc)
        drains = reported(duties).get(name, ()) if report.state is ReportState.DRAIN else ()
        with self._store() as store:
            store.report([(name, Given(report, drains))], wait=self._wait)
        return ReportStatus.of(name, report, now)

    def reports(self) -> Sequence[ReportStatus]:
        """See `Reporter.reports`."""
        with self._store() as store:
            found = store.intents().reports
        now = time.time()
        names = self._config.settings.api.reports
        return [ReportStatus.of(name, found.get(name), now) for name in names]
