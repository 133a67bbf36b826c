"""What `check` finds of checks and rules, and no more."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from policy.lint import lint
from speaker.api import Status
from speaker.check.checks import certificates, through_vip, unused
from speaker.errors import SpeakerError
from speaker.health.addresses import AddressError, HostAddresses
from tests.support.shown import ANNOUNCED
from tests.unit.check.test_check import codes
from tests.unit.config.test_load import HEAD, load

if TYPE_CHECKING:
    from speaker.config.settings import Config

CHECKS = """
[check.vip]
http = "http://{address}:81/"
[check.fixed]
http = "http://192.0.2.1/"
[check.resolver]
dns = "192.0.2.1:53"
query = "a.tld A"
[check.program]
exec = ["/bin/true"]
[check.other]
http = "http://192.0.2.99/"
[check.each]
http = "http://{realserver}/"
realservers = ["192.0.2.98:80"]
"""


def config(rule: str) -> Config:
    return load(HEAD + CHECKS + f'[vip."a.tld"]\naddresses = ["192.0.2.1"]\nrule = {rule}\n')


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ('{ all = ["ipvs", "check/vip"] }', []),
        ('{ all = ["ipvs", { not = "ipvs" }] }', ["rule-never-up"]),
        ('{ any = ["ipvs", { not = "ipvs" }] }', ["rule-never-down"]),
    ],
)
def test_rules(rule: str, found: list[str]) -> None:
    """A rule that is the same whatever is so is found."""
    of_rules = [each for each in lint(config(rule).topology) if each.code.startswith("rule-")]
    assert [each.code for each in of_rules] == found


def test_unused() -> None:
    """A check that no rule of a VIP names is found."""
    rule = '{ all = ["check/vip", "check/fixed", "check/program", "check/other", "check/each"] }'
    assert codes(unused(config(rule))) == [("check-unused", "check.resolver")]


def test_unused_reports() -> None:
    """A report that no rule of a VIP names is found."""
    vip = '[vip."a.tld"]\naddresses = ["192.0.2.1"]\nrule = { not = "report/a" }\n'
    found = unused(load(f"{HEAD}[report.a]\n[report.b]\n{vip}"))
    assert codes(found) == [("report-unused", "report.b")]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ('"rule/whole"', ["alone", "of-alone"]),
        ('{ all = ["ipvs", { not = "rule/part" }] }', ["whole", "alone", "of-alone"]),
        ('{ any = ["rule/alone", "rule/whole"] }', []),
        ('"ipvs"', ["whole", "part", "alone", "of-alone"]),
    ],
)
def test_unused_rules(rule: str, found: list[str]) -> None:
    """A rule that no VIP's rule comes to is found, though another such rule names it; one that is named within another is used."""
    named = """[rule]
whole = { all = ["ipvs", "rule/part"] }
part = { any = ["ipvs"] }
alone = { not = "rule/of-alone" }
of-alone = { any = ["ipvs"] }
"""
    vip = f'[vip."a.tld"]\naddresses = ["192.0.2.1"]\nrule = {rule}\n'
    unused_rules = codes(unused(load(HEAD + named + vip)))
    assert unused_rules == [("rule-unused", f"rule.{name}") for name in found]


async def nowhere() -> HostAddresses:
    return HostAddresses(frozenset())


async def here() -> HostAddresses:
    return HostAddresses(frozenset({ip_address("192.0.2.1")}))


async def unreadable() -> HostAddresses:
    raise AddressError("addresses: netlink: no")


@pytest.mark.parametrize("name", ["vip", "fixed", "resolver"])
def test_through_the_vip(name: str) -> None:
    """A check that asks the VIP's own address is found where that is not on this machine; what can't be told is noted."""
    found = config(f'"check/{name}"')
    assert codes(through_vip(found, nowhere)) == [("check-through-vip", "vip a.tld")]
    assert not through_vip(found, here).findings
    assert through_vip(found, unreadable).notes[0].endswith("netlink: no")


@pytest.mark.parametrize("name", ["other", "each", "program"])
def test_beside_the_vip(name: str) -> None:
    """One that asks elsewhere is not, and then nothing is read."""
    found = through_vip(config(f'"check/{name}"'), unreadable)
    assert not found.findings
    assert not found.notes


def test_certificates() -> None:
    """What expires within two weeks is found, with the source that was shown it."""
    day = 86400.0
    route = replace(
        ANNOUNCED,
        vip="a.tld",
        as_path=(),
        realservers=None,
        reason="",
        expires={
            "check/soon": 1e9 + 13 * day,
            "check/late": 1e9 + 15 * day,
            "check/old": 1e9 - day,
        },
    )
    status = Status(dc="par1", backend="exabgp", peers=(), trouble=(), routes=(route,))
    found = certificates(lambda: status, lambda: 1e9).findings
    assert [(each.code, each.found.split()[3]) for each in found] == [
        ("certificate-expires", "check/soon"),
        ("certificate-expires", "check/old"),
    ]


def test_no_watchdog() -> None:
    """Where no watchdog answers, others note it."""

    def silent() -> Status:
        raise SpeakerError("nobody")

    assert not certificates(silent).notes
