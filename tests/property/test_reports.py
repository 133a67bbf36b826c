"""Rules that hold of reports, whatever is reported, in whatever order, and however the clock is set."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from policy.health import Health
from policy.intent import Intent, Mode
from policy.report import AppReport, ReportRule, ReportState, said
from policy.route import parse_prefix
from policy.sources import LONGEST
from speaker.reported import ReportRequest
from speaker.state.reports import Given
from speaker.state.store import Store

PREFIXES = [*map(parse_prefix, ("192.0.2.1/32", "192.0.2.2/32"))]
TEXTS = st.text(st.characters(categories=("L", "N", "P")), max_size=20)
TTLS = st.integers(1, int(LONGEST * 1000)).map(lambda milliseconds: milliseconds / 1000)
REPORTS = st.builds(
    AppReport,
    st.sampled_from(ReportState),
    TEXTS,
    st.floats(0, 2e9),
    TTLS,
    TEXTS,
    st.floats(0, 1),
)


@given(REPORTS, st.floats(-1e9, 3e9))
def test_it_holds_for_no_longer_than_it_was_given(report: AppReport, now: float) -> None:
    """Whatever the clock says, a report holds from no time to its own; and less as time passes."""
    assert 0 <= report.left(now) <= report.ttl
    assert report.left(now + 1) <= report.left(now)
    assert report.left(report.at) > 0
    assert report.left(report.until) == 0


@given(
    report=st.none() | REPORTS,
    holds=st.booleans(),
    expired=st.sampled_from([Health.UNKNOWN, Health.DOWN]),
)
def test_only_what_says_down_is_down(
    *, report: AppReport | None, holds: bool, expired: Health
) -> None:
    """Down is what was reported so, or what expired where that means down; up is what was reported, and holds."""
    found = said(ReportRule("x", expired), report, holds=holds, since=None).health
    is_heard = report is not None and holds
    is_down = report is not None and report.state is ReportState.DOWN
    assert (found is Health.UP) == (is_heard and not is_down)
    gone = report is not None and not holds and expired is Health.DOWN
    assert (found is Health.DOWN) == ((is_heard and is_down) or gone)


@given(REPORTS)
def test_json(report: AppReport) -> None:
    """What a client writes of a report is read as the same."""
    request = ReportRequest(
        state=report.state, ttl=report.ttl, reason=report.reason, weight=report.weight
    )
    again = ReportRequest.from_json(request.to_json())
    assert again.report(report.by, report.at) == report


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), REPORTS), max_size=8))
def test_the_file_has_the_last_of_each(reports: list[tuple[str, AppReport]]) -> None:
    """After any reports the file has the last of each name; and no intent that an operator gave is another."""
    alice = Intent(Mode.FORCED, "alice", 1.0)
    with TemporaryDirectory() as folder, closing(Store(Path(folder) / "state")) as store:
        store.set_intents({PREFIXES[0]: alice})
        for name, each in reports:
            drains = PREFIXES if each.state is ReportState.DRAIN else ()
            store.report([(name, Given(each, drains))])
        found = store.intents()
        assert found.reports == dict(reports)
        assert found.of[PREFIXES[0]] == alice
        assert found.faults == ()


@settings(max_examples=30)
@given(REPORTS, st.integers(1, 5))
def test_renewals_are_no_news(report: AppReport, times: int) -> None:
    """However often the same is said in time, history has one line, and a drain is the one that it was."""
    report = replace(report, at=min(report.at, 1.9e9))
    drains = PREFIXES[:1] if report.state is ReportState.DRAIN else []
    with TemporaryDirectory() as folder, closing(Store(Path(folder) / "state")) as store:
        for step in range(times):
            renewed = replace(report, at=report.at + step * report.ttl / 10)
            store.report([("a", Given(renewed, drains))])
        lines = [each.event for each in store.history(())]
        assert lines.count("reported") == 1
        assert len(lines) == 1 + len(drains)
        assert {each.since for each in store.intents().of.values()} <= {report.at}
