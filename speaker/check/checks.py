"""Finds checks, reports and rules that nothing uses, checks that ask through the VIP on which they decide, and certificates that expire."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from policy.intent import timestamp
from policy.lint.finding import Code, Finding
from policy.rule import terms
from policy.sources import CHECK, REPORT
from speaker.check.report import Report
from speaker.config.schema_checks import RULE
from speaker.config.settings_checks import DnsCheck, GrpcCheck, HttpCheck
from speaker.errors import SpeakerError
from speaker.health.addresses import AddressError, dump
from speaker.health.checks.source import probes
from speaker.units import address, endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from speaker.api import Status
    from speaker.config.settings import Config
    from speaker.health.addresses import HostAddresses
    from speaker.health.checks.probe import Probe
    from speaker.units import IpAddress

SOON = 14 * 86400.0
"""How long before it expires a certificate is found, in seconds."""


def unused(config: Config) -> Report:
    """Check that each check, each report and each rule of `[rule]` is named by some VIP's rule."""
    settings = config.settings
    used = {check.name for own in settings.health.values() for check in own.checks}
    rules = [vip.health.rule for vip in config.topology.vips if vip.health.rule is not None]
    named = {term for rule in rules for term in terms(rule)}
    reports = [name for name in settings.api.reports if REPORT + name not in named]
    checks = [name for name in settings.checks if name not in used]
    return Report(
        (
            *_unused(Code.REPORT_UNUSED, REPORT, reports, "nothing is decided by it"),
            *_unused(Code.CHECK_UNUSED, CHECK, checks, "it is never asked"),
            *_unused(Code.RULE_UNUSED, RULE, settings.unused_rules, "nothing is decided by it"),
        )
    )


def _unused(code: Code, kind: str, names: Iterable[str], so: str) -> Iterator[Finding]:
    table = kind.removesuffix("/")
    for name in names:
        remedy = f'name it in a rule, as "{kind}{name}", or remove it'
        yield Finding(code, f"{table}.{name}", f"no VIP's rule names it: {so}", remedy)


def through_vip(config: Config, addresses: Callable[[], Awaitable[HostAddresses]] = dump) -> Report:
    """Check that no check asks an address of the VIP on which it decides, where that address is not on this machine.

    Args:
        config: what is checked.
        addresses: reads those of this machine.
    """
    asked = [*_asks_itself(config)]
    if not asked:
        return Report()
    try:
        here = asyncio.run(_read(addresses)).usable
    except AddressError as error:
        return Report(notes=(f"not checked: whether checks ask through their own VIPs: {error}",))
    return Report(
        tuple(
            Finding(
                Code.CHECK_THROUGH_VIP,
                f"vip {name}",
                f"check.{check} asks {target}, which is not on this machine: the answer is that of wherever "
                "the network leads, and where the VIP is withdrawn, it never comes back",
                "have the address on this machine (on lo), or ask the realservers, with {realserver}",
            )
            for name, check, target in asked
            if target not in here
        )
    )


async def _read(addresses: Callable[[], Awaitable[HostAddresses]]) -> HostAddresses:
    return await addresses()


def _asks_itself(config: Config) -> Iterator[tuple[str, str, IpAddress]]:
    """Yield the VIP, the check and the address of those that ask an address of the VIP."""
    for vip in config.topology.vips:
        for check in config.settings.health[vip.name].checks:
            for own in vip.addresses:
                for probe in probes(check, own.prefix, ()):
                    target = _address(probe)
                    if target is not None and target in own.prefix:
                        yield vip.name, check.name, target


def _address(probe: Probe) -> IpAddress | None:
    """Return the address that is asked, None where it is not known: a program asks whom it likes."""
    if probe.target is not None:
        return probe.target[0] if isinstance(probe.target, tuple) else probe.target
    match probe.check.asks:
        case HttpCheck() | GrpcCheck() as what:
            return address(what.address)
        case DnsCheck() as what:
            return endpoint(what.server)[0]
        case _:
            return None


def certificates(status: Callable[[], Status], now: Callable[[], float] = time.time) -> Report:
    """Check that no certificate that a check was shown has expired, or will soon. Who can't say, others note.

    Args:
        status: asks the watchdog that runs here what `vip_mgmt status` does.
        now: seconds since the epoch.
    """
    try:
        routes = status().routes
    except SpeakerError:
        return Report()
    return Report(
        tuple(
            Finding(
                Code.CERTIFICATE_EXPIRES,
                f"vip {route.vip} {route.prefix}",
                f"the certificate that {source} was shown expires at {timestamp(expires)}",
                "renew it",
            )
            for route in routes
            for source, expires in route.expires.items()
            if expires < now() + SOON
        )
    )
