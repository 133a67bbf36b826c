"""Runs the tests marked `guest` in a guest, a module to a boot, and reports them as if run here.

    pytestmark = pytest.mark.guest("keepalived", "bird")  # and which programs it needs

The guest runs pytest on the same files with the same interpreter, and writes a line for each
report to its stdout as it comes. A test without a report fails with what the guest left.
"""

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.guest.boot import PROGRAMS, GuestError, Outcome, run
from tests.support.lab.requirements import require

_INSIDE = "VIP_TESTS_IN_GUEST"
_REPORT = "\x1ereport "
_PATIENCE = 3600.0
"""Seconds that a module's tests may take in all."""
_PASSED_ON = ("CI", "HYPOTHESIS_PROFILE")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark, and take the place that is ours: there, or here."""
    config.addinivalue_line("markers", "guest(*programs): runs in a guest with a real kernel")
    config.pluginmanager.register(_There(config) if os.environ.get(_INSIDE) else _Here(config))


class _There:
    """In the guest: passes every report on."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        # Nothing else may write to this stdout; whatever pytest prints goes to stderr.
        self._out = os.fdopen(int(os.environ[_INSIDE]), "w", encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        print(f"{_REPORT}{json.dumps(data)}", file=self._out, flush=True)


class _Here:
    """On the host: boots a guest for a module at its first test."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._guest: _Guest | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        mark = item.get_closest_marker("guest")
        if mark is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports(item, mark.args):
            item.ihook.pytest_runtest_logreport(report=report)
        # What an ordinary test before this one left standing for it, its folder and session, the next may not stand in.
        item.session._setupstate.teardown_exact(nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _reports(self, item: pytest.Item, needs: tuple[str, ...]) -> Iterator[pytest.TestReport]:
        asked = pytest.CallInfo.from_call(lambda: require(*PROGRAMS, *needs), when="setup")
        if asked.excinfo is not None:
            yield pytest.TestReport.from_item_and_call(item, asked)
            return
        if self._guest is None or item.nodeid not in self._guest.left:
            self._end()
            self._guest = _Guest([other for other in item.session.items if other.path == item.path])
        for data in self._guest.reports(item.nodeid):
            report = self._config.hook.pytest_report_from_serializable(
                config=self._config, data=data
            )
            yield report
            if report.when == "teardown":
                return
        left = self._guest.last_words()
        lost = pytest.CallInfo.from_call(lambda: pytest.fail(left, pytrace=False), when="call")
        yield pytest.TestReport.from_item_and_call(item, lost)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print what tests have measured, by `record_property`."""
        measured = [
            f"{report.nodeid}: {name}: {value}"
            for report in terminalreporter.getreports("passed")
            for name, value in report.user_properties
            if report.when == "call"
        ]
        if measured:
            terminalreporter.section("measured")
            for line in measured:
                terminalreporter.line(line)

    def pytest_sessionfinish(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._guest is not None:
            self._guest.end()


class _Guest:
    """A guest that runs the tests of a module."""

    def __init__(self, items: list[pytest.Item]) -> None:
        self.left = {item.nodeid for item in items}
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._early: dict[str, list[dict[str, Any]]] = {}
        self._over = threading.Event()
        self._outcome: Outcome | GuestError | None = None
        self._thread = threading.Thread(target=self._run, args=([item.nodeid for item in items],))
        self._thread.start()

    def reports(self, nodeid: str) -> Iterator[dict[str, Any]]:
        """Yield what the guest reports of a test; it ends early where the guest does."""
        self.left.discard(nodeid)
        yield from self._early.pop(nodeid, [])
        while (data := self._lines.get()) is not None:
            if data["nodeid"] == nodeid:
                yield data
            else:
                self._early.setdefault(data["nodeid"], []).append(data)
        self._lines.put(None)

    def last_words(self) -> str:
        """Return what the guest left, for a test that it has not reported."""
        if isinstance(self._outcome, Outcome):
            return f"the guest has not run this test:\n{self._outcome.stderr[-6000:]}"
        return str(self._outcome)

    def end(self) -> None:
        """End it, if it still runs."""
        self._over.set()
        self._thread.join()

    def _run(self, nodeids: list[str]) -> None:
        inner = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *nodeids]
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        env |= {_INSIDE: "3", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
        try:
            self._outcome = run(
                ["sh", "-c", 'exec 3>&1 >&2; exec "$@"', "sh", *inner],
                within=_PATIENCE,
                env=env,
                heard=self._heard,
                stop=self._over.is_set,
            )
        except GuestError as error:
            self._outcome = error
        finally:
            self._lines.put(None)

    def _heard(self, line: str) -> None:
        if line.startswith(_REPORT):
            self._lines.put(json.loads(line.removeprefix(_REPORT)))
