"""Checks vip.toml against what is outside: DNS, IPVS here, the peers. What is silent is noted."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

from policy.assignment import assignments
from policy.health import FWMARK, Service
from policy.lint import outside
from policy.lint.finding import Code, Finding
from policy.lint.peers import LintedPeer, loops, missing, preferences
from policy.route import Asn
from policy.wording import named
from speaker.backends.base import BackendError
from speaker.check.report import Report
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.health.ipvs.source import read_table, usual
from speaker.health.ipvs.table import TableError
from speaker.resolver.resolver import Family, LookupOutcome, NameLookupError
from speaker.runtime.assemble import driver

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from speaker.api import ConfigurationStatus, DaemonStatus, Status
    from speaker.config.settings import Config
    from speaker.health.ipvs.table import TableReader
    from speaker.resolver.resolver import Resolver
    from speaker.site_values import SiteStatus
    from speaker.units import IpAddress

DNS_TIMEOUT = 5.0
"""Seconds for all names together."""
WATCHDOG_TIMEOUT = 5.0


def dns(config: Config, resolver: Resolver) -> Report:
    """Check that DNS has the VIPs' names with their addresses, and no others.

    A name that does not exist there is a note: vip.toml may name VIPs as it likes, and vip_mgmt
    takes such a name all the same.

    Args:
        config: what is checked.
        resolver: asks DNS; its time is for all names together.
    """
    known: dict[str, dict[int, Collection[IpAddress]]] = {}
    broken: list[Finding] = []
    silent: dict[str, list[str]] = defaultdict(list)
    absent: list[str] = []
    for name, answer in resolver.lookup_all(vip.name for vip in config.topology.vips).items():
        if isinstance(answer, NameLookupError):
            broken.append(
                Finding(
                    Code.DNS_MISSING,
                    name,
                    f"DNS does not give its addresses: {answer}",
                    "correct it in DNS, or its name in vip.toml",
                )
            )
            continue
        if answer.outcome is LookupOutcome.ABSENT:
            absent.append(name)
            continue
        if answer.failed:
            silent[answer.reason].append(name)
        known[name] = {}
        if Family.IPV4 not in answer.failed:
            known[name][4] = answer.ipv4
        if Family.IPV6 not in answer.failed:
            known[name][6] = answer.ipv6
    if absent:
        silent["not in DNS at all; only vip.toml has it"] = absent
    notes = tuple(f"not checked: DNS: {named(names, 2)}: {why}" for why, names in silent.items())
    return Report((*broken, *outside.names(config.topology, known)), notes)


def ipvs(config: Config, readers: Sequence[TableReader] | None = None) -> Report:
    """Check that IPVS here has the VIPs that get their health from it, and no others.

    Args:
        config: what is checked.
        readers: ways to the table, best first; None for the usual ones.
    """
    balanced = {name for name, own in config.settings.health.items() if own.source == "ipvs"}
    if not balanced:
        return Report()
    claimed = {
        service.number
        for vip in config.topology.vips
        for service in vip.health.required
        if service.protocol == FWMARK
    }
    try:
        table = asyncio.run(read_table(usual(claimed) if readers is None else readers))
    except TableError as error:
        return Report(notes=(f"not checked: {error}",))
    found = [(server.address, Service(server.protocol, server.port)) for server in table.services]
    dc = config.settings.dc.name
    marks = {mark: {each.version for each in of} for mark, of in table.marks.items()}
    return Report(outside.services(config.topology, balanced, found, marks, dc))


def peers(config: Config) -> Report:
    """Check that no peer drops what is announced here, and that vip.toml's rules for single neighbours have one."""
    settings = config.settings
    try:
        neighbours = _of_watchdog(config)
    except SpeakerError as error:
        if settings.is_spawned:
            return Report(notes=(f"not checked: peers: {error}",))
        try:
            neighbours = _of_bgpd(config)
        except BackendError as error:
            return Report(notes=(f"not checked: peers: {error}",))
    duties = assignments(config.topology, settings.dc).values()
    routes = [duty.route for duty in duties if duty.route is not None]
    rules = config.topology.peers
    unknown = ("not checked: peers: the daemon's neighbors are not known",)
    return Report(
        (
            *loops(routes, neighbours),
            *preferences(routes, neighbours),
            *missing(rules, settings.dc.name, neighbours),
        ),
        unknown if rules and not neighbours else (),
    )


def daemon(config: Config) -> Report:
    """Check that the daemon here is of a version that is tested, and that its watchdog runs this vip.toml.

    That none answers, `peers` notes.
    """
    try:
        now = status(config)
    except SpeakerError:
        return Report()
    # bgpd's own is asked for its version by itself, whether a watchdog runs beside it or not.
    own = version(now.daemon) if config.settings.backend == "exabgp" else Report()
    return own + loaded(now.configuration) + moved(config, now.configuration)


def loaded(configuration: ConfigurationStatus) -> Report:
    """Note that a watchdog runs another vip.toml than is on the disk: no fault, it is checked before it is loaded."""
    trouble = configuration.trouble
    return Report(notes=(f"not loaded: {trouble}",) if trouble else ())


def moved(config: Config, running: ConfigurationStatus) -> Report:
    """Check that the watchdog uses the paths that vip.toml has. One that does not tell its own is passed over."""
    return Report(
        tuple(
            Finding(
                Code.NODE_MOVED,
                f"node.{key}",
                f"the watchdog that runs uses {running.used[key]}, and vip.toml has {path}",
                "restart vip_watchdog, or put the path back",
            )
            for key, path in config.settings.paths.items()
            if running.used.get(key, path) != path
        )
    )


def version(daemon: DaemonStatus) -> Report:
    """Check the daemon's version, by what a watchdog answers."""
    if not daemon.untested:
        return Report()
    found = "it is not of a version that is tested"
    return Report((Finding(Code.DAEMON_VERSION, daemon.name, found, daemon.untested),))


def status(config: Config) -> Status:
    """Return what the watchdog that runs here answers to the question for its status.

    Raises:
        SpeakerError: it does not answer.
    """
    return RunningWatchdog.of(config, timeout=WATCHDOG_TIMEOUT).status()


def of_site(config: Config) -> SiteStatus:
    """Return what the watchdog that runs here knows of the other machines of its site.

    Raises:
        SpeakerError: it does not answer, or knows of none.
    """
    return RunningWatchdog.of(config, timeout=WATCHDOG_TIMEOUT).site()


def _of_watchdog(config: Config) -> list[LintedPeer]:
    own = config.settings.dc.asn
    return [
        LintedPeer(
            peer.address, Asn(peer.asn), own if peer.local_as is None else Asn(peer.local_as)
        )
        for peer in status(config).peers
    ]


def _of_bgpd(config: Config) -> list[LintedPeer]:
    backend = driver(config).backend
    asyncio.run(backend.read(()))
    return [LintedPeer(p.address, Asn(p.asn), Asn(p.local_as)) for p in backend.peers()]
