"""Compares this machine with the others of its site, as the watchdog that runs here knows them: vip.toml, and the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import timestamp
from policy.lint.finding import Code, Finding
from policy.wording import span
from speaker.check.report import Report
from speaker.control.client import NotServedError
from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from speaker.config.settings import Config
    from speaker.site_values import MachineStatus, SiteStatus

_BY_CRON = "a pass of cron goes by this machine's copy of what was asked, and does not speak to etcd: run vip_watchdog --daemon"


def machines(config: Config, ask: Callable[[], SiteStatus]) -> Report:
    """Check that the other machines have the same vip.toml and the same time. Who is silent, or can't be asked, is noted.

    Args:
        config: what is checked.
        ask: asks the watchdog that runs here what it knows of them.
    """
    if config.settings.site is None:
        return Report()
    try:
        status = ask()
    except SpeakerError as error:
        by_cron = not config.settings.is_spawned and isinstance(error, NotServedError)
        return Report(notes=(f"not checked: other machines: {_BY_CRON if by_cron else error}",))
    notes = [] if status.connected else [f"not checked: other machines: etcd: {status.trouble}"]
    notes += [
        f"not checked: {each.name}: {silent(each)}" for each in status.machines if not each.live
    ]
    return Report(tuple(_found(status)), tuple(notes))


def silent(machine: MachineStatus) -> str:
    """Say since when nothing is heard from a machine."""
    since = machine.silent_since
    return "it is silent" + ("" if since is None else f" since {timestamp(since)}")


def _found(status: SiteStatus) -> Iterator[Finding]:
    for each in status.machines:
        subject = f"machine {each.name}"
        if each.same_file is False:
            yield Finding(
                Code.SITE_FILE,
                subject,
                "its vip.toml differs from this machine's in what must be the same everywhere",
                "make them the same: copy its file here, and vip_mgmt check FILE names what differs",
            )
        if each.is_off and (off := each.clock_off):
            yield Finding(
                Code.SITE_CLOCK,
                subject,
                f"its clock is {span(abs(off))} {'ahead of' if off > 0 else 'behind'} this machine's",
                "see NTP on both: drains that end, or are planned, do so by each machine's own clock",
            )
