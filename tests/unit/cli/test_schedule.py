"""vip_mgmt -d --at, schedule and cancel: to the letter, with the exit status; and the machine's local time."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from policy.errors import PolicyError
from policy.intent import Mode, timestamp
from policy.local_time import moment_text
from policy.route import parse_prefix
from policy.window import Window
from speaker import vip_mgmt
from speaker.cli.schedule import HereZone, begins_at
from speaker.state.store import Store
from tests.support.fakes.site import write_config
from tests.unit.test_vip_mgmt import SECOND, V4, reconciler

if TYPE_CHECKING:
    from pathlib import Path

ME = pwd.getpwuid(os.getuid()).pw_name
AT = 4_000_000_000.0
HERE = HereZone()


def mgmt(directory: Path, *arguments: str) -> int:
    return vip_mgmt.main(["--config", str(write_config(directory)), *arguments])


def window(**more: Any) -> dict[str, Any]:
    """A window as the watchdog tells of it."""
    return {
        "number": 3,
        "prefixes": [V4, SECOND],
        "mode": "drained",
        "owner": "alice",
        "made": 1.0,
        "at": AT,
        "reason": "kernel",
        "seconds": 7200.0,
        "late": 600.0,
        "missed": None,
        "overlaps": [],
        **more,
    }


def test_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is asked for goes to the watchdog in seconds since the epoch; said is when it begins, in local time."""
    options = ["--for", "2h", "--late", "5m", "--reason", "kernel", V4, SECOND]
    at = float(round(time.time()) + 3600)
    with reconciler(tmp_path, windows=window(at=at)) as asked:
        assert mgmt(tmp_path, "-d", "--at", timestamp(at), *options) == 0
    ((method, path, body),) = asked
    assert (method, path) == ("POST", "/windows")
    assert body == {
        "mode": "drained",
        "prefixes": [V4, SECOND],
        "reason": "kernel",
        "seconds": 7200.0,
        "dry_run": False,
        "at": at,
        "late": 300.0,
    }
    begins, ends = moment_text(at, HERE), moment_text(at + 7200, HERE)
    assert capsys.readouterr().err == (
        f"bgp_mgt: {V4}, {SECOND}: drained from {begins}, until {ends}; vip_mgmt cancel 3 takes it back\n"
    )


def test_planned_where_the_last_one_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That nobody is asked for --last when it begins is said when it is planned, and what it would come to now; by --dry-run, too."""
    site = '[site]\netcd = ["http://127.0.0.1:2379"]\nmachine = "lb1"\n'
    file = write_config(tmp_path, f'[policy]\nkeep_last = "strict"\n{site}')
    nowhere = f"{V4}: last: no other data centre announces it"
    for more in ([], ["--dry-run"]):
        with reconciler(tmp_path, windows=window(nowhere=nowhere)):
            words = ["-d", "--at", "+1h", V4, SECOND, *more]
            assert vip_mgmt.main(["--config", str(file), *words]) == 0
        said = capsys.readouterr().err
        assert "keep_last does not hold what is planned" in said
        assert f"begun now, nobody else is known to announce {nowhere}\n" in said


def test_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`schedule` has a line for each, what was missed too; `--json` all of it."""
    windows = [window(), window(number=4, seconds=None, reason="", missed=AT, prefixes=[V4] * 5)]
    with reconciler(tmp_path, windows=windows):
        assert mgmt(tmp_path, "schedule") == 0
        lines = capsys.readouterr().out.splitlines()
        assert mgmt(tmp_path, "schedule", "--json") == 0
    assert json.loads(capsys.readouterr().out) == windows
    begins = moment_text(AT, HERE).split()
    words = [line.split() for line in lines]
    assert words[0] == ["ID", "BEGINS", "FOR", "LATE", "STATE", "WHAT", "PREFIXES", "BY", "REASON"]
    named = [f"{V4},", SECOND]
    assert words[1] == ["3", *begins, "2h", "10m", "planned", "drained", *named, "alice", "kernel"]
    named = [f"{V4},", f"{V4},", V4, "and", "2", "more"]
    assert words[2] == ["4", *begins, "-", "10m", "missed", "drained", *named, "alice"]


