"""Checks that the bgpd here is of a version that this program is tested with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from policy.lint.finding import Code, Finding
from speaker.backends.base import BackendError
from speaker.backends.quagga.version import SHOW, parse_version, untested
from speaker.backends.quagga.vtysh import Shell
from speaker.check.report import Report

if TYPE_CHECKING:
    from speaker.backends.quagga.vtysh import Vtysh
    from speaker.config.settings import Config

SHOWN = 60


def bgpd_version(config: Config, vtysh: Vtysh | None = None) -> Report:
    """Check bgpd's version, where bgpd is the backend. That it can't be asked is a note.

    Args:
        config: what is checked.
        vtysh: asks bgpd; None for the one that the configuration names.
    """
    settings = config.settings
    if settings.backend != "quagga":
        return Report()
    ask = vtysh or Shell(settings.quagga.vtysh)
    try:
        output = asyncio.run(ask([SHOW]))
    except BackendError as error:
        return Report(notes=(f"not checked: bgpd's version: {error}",))
    lines = output.stdout.splitlines()
    version = parse_version(lines)
    if version is not None and version.is_tested:
        return Report()
    said = next(filter(str.strip, lines), "nothing")[:SHOWN]
    found = (
        f"it is {version}" if version else f"{SHOW} says {said!r}, which is neither FRR nor Quagga"
    )
    return Report((Finding(Code.DAEMON_VERSION, "bgpd", found, untested()),))
