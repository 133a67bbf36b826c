"""Reports over the control socket, and by the state file alone; and what of a report is refused."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from policy.errors import PolicyError
from policy.intent import Mode
from policy.report import AppReport, ReportState
from policy.site_members import Member, MemberState
from speaker.api import IntentRequest
from speaker.control.offline_planner import StateFilePlanner
from speaker.control.openapi import openapi
from speaker.control.reports import MAX_REPORT, ReportRecorder
from speaker.control.running import RunningWatchdog
from speaker.control.server import READERS, Access
from speaker.reconcile.reports import RECORDING
from speaker.reported import ReportRequest
from speaker.state.reports import Given
from speaker.state.store import Store, StoreError
from tests.support.fakes.known_site import FakeKnownSite
from tests.support.fakes.site import SECOND
from tests.support.lab.eventually import eventually
from tests.unit.control.test_server import raw, served

if TYPE_CHECKING:
    from pathlib import Path

    from speaker.reported import Reporter
    from tests.support.fakes.site import Site

ME = pwd.getpwuid(os.getuid()).pw_name
READ = Access(asks_only=True, connections=READERS)
MORE = """rule = { all = ["ipvs", "report/shop"] }
[report.shop]
drain = true
[report.db]
max_ttl = "1m"
"""
DRAIN = {"state": "drain", "ttl": "30s"}
DOWN = {"state": "down", "ttl": "30s", "reason": "disk full"}


def put(site: Site, body: object, name: str = "shop") -> tuple[int, Any]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return raw(site, "PUT", f"/v1/reports/{name}", text)


def reported_and_shown(reporter: Reporter) -> None:
    """Whoever answers: what is reported is recorded, and shown with who said it."""
    request = ReportRequest(state=ReportState.DOWN, ttl=60.0, reason="disk full", weight=0.5)
    told = reporter.report("shop", request)
    assert (told.state, told.by, told.reason, told.weight) == ("down", ME, "disk full", 0.5)
    assert told.until is not None
    assert abs(told.until - time.time() - 60) < 30
    shop, db = reporter.reports()
    assert shop == told
    assert (db.name, db.state, db.expired) == ("db", None, False)


def test_by_the_socket(tmp_path: Path) -> None:
    """The watchdog takes it, and the peer loses the prefix."""

    def ask(site: Site) -> None:
        reported_and_shown(RunningWatchdog(site.control, site.control))
        assert raw(site, "GET", "/v1/reports/shop")[1]["state"] == "down"
        (line,) = site.store.history(())[-1:]
        assert line.event in {"reported", "withdrawn"}

    served(tmp_path, ask, MORE)


def test_by_the_state_file(tmp_path: Path) -> None:
    """Where none runs, the file is written, and read, all the same: a drain begins there, too."""

    def ask(site: Site) -> None:
        file = StateFilePlanner(site.reconciler.config, "")
        reported_and_shown(file)
        file.report("shop", ReportRequest(state=ReportState.DRAIN, ttl=60.0))
        assert site.store.intents().of[SECOND].mode is Mode.DRAINING
        for name, ttl in (("db", 61.0), ("x", 1.0)):
            with pytest.raises(PolicyError):
                file.report(name, ReportRequest(state=ReportState.UP, ttl=ttl))

    served(tmp_path, ask, MORE)


def test_who_only_reads(tmp_path: Path) -> None:
    """The socket to read shows reports, and takes none."""

    def ask(site: Site) -> None:
        assert [each["name"] for each in raw(site, "GET", "/v1/reports")[1]] == ["shop", "db"]
        status, said = put(site, DOWN)
        assert (status, "only answers questions" in said["error"]) == (403, True)
        assert site.store.intents().reports == {}

    served(tmp_path, ask, MORE, access=READ)


def test_what_is_nowhere_else_is_not_drained(tmp_path: Path) -> None:
    """A drain of what would be announced nowhere then does not begin: who reports is told why, and history; an operator's goes on."""

    def ask(site: Site) -> None:
        assert put(site, {"state": "up", "ttl": "30s"})[0] == 200
        eventually(lambda: str(SECOND) in site.table(), within=10, what="it is announced")
        for _ in range(2):  # the second time it says nothing new
            status, told = put(site, DRAIN)
            assert (status, told["state"]) == (200, "drain")
            assert told["not_drained"].startswith(f"{SECOND}: last: no live witness tells")
            assert site.store.intents().of == {}
            lines = [each.reason for each in site.store.history(()) if each.event == "reported"]
            assert [f"; not drained: {SECOND}: last: " in line for line in lines] == [False, True]
        assert put(site, DOWN)[1]["not_drained"] is None
        drained = IntentRequest(mode=Mode.DRAINED, prefixes=(SECOND,), last=True)
        RunningWatchdog(site.control, site.control).apply(drained)
        assert put(site, DRAIN)[1]["not_drained"] is None  # nothing would be lost

    served(tmp_path, ask, MORE + '[policy]\nkeep_last = "strict"\n', marks=True)