def test_overlapping(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Drains of the same prefix at the same time are taken, and named where one is planned and where all are shown."""
    config_of = ["-d", V4, "--for", "2h", "--at"]
    for words in (
        [*config_of, "+60m"],
        [*config_of, "+4h"],
        ["-d", SECOND, "--at", "+60m"],
        [*config_of, "+110m"],
        ["-d", V4, SECOND, "--at", "+5h", "--dry-run"],
    ):
        assert mgmt(tmp_path, *words) == 0
    said = capsys.readouterr().err.splitlines()
    assert ["overlaps" in line for line in said] == [False, False, False, True, True]
    text = "(overlaps window{}: what is in both is drained until the later end)"
    assert text.format(" 1") in said[3]
    assert text.format("s 2, 3") in said[4]
    assert mgmt(tmp_path, "schedule") == 0
    shown = capsys.readouterr().out.splitlines()[1:]
    states = [re.search(r"planned(?:, overlaps [0-9, ]+?)?(?=  )", line) for line in shown]
    assert [state and state[0] for state in states] == [
        "planned, overlaps 4",
        "planned",
        "planned",
        "planned, overlaps 1",
    ]


def test_nothing_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That nothing is planned is said."""
    with reconciler(tmp_path, windows=[]):
        assert mgmt(tmp_path, "schedule") == 0
    assert capsys.readouterr().out == "nothing is planned\n"


def test_cancelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`cancel` says which it was; where there is none it says that, and exits 255, as for a name that is nowhere."""
    refused = (400, {"error": "window 3: not planned"})
    for answer, status, said in (
        (window(), 0, f"window 3 cancelled: {V4}, {SECOND}: drained from {moment_text(AT, HERE)}"),
        (refused, 255, "window 3: not planned"),
    ):
        with reconciler(tmp_path, **{"windows/cancel": answer}) as asked:
            assert mgmt(tmp_path, "cancel", "3") == status
        assert asked == [("POST", "/windows/cancel", {"number": 3})]
        assert said in capsys.readouterr().err


def test_without_a_watchdog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is recorded in the state file, which is said, and can be cancelled there."""
    assert mgmt(tmp_path, "-d", "--at", "+30m", V4) == 0
    said = capsys.readouterr().err
    assert said.endswith(
        "vip_mgmt cancel 1 takes it back; it begins where a vip_watchdog runs then\n"
    )
    with closing(Store(tmp_path / "state.sqlite3")) as store:
        (planned,) = store.intents().windows
    assert (planned.owner, planned.prefixes) == (ME, frozenset({parse_prefix(V4)}))
    assert 0 < planned.at - time.time() <= 1800
    assert mgmt(tmp_path, "-d", "--at", "+30m", "--dry-run", V4) == 0
    assert f"{V4}: would be planned: drained from " in capsys.readouterr().err
    assert mgmt(tmp_path, "cancel", "1") == 0
    assert mgmt(tmp_path, "cancel", "1") == 255
    with closing(Store(tmp_path / "state.sqlite3")) as store:
        assert store.intents().windows == ()


def test_an_older_watchdog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that knows of no plans would begin none: that is said, and nothing is recorded beside it."""
    with reconciler(tmp_path):
        assert mgmt(tmp_path, "-d", "--at", "+30m", V4) == 1
    assert "is older than this vip_mgmt, and plans no drains; restart it" in capsys.readouterr().err
    assert not (tmp_path / "state.sqlite3").exists()


@pytest.mark.parametrize(
    ("status", "ended"), [(400, 255), (404, 255), (403, 1), (409, 1), (500, 1), (503, 1)]
)
@pytest.mark.parametrize(
    ("arguments", "target"),
    [(["cancel", "3"], "windows/cancel"), (["-d", "--at", "+1h", V4], "windows")],
    ids=["cancel", "plan"],
)
def test_refused_by_the_watchdog(
    tmp_path: Path, arguments: list[str], target: str, status: int, ended: int
) -> None:
    """What can't be asked is 255, whoever refuses it; what can't be done, or by whom it may not, is 1."""
    with reconciler(tmp_path, **{target: (status, {"error": "no"})}):
        assert mgmt(tmp_path, *arguments) == ended


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["-d", "--at", "2026-12-01T02:00+25:00", V4],
            "its offset is 24 hours or more; write such as",
        ),
        (
            ["-d", "--at", "2026-13-01T02:00", V4],
            "--at: 2026-13-01T02:00: there is no such day or minute; write such as 2026-12-01T02:00",
        ),
        (
            ["-d", "--at", "2026-12-01T02:61+25:00", V4],
            "--at: 2026-12-01T02:61+25:00: there is no such day or minute; write such as",
        ),
        (["-d", "--at", "soon", V4], "--at: 'soon': not a time; write such as 2026-12-01T02:00"),
        (["-d", "--at", "+soon", V4], "--at: 'soon'"),
        (["-d", "--at", "2020-01-01T00:00Z", V4], "--at: 2020-01-01T00:00:00Z: is over; drain"),
        (
            ["-d", "--at", "2126-01-01T00:00Z", V4],
            "--at: 2126-01-01T00:00:00Z: is more than ten years",
        ),
        (["-d", "--at", "+1h", "--reason", "a\nb", V4], "printable"),
        (["-d", "--late", "5m", V4], "--late is only valid with --at"),
        (["-a", "--at", "+1h", V4], "--at is only valid with -d"),
        (["cancel"], "cancel: one ID is required"),
        (["cancel", "one"], "cancel: 'one': not an ID"),
        (["cancel", "0"], "cancel: '0': not an ID"),
        (["cancel", "9" * 30], "not an ID"),
        (["schedule", V4], "schedule takes no NAME"),
    ],
    ids=" ".join,
)
def test_what_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    """What makes no sense is refused with 255 before anybody is asked."""
    with reconciler(tmp_path, windows=window()) as asked:
        assert mgmt(tmp_path, *arguments) == 255
    assert asked == []
    assert said in capsys.readouterr().err


def test_what_was_missed_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` says so, where no watchdog answers too, until it is cancelled."""
    with closing(Store(tmp_path / "state.sqlite3")) as store:
        prefixes = frozenset({parse_prefix(V4)})
        store.schedule(Window(0, prefixes, Mode.DRAINED, "alice", 1.0, 2.0))
        store.run_windows([1], AT)
    for told in (True, False):
        mgmt(tmp_path, "status", "--json")
        trouble = " ".join(json.loads(capsys.readouterr().out)["trouble"])
        assert ("window 1 of alice was missed" in trouble) == told
        assert mgmt(tmp_path, "cancel", "1") == (0 if told else 255)
        said = capsys.readouterr().err
        assert ("window 1 is no longer shown" in said) == told


def test_a_soft_drain(tmp_path: Path) -> None:
    """A soft drain is planned as another is: what begins then is its first stage."""
    with reconciler(tmp_path, windows=window(mode="draining")) as asked:
        assert mgmt(tmp_path, "-d", "--soft", "--at", "+1h", V4) == 0
    ((_, _, body),) = asked
    assert body["mode"] == "draining"


def test_status_and_explain_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no watchdog answers, `status` has at least what is planned."""
    with closing(Store(tmp_path / "state.sqlite3")) as store:
        prefixes = frozenset({parse_prefix(V4)})
        store.schedule(Window(0, prefixes, Mode.DRAINED, "alice", 1.0, AT, "kernel"))
    mgmt(tmp_path, "status", "--json")
    routes = {route["prefix"]: route for route in json.loads(capsys.readouterr().out)["routes"]}
    assert routes[V4]["planned"] == "drained from 2096-10-02T07:06:40Z by alice (window 1): kernel"
    assert "planned" not in routes[SECOND]


# --- local time ------------------------------------------------------------------------------------------

TELL = """
import sys, time
from speaker.cli.schedule import HereZone, begins_at
from policy.errors import PolicyError
from policy.local_time import moment_text
try:
    at = begins_at(sys.argv[1], 0.0, HereZone())
    print(at, moment_text(at, HereZone()))
except PolicyError as error:
    print(error)
"""


NO = "2027-03-28T02:30: does not exist: clocks are set forward over it; write another, such as"
TWICE = "2026-10-25T02:30: is there twice: clocks are set back then; write"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("2026-12-01T02:00", "1796086800.0 2026-12-01T02:00 CET"),
        ("2026-07-01T02:00", "1782864000.0 2026-07-01T02:00 CEST"),
        ("2027-03-28T01:59", "1806195540.0 2027-03-28T01:59 CET"),
        ("2027-03-28T03:00", "1806195600.0 2027-03-28T03:00 CEST"),
        ("2027-03-28T02:30", f"--at: {NO} 2027-03-28T03:30"),
        (
            "2026-10-25T02:30",
            f"--at: {TWICE} 2026-10-25T02:30+02:00 (CEST) or 2026-10-25T02:30+01:00 (CET)",
        ),
    ],
)
def test_local_time(text: str, told: str) -> None:
    """A time means what clocks on the wall here show; what they skip or show twice is refused, with what to write."""
    environment = {**os.environ, "TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}
    done = subprocess.run(
        [sys.executable, "-c", TELL, text],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == told


def test_from_now() -> None:
    """`+30m` is half an hour from now, whatever clocks on the wall show then."""
    assert begins_at("+30m", 1000.0, HERE) == 2800.0
    with pytest.raises(PolicyError, match="--at: '-30m': not a time"):
        begins_at("-30m", 1000.0, HERE)
