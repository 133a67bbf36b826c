"""vip_mgmt report: to the letter, with the exit status."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from policy.intent import timestamp
from policy.report import ReportState
from speaker import vip_mgmt
from speaker.cli import reporting
from speaker.cli.arguments import parse
from speaker.control.server import serving
from speaker.exit_status import ExitStatus
from speaker.reported import ReportStatus
from speaker.state.store import Store
from tests.support.fakes.site import running, write_config
from tests.unit.test_vip_mgmt import reconciler

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from speaker.reported import ReportRequest

ME = pwd.getpwuid(os.getuid()).pw_name
MORE = """rule = "report/shop"
[report.shop]
drain = true
[report.db]
max_ttl = "1m"
"""


def mgmt(directory: Path, *arguments: str, more: str = MORE) -> int:
    return vip_mgmt.main(["--config", str(write_config(directory, more)), *arguments])


def test_without_a_watchdog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is recorded in the state file, which is said; and shown from there, with every part."""
    options = ["--ttl", "1m", "--reason", "disk full", "--weight", "70%"]
    assert mgmt(tmp_path, "report", "shop", "down", *options) == 0
    with closing(Store(tmp_path / "state.sqlite3")) as store:
        found = store.intents().reports["shop"]
    assert (found.state, found.by, found.ttl) == (ReportState.DOWN, ME, 60.0)
    assert (found.reason, found.weight) == ("disk full", 0.7)
    until = timestamp(found.until)
    assert capsys.readouterr().err == (
        f"bgp_mgt: report/shop: down until {until}; takes effect where a vip_watchdog runs\n"
    )
    assert mgmt(tmp_path, "report") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["REPORT", "STATE", "UNTIL", "WEIGHT", "BY", "REASON"]
    assert lines[1] == ["shop", "down", until, "70%", ME, "disk", "full"]
    assert lines[2] == ["db", "none", "-", "-", "-"]
    assert mgmt(tmp_path, "report", "--json") == 0
    shop, db = json.loads(capsys.readouterr().out)
    assert (shop["state"], shop["weight"], db["state"]) == ("down", 0.7, None)


def test_an_older_watchdog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that knows of no reports would heed none: that is said, and nothing is recorded beside it."""
    with reconciler(tmp_path):
        assert mgmt(tmp_path, "report", "shop", "up", "--ttl", "1m") == 1
    said = (
        "the vip_watchdog that runs is older than this vip_mgmt, and takes no reports; restart it"
    )
    assert said in capsys.readouterr().err
    assert not (tmp_path / "state.sqlite3").exists()


def test_to_the_watchdog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The watchdog that runs takes it, and says what it refuses."""

    async def main() -> None:
        async with (
            running(tmp_path, more=MORE) as site,
            serving(site.control, site.reconciler),
        ):
            assert (
                await asyncio.to_thread(mgmt, tmp_path, "report", "shop", "up", "--ttl", "1m") == 0
            )
            assert site.store.intents().reports["shop"].by == ME
            assert "takes effect" not in capsys.readouterr().err
            for words, said in (
                (("db", "up", "--ttl", "1h"), "report.db.max_ttl is 1m"),
                (("db", "drain", "--ttl", "1m"), "takes no drain"),
            ):
                refused = await asyncio.to_thread(mgmt, tmp_path, "report", *words)
                assert refused == ExitStatus.USAGE  # as where no watchdog runs: see test_usage
                assert said in capsys.readouterr().err
            more = MORE + "[report.new]\n"  # which the watchdog has not loaded
            new = ("report", "new", "up", "--ttl", "1m")
            refused = await asyncio.to_thread(lambda: mgmt(tmp_path, *new, more=more))
            assert refused == ExitStatus.USAGE
            assert "'new': unknown; vip.toml has db, shop" in capsys.readouterr().err

    asyncio.run(main())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shop"], "NAME and STATE are required"),
        (["shop", "down", "up"], "NAME and STATE are required"),
        (["shop", "DOWN", "--ttl", "1m"], "not a state; write one of up, down, drain"),
        (["shop", "down"], "--ttl is required"),
        (["shop", "down", "--ttl", "25h"], "ttl"),
        (["shop", "down", "--ttl", "0s"], "--ttl"),
        (["x", "down", "--ttl", "1m"], "'x': unknown; vip.toml has db, shop"),
        (["shop", "down", "--ttl", "1m", "--weight", "2"], "--weight: "),
        (["shop", "down", "--ttl", "1m", "--reason", "a\nb"], "printable"),
        (["db", "down", "--ttl", "2m"], "max_ttl is 1m"),
        (["db", "drain", "--ttl", "1m"], "takes no drain"),
        (["shop", "down", "--ttl", "1m", "--soft"], "--soft is only valid with"),
    ],
    ids=str,
)
def test_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """What makes no sense is refused before anything is recorded."""
    assert mgmt(tmp_path, "report", *words) == ExitStatus.USAGE
    assert said in capsys.readouterr().err
    with closing(Store(tmp_path / "state.sqlite3")) as store:
        assert store.intents().reports == {}


def test_nothing_to_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A vip.toml without reports says so."""
    assert mgmt(tmp_path, "report", more="") == 0
    assert capsys.readouterr().out == "vip.toml has no [report]\n"


def test_what_is_not_drained(capsys: pytest.CaptureFixture[str]) -> None:
    """That a drain does not begin, as nobody else announces the VIP, is said with what drains it, and it is not done."""

    class Held:
        names = ("shop",)
        is_served = True

        def report(self, name: str, request: ReportRequest) -> ReportStatus:
            """See `Reporter.report`."""
            report = request.report(ME, 1700000000.0)
            return replace(
                ReportStatus.of(name, report, report.at), not_drained="192.0.2.1/32: last"
            )

        def reports(self) -> Sequence[ReportStatus]:
            """See `Reporter.reports`."""
            return ()

    call = parse(["report", "shop", "drain", "--ttl", "1m"])
    assert reporting.report(call, Held()) is ExitStatus.NOT_AS_WANTED
    said = capsys.readouterr().err
    assert "report/shop: not drained: 192.0.2.1/32: last; vip_mgmt -d NAME --soft --last" in said
