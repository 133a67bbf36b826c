"""What `vip_mgmt check` finds at the other machines of a site: another vip.toml, another time; who is silent is noted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from speaker import config
from speaker.check.machines import machines
from speaker.control.client import NotServedError, OutcomeUnknownError
from speaker.site_values import MachineStatus, SiteStatus
from tests.support.fakes.site import write_config

if TYPE_CHECKING:
    from pathlib import Path

    from speaker.config.settings import Config
    from speaker.errors import SpeakerError

SITE = '[site]\netcd = ["http://127.0.0.1:2379"]\nmachine = "lb1"\n'


def loaded(directory: Path, more: str = SITE) -> Config:
    return config.load(write_config(directory, more), {})


def status(**more: Any) -> SiteStatus:
    own = MachineStatus(dc="par1", machine="lb1", live=True, same_file=True, clock_off=0.0)
    other = MachineStatus(**{"dc": "par1", "machine": "lb2", "live": True, **more})
    return SiteStatus(dc="par1", machine="lb1", connected=True, machines=(own, other))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"same_file": False}, "site-file"),
        ({"clock_off": 5.5}, "site-clock"),
        ({"clock_off": -62.0}, "site-clock"),
        ({"same_file": True, "clock_off": 5.0}, ""),
        ({"same_file": None, "clock_off": None}, ""),
    ],
)
def test_found(tmp_path: Path, more: dict[str, Any], code: str) -> None:
    """What is not known is no fault."""
    report = machines(loaded(tmp_path), lambda: status(**more))
    assert [(each.code, each.subject) for each in report.findings] == [
        (code, "machine par1/lb2")
    ] * bool(code)
    assert report.notes == ()


def test_how_far_a_clock_is_off(tmp_path: Path) -> None:
    """It is said by how much, and to which side."""
    for off, said in ((62.0, "1m2s ahead of"), (-7.0, "7s behind")):
        (found,) = machines(loaded(tmp_path), partial(status, clock_off=off)).findings
        assert said in found.found


def test_silent(tmp_path: Path) -> None:
    """Of a machine that is silent nothing is known."""
    report = machines(loaded(tmp_path), lambda: status(live=False, silent_since=0.0))
    assert report.findings == ()
    assert report.notes == ("not checked: par1/lb2: it is silent since 1970-01-01T00:00:00Z",)


def refuse(error: SpeakerError) -> SiteStatus:
    raise error


def test_nobody_to_ask(tmp_path: Path) -> None:
    """That is noted; beside bgpd without a daemon, that cron's pass does not speak to etcd."""
    unserved, silent = NotServedError("control: nobody serves it"), OutcomeUnknownError("no answer")
    by_exabgp = loaded(tmp_path)
    assert machines(by_exabgp, lambda: refuse(unserved)).notes == (
        "not checked: other machines: control: nobody serves it",
    )
    path = write_config(tmp_path, SITE)
    path.write_text(path.read_text().replace('dc = "par1"\n', 'dc = "par1"\nbackend = "quagga"\n'))
    by_bgpd = config.load(path, {})
    assert "does not speak to etcd" in machines(by_bgpd, lambda: refuse(unserved)).notes[0]
    assert machines(by_bgpd, lambda: refuse(silent)).notes == (
        "not checked: other machines: no answer",
    )
    assert machines(loaded(tmp_path, ""), lambda: refuse(silent)).notes == ()


def test_etcd_is_away(tmp_path: Path) -> None:
    """What was told before may be old: that is noted."""
    away = SiteStatus(dc="par1", machine="lb1", connected=False, trouble="no member answers")
    assert machines(loaded(tmp_path), lambda: away).notes == (
        "not checked: other machines: etcd: no member answers",
    )
