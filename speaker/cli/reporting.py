"""vip_mgmt report: says for an application how it is, and shows what was said last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from policy.errors import PolicyError
from policy.intent import timestamp
from policy.report import ReportState
from speaker import units
from speaker.cli.arguments import UsageError
from speaker.cli.commands import COMMANDS
from speaker.cli.messages import tell_operator
from speaker.cli.served import WatchdogOrFile
from speaker.exit_status import ExitStatus
from speaker.reported import ReportRequest, unknown_report
from speaker.terminal import table, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.cli.arguments import Call
    from speaker.config.settings import Config
    from speaker.reported import Reporter, ReportStatus

    class NamedReporter(Reporter, Protocol):
        """One of whom it is known which names may be reported, and whether a watchdog runs."""

        @property
        def names(self) -> Sequence[str]:
            """Which names may be reported."""
            ...

        @property
        def is_served(self) -> bool:
            """Whether a watchdog takes them."""
            ...


_HEAD = ("REPORT", "STATE", "UNTIL", "WEIGHT", "BY", "REASON")


class FirstReporter(WatchdogOrFile):
    """The watchdog that runs, or the state file where none does. It is `Reporter`."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, "takes no reports")
        self.names = [*config.settings.api.reports]

    def report(self, name: str, request: ReportRequest) -> ReportStatus:
        """See `Reporter.report`."""
        return self.asked(lambda asked: asked.report(name, request))

    def reports(self) -> Sequence[ReportStatus]:
        """See `Reporter.reports`."""
        return self.asked(lambda asked: asked.reports())


def report(call: Call, reporter: NamedReporter) -> ExitStatus:
    """Report, and say what holds now; or show what was reported last.

    Raises:
        UsageError: it makes no sense.
        SpeakerError: it could not be recorded.
    """
    if not call.words:
        return _show(call, reporter)
    if len(call.words) == 1:
        raise UsageError(COMMANDS["report"].lack)
    name, state = call.words
    if state not in {*ReportState}:
        raise UsageError(f"report: {state!r}: not a state; write one of {', '.join(ReportState)}")
    if call.ttl is None:
        raise UsageError("report: --ttl is required: for how long it holds, such as 30s or 5m")
    if name not in reporter.names:
        raise UsageError(unknown_report(name, reporter.names))
    try:
        weight = units.share(call.weight) if call.weight else 1.0
    except ValueError as error:
        raise UsageError(f"--weight: {error}") from error
    try:
        request = ReportRequest(
            state=ReportState(state), ttl=call.ttl, reason=call.reason, weight=weight
        )
        told = reporter.report(name, request)
    except PolicyError as error:
        raise UsageError(f"report: {error}") from error
    later = "" if reporter.is_served else "; takes effect where a vip_watchdog runs"
    tell_operator(f"report/{name}: {told.state} until {_time(told.until)}{later}")
    if told.not_drained:
        tell_operator(
            f"report/{name}: not drained: {told.not_drained}; vip_mgmt -d NAME --soft --last drains it all the same"
        )
        return ExitStatus.NOT_AS_WANTED
    return ExitStatus.DONE


def _show(call: Call, reporter: NamedReporter) -> ExitStatus:
    found = reporter.reports()
    if call.as_json:
        tell(json.dumps([each.to_json() for each in found], indent=2))
        return ExitStatus.DONE
    rows = [_row(each) for each in found]
    tell(table([_HEAD, *rows]) if rows else "vip.toml has no [report]")
    return ExitStatus.DONE


def _row(told: ReportStatus) -> Sequence[str]:
    if told.state is None or told.weight is None:
        return told.name, "none", "-", "-", "-", ""
    state = f"{told.state}, expired" if told.expired else told.state
    weight = units.share_text(told.weight)
    return told.name, state, _time(told.until), weight, told.by or "", told.reason or ""


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else timestamp(seconds)