@pytest.mark.parametrize(
    ("rule", "announced", "is_held"),
    [("true", False, True), ('"strict"', True, False), ('"strict"', None, True)],
)
def test_what_machines_of_the_site_tell(
    tmp_path: Path, rule: str, *, announced: bool | None, is_held: bool
) -> None:
    """With [site], whether another machine announces it is known of the machines themselves: no witness is needed."""

    def ask(site: Site) -> None:
        known = FakeKnownSite(
            site.reconciler,
            machines=[Member("par1", "lb1", live=True), Member("par1", "lb2", live=True)],
        )
        known.told = {SECOND: [MemberState("par1", "lb2", announced=announced)]}
        site.reconciler.site = known
        assert put(site, {"state": "up", "ttl": "30s"})[0] == 200
        eventually(lambda: str(SECOND) in site.table(), within=10, what="it is announced")
        assert bool(put(site, DRAIN)[1]["not_drained"]) is is_held
        assert bool(site.store.intents().of) is not is_held

    served(tmp_path, ask, MORE + f"[policy]\nkeep_last = {rule}\n", marks=True)


def test_what_nobody_keeps_is_drained(tmp_path: Path) -> None:
    """Without keep_last it begins, whoever else announces it."""

    def ask(site: Site) -> None:
        assert put(site, DRAIN)[1]["not_drained"] is None
        assert site.store.intents().of[SECOND].mode is Mode.DRAINING

    served(tmp_path, ask, MORE)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "request"),
        (b"[]", "request"),
        (b'{"state": "up"}', "has no ttl"),
        ({**DOWN, "state": "UP"}, "state"),
        ({**DOWN, "ttl": 30}, "not a duration"),
        ({**DOWN, "ttl": "0s"}, "ttl"),
        ({**DOWN, "ttl": "25h"}, "ttl"),
        ({**DOWN, "ttl": "2h"}, "report.shop.max_ttl"),
        ({**DOWN, "reason": "a\nb"}, "printable"),
        ({**DOWN, "reason": "x" * 201}, "reason"),
        ({**DOWN, "weight": 2}, "weight"),
        (b'{"state": "up", "ttl": "1s", "weight": NaN}', "weight"),
        ({**DOWN, "weight": "1"}, "weight"),
        ({**DOWN, "more": 1}, "more"),
    ],
    ids=str,
)
def test_what_is_refused(tmp_path: Path, body: Any, said: str) -> None:
    """A report that makes no sense is refused, and says why; nothing is recorded."""

    def ask(site: Site) -> None:
        status, answer = put(site, body)
        assert (status, said in answer["error"]) == (400, True), answer
        assert site.store.intents().reports == {}

    served(tmp_path, ask, MORE)


def test_of_what_name(tmp_path: Path) -> None:
    """There is nothing but what vip.toml has; a report is of a bounded size; drains are of those that drain."""

    def ask(site: Site) -> None:
        assert put(site, DOWN, "x")[0] == 404
        assert raw(site, "GET", "/v1/reports/x")[0] == 404
        assert put(site, b" " * (MAX_REPORT + 1) + b"{}")[0] in {400, 413}
        status, said = put(site, {**DOWN, "state": "drain"}, "db")
        assert (status, "takes no drain" in said["error"]) == (400, True)

    served(tmp_path, ask, MORE)


def test_many_are_written_together(tmp_path: Path) -> None:
    """Those that come while others are written take one more write, and each waits until its own is on the disk."""

    class Counting(Store):
        writes = 0

        def report(self, given: Any, *, wait: float = 0) -> None:
            """See `Store.report`."""
            self.writes += 1
            super().report(given, wait=wait)

    async def main(store: Counting) -> None:
        recorder = ReportRecorder(store, set())
        said = [AppReport(ReportState.UP, str(n), 1.0, 30.0) for n in range(100)]
        await asyncio.gather(*(recorder.record(each.by, Given(each)) for each in said))
        assert len(store.intents().reports) == 100
        assert store.writes == 1
        await recorder.record("x", Given(said[0]))
        assert "x" in store.intents().reports

    with closing(Counting(tmp_path / "state")) as store:
        asyncio.run(main(store))


def test_what_cannot_be_recorded(tmp_path: Path) -> None:
    """Each caller is told, and the next one is tried again."""
    given = Given(AppReport(ReportState.UP, "app", 1.0, 30.0))

    class Held(Store):
        is_held = True

        def report(self, given: Any, *, wait: float = 0) -> None:
            """See `Store.report`."""
            if self.is_held:
                raise StoreError("state: held")
            super().report(given, wait=wait)

    async def main(store: Held) -> None:
        hindered: set[str] = set()
        recorder = ReportRecorder(store, hindered)
        found = await asyncio.gather(
            *(recorder.record("x", given) for _ in range(3)), return_exceptions=True
        )
        assert [type(each) for each in found] == [StoreError] * 3
        assert hindered == {RECORDING}
        store.is_held = False
        await recorder.record("x", given)
        assert [*store.intents().reports] == ["x"]
        assert not hindered

    with closing(Held(tmp_path / "state")) as store:
        asyncio.run(main(store))


def test_description(tmp_path: Path) -> None:
    """The OpenAPI description is served; its forms are those that are read, and have every key."""

    def ask(site: Site) -> None:
        status, found = raw(site, "GET", "/v1/openapi.json")
        assert (status, found) == (200, json.loads(json.dumps(openapi())))

    served(tmp_path, ask, MORE)
    form = openapi()["components"]["schemas"]["ReportRequest"]
    assert {*form["properties"]} == {"state", "ttl", "reason", "weight"}
    assert form["required"] == ["state", "ttl"]
    assert form["additionalProperties"] is False
