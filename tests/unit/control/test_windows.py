"""Planned drains over the control socket, and by the state file alone."""

from __future__ import annotations

import json
import os
import pwd
import time
from typing import TYPE_CHECKING, Any

import pytest

from policy.errors import PolicyError
from policy.intent import Mode
from speaker.api import IntentRequest
from speaker.control.client import RefusedError
from speaker.control.offline_planner import StateFilePlanner
from speaker.control.running import RunningWatchdog
from speaker.control.server import READERS, Access
from speaker.errors import SpeakerError
from speaker.planned import Cancellation, WindowRequest
from speaker.state.windows import MAX_WINDOWS
from tests.support.fakes.site import SECOND, V4, V6
from tests.support.lab.eventually import eventually
from tests.unit.control.test_server import raw, served

if TYPE_CHECKING:
    from pathlib import Path

    from policy.route import Prefix
    from speaker.planned import Planner
    from tests.support.fakes.site import Site

ME = pwd.getpwuid(os.getuid()).pw_name
READ = Access(asks_only=True, connections=READERS)


def request(at: float, only: Prefix | None = None, **more: Any) -> WindowRequest:
    prefixes = (V4, V6) if only is None else (only,)
    return WindowRequest(mode=Mode.DRAINED, prefixes=prefixes, reason="kernel", at=at, **more)


def planned_and_cancelled(planner: Planner) -> None:
    """Whoever answers: what is planned is told of, with who planned it, until it is cancelled."""
    at = time.time() + 3600
    assert planner.schedule(request(at, dry_run=True)).number == 0
    assert planner.windows() == []
    window = planner.schedule(request(at, seconds=7200.0, late=60.0))
    assert (window.number, window.owner, window.at, window.late) == (1, ME, at, 60.0)
    assert window.prefixes == (str(V4), str(V6))
    (shown,) = planner.windows()
    assert shown.values().items() <= window.values().items()
    assert planner.cancel(Cancellation(number=1)) == shown
    assert planner.windows() == []
    with pytest.raises((SpeakerError, PolicyError), match="window 1: not planned, or not any more"):
        planner.cancel(Cancellation(number=1))


def test_by_the_socket(tmp_path: Path) -> None:
    """The watchdog takes them."""

    def ask(site: Site) -> None:
        planned_and_cancelled(RunningWatchdog(site.control, site.control))

    served(tmp_path, ask)


@pytest.mark.parametrize(("rule", "is_told"), [('"strict"', True), ("false", False)])
def test_what_would_be_nowhere_now(tmp_path: Path, rule: str, *, is_told: bool) -> None:
    """Where the last announcement is kept, who plans is told what nobody else announces now; what is not announced here is not lost."""

    def ask(site: Site) -> None:
        eventually(lambda: str(SECOND) in site.table(), within=10, what="it is announced")
        asked = RunningWatchdog(site.control, site.control)
        for dry_run in (True, False):
            planned = asked.schedule(request(time.time() + 60, dry_run=dry_run, only=SECOND))
            assert planned.nowhere.startswith(f"{SECOND}: last: no live witness") is is_told
        drained = IntentRequest(mode=Mode.DRAINED, prefixes=(SECOND,), last=True)
        asked.apply(drained)
        assert asked.schedule(request(time.time() + 60, only=SECOND)).nowhere == ""

    served(tmp_path, ask, f"[policy]\nkeep_last = {rule}\n", marks=True)


def test_by_the_state_file(tmp_path: Path) -> None:
    """Where none runs, the file is written, and read, all the same."""

    def ask(site: Site) -> None:
        planned_and_cancelled(StateFilePlanner(site.reconciler.config, ""))

    served(tmp_path, ask)


def test_who_only_reads(tmp_path: Path) -> None:
    """The socket to read tells what is planned, and neither plans nor cancels."""

    def ask(site: Site) -> None:
        assert raw(site, "GET", "/windows") == (200, [])
        body = json.dumps(request(time.time() + 60).to_json()).encode()
        for target in ("/windows", "/windows/cancel"):
            status, said = raw(site, "POST", target, body)
            assert (status, "only answers questions" in said["error"]) == (403, True)

    served(tmp_path, ask, access=READ)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"at": 0.0}, "is over; drain without --at"),
        ({"at": 1e11}, "more than ten years ahead"),
        ({"at": 1e15}, "more than ten years ahead"),
        ({"at": "soon"}, "at"),
        ({"mode": "auto"}, "only a drain can be planned"),
        ({"late": -1.0}, "late"),
        ({"prefixes": []}, "prefixes"),
        ({"prefixes": ["198.51.100.1/32"]}, "not in the configuration"),
        ({"reason": "a\nb"}, "printable"),
        ({"more": 1}, "more"),
    ],
    ids=str,
)
def test_what_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """A request that makes no sense is refused, and says why; nothing is planned."""

    def ask(site: Site) -> None:
        body = request(time.time() + 60).to_json() | change
        status, answer = raw(site, "POST", "/windows", json.dumps(body).encode())
        assert status == 400
        assert said in answer["error"]
        assert raw(site, "GET", "/windows") == (200, [])

    served(tmp_path, ask)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"number": 0}', b'{"number": "1"}', b'{"number": 1e99}']
)
def test_no_number(tmp_path: Path, body: bytes) -> None:
    """What is no number of a window is refused."""

    def ask(site: Site) -> None:
        assert raw(site, "POST", "/windows/cancel", body)[0] == 400

    served(tmp_path, ask)


def test_over_is_refused_before_it_is_asked() -> None:
    """A time that has passed is refused by the request itself."""
    with pytest.raises(PolicyError, match="is over"):
        request(1.0).window("alice", 1e9)


def test_many_may_be_asked_for(tmp_path: Path) -> None:
    """A refusal of the state file reaches who asked."""

    def ask(site: Site) -> None:
        planner = RunningWatchdog(site.control, site.control)
        at = time.time() + 60
        for _ in range(MAX_WINDOWS):
            planner.schedule(request(at))
        with pytest.raises(RefusedError, match="no more fit"):
            planner.schedule(request(at))
        assert len(planner.windows()) == MAX_WINDOWS

    served(tmp_path, ask)
