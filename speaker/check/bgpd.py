"""Checks that the bgpd here is of a version that this program is tested with, and that its neighbours can be given their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from policy.lint.finding import Code, Finding
from speaker.backends.base import BackendError
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.version import SHOW, parse_version, untested
from speaker.backends.quagga.vtysh import Shell
from speaker.check.report import Report
from speaker.runtime.assemble import configure_bgpd

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


def bgpd_neighbors(config: Config, vtysh: Vtysh | None = None) -> Report:
    """Check that bgpd's neighbours can be given what [peer] and [peer_group] say.

    Args:
        config: what is checked.
        vtysh: asks bgpd; None for the one that the configuration names.
    """
    settings = config.settings
    if settings.backend != "quagga" or not config.topology.peers:
        return Report()
    backend = QuaggaBackend(vtysh or Shell(settings.quagga.vtysh))
    configure_bgpd(backend, config)
    try:
        obstacles = asyncio.run(backend.obstacles())
    except BackendError as error:
        return Report(notes=(f"not checked: bgpd's neighbors: {error}",))
    return Report(
        tuple(
            Finding(Code.PEER_POLICY, f"neighbor {name}", why.found, why.remedy)
            for name, why in obstacles.items()
        )
    )
