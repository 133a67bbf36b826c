"""Finds what of IPVS a vip_watchdog without a capability can't read here, as seen by the user who asks.

Its units give it none: /proc/net/ip_vs is readable for every user, and has all that is needed. Where
it is not so, netlink tells, which takes CAP_NET_ADMIN. Root, who may run the check, reads either.
"""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

from policy.health import FWMARK, Health
from policy.lint.finding import Code, Finding
from speaker.check.report import Report
from speaker.errors import SpeakerError
from speaker.health.ipvs.proc import PATH, ProcReader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from speaker.api import Status
    from speaker.config.settings import Config

_REMEDY = 'give its unit CAP_NET_ADMIN, see "Where IPVS is not readable" in docs/exabgp.md'


def ipvs_rights(config: Config, status: Callable[[], Status], path: Path = PATH) -> Report:
    """Check that what the watchdog needs of IPVS here takes no capability, or that it has that.

    Args:
        config: what is checked.
        status: asks the watchdog that runs here what `vip_mgmt status` does.
        path: where the table is read. That it is not there, another check notes.
    """
    vips = {name for name, own in config.settings.health.items() if own.source == "ipvs"}
    findings = tuple(_findings(config, vips, path)) if vips and path.exists() else ()
    return Report() if findings and _knows(status, vips) else Report(findings)


def _findings(config: Config, vips: Collection[str], path: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & stat.S_IROTH:
        found = f"mode {mode:04o}: vip_watchdog, which is not root, may not read it"
        yield Finding(Code.IPVS_BARRED, str(path), found, _REMEDY)
        return
    try:
        marks = asyncio.run(ProcReader(path).read()).marks
    except SpeakerError:
        return
    claimed = {
        service.number
        for vip in config.topology.vips
        if vip.name in vips
        for service in vip.health.required
        if service.protocol == FWMARK
    }
    for mark in sorted(claimed & marks.keys()):
        if any(each.version is None and each.realservers for each in marks[mark]):
            found = f"its realservers are all tunnelled: {path} does not tell its family"
            yield Finding(Code.IPVS_BARRED, f"{FWMARK}/{mark}", found, _REMEDY)


def _knows(status: Callable[[], Status], vips: Collection[str]) -> bool:
    """Tell whether a watchdog runs that knows the health of all of some VIPs."""
    try:
        routes = status().routes
    except SpeakerError:
        return False
    healths = [route.health for route in routes if route.vip in vips]
    return bool(healths) and Health.UNKNOWN not in healths
