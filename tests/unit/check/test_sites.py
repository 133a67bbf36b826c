"""vip_mgmt check OTHER.toml: what must be the same in every data centre, and what need not be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policy.lint.finding import Code
from speaker import config
from speaker.check.sites import compare

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[policy]
confirm = "3s"
[health]
rise = "5s"
ignore_realservers = ["127.0.0.1:80"]
[backend.exabgp]
next_hop = { ipv6 = "2001:db8:ffff::2" }
[vip."vip-1.tld"]
addresses = ["192.0.2.1", "192.0.2.2"]
services = { "tcp/25" = { realservers = ["198.51.100.1:25"] } }
health = { source = "tcp" }
[vip."vip-2.tld"]
addresses = [{ ip = "192.0.2.3", prefer = ["lyo1", "par1"] }]
"""


def compared(directory: Path, *changes: tuple[str, str]) -> list[str]:
    """What is said of two files that differ in this."""
    text = BASE
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    one, other = directory / "vip.toml", directory / "other.toml"
    one.write_text(BASE)
    other.write_text(text)
    report = compare(config.read(one), config.read(other))
    assert {finding.code for finding in report.findings} <= {Code.SITES_DIFFER}
    return [
        f"{finding.subject}: {finding.found}".replace(str(other), "OTHER")
        for finding in report.findings
    ]


REMEDIES = [
    (('rise = "5s"', 'rise = "6s"'), "else the same failure withdraws a VIP in one of them"),
    (('{ source = "tcp" }', '{ source = "none" }'), "else the same failure withdraws a VIP in one"),
    (("tcp/25", "tcp/26"), "else the same failure withdraws a VIP in one of them"),
    (('confirm = "3s"', 'confirm = "4s"'), "else one holds back the same loss of VIPs"),
    (("[policy]", "[policy]\nload_tolerance = '50%'"), "else check finds in one"),
    (('["lyo1", "par1"]', '["par1", "lyo1"]'), "may tie for an address, or leave it to none"),
]


@pytest.mark.parametrize(("change", "said"), REMEDIES)
def test_the_remedy_is_about_the_key(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    """What happens else is told of what the key is about: a difference of health is no tie."""
    assert BASE.count(change[0]) == 1
    one, other = tmp_path / "vip.toml", tmp_path / "other.toml"
    one.write_text(BASE)
    other.write_text(BASE.replace(*change))
    found = compare(config.read(one), config.read(other)).findings
    assert found
    assert all(said in finding.remedy for finding in found)


MACHINES = [
    [],
    [('[node]\ndc = "par1"', '[node]\ndc = "lyo1"\nbackend = "quagga"')],
    [('[node]\ndc = "par1"', "")],
    [("2001:db8:ffff::2", "2001:db8:ffff::3")],
    [("127.0.0.1:80", "127.0.0.1:81"), ("198.51.100.1:25", "203.0.113.1:25")],
    [("[health]", '[health]\nkeepalived_fifo = "/run/other.fifo"')],
    [('"vip-1.tld"', '"VIP-1.tld"'), ("[policy]", '[policy]\nmax_withdraw = "50%"')],
    [("[dc.par1]\nasn = 64699", "[dc.par1]\nweight = 1\nasn = 64699")],
]


@pytest.mark.parametrize("changes", MACHINES)
def test_what_may_differ(tmp_path: Path, changes: list[tuple[str, str]]) -> None:
    """What belongs to a machine may differ, and so may the spelling of what means the same."""
    assert compared(tmp_path, *changes) == []


ADDRESSES_TURNED = 'vip."vip-1.tld".addresses: in the order 192.0.2.1, 192.0.2.2 here, 192.0.2.2, 192.0.2.1 in OTHER'
DIFFER = [
    (
        "asn = 64699\n[dc.lyo1]",
        "asn = 64496\n[dc.lyo1]",
        ["dc.par1.asn: 64699 here, 64496 in OTHER"],
    ),
    (
        "[policy]",
        "[dc.fra1]\nasn = 64699\n[policy]",
        ["dc.fra1: not set here, set in OTHER"],
    ),
    (
        "[dc.par1]\nasn = 64699\n[dc.lyo1]\nasn = 64699\n",
        "[dc.lyo1]\nasn = 64699\n[dc.par1]\nasn = 64699\n",
        ["dc: in the order par1, lyo1 here, lyo1, par1 in OTHER"],
    ),
    ('confirm = "3s"', "", []),
    ('confirm = "3s"', 'confirm = "4s"', ['policy.confirm: "3s" here, "4s" in OTHER']),
    ('rise = "5s"', "", ['health.rise: "5s" here, not set in OTHER']),
    (
        'health = { source = "tcp" }',
        'health = { source = "tcp", rise = "0s" }',
        ['vip."vip-1.tld".health.rise: not set here, "0s" in OTHER'],
    ),
    (
        '"192.0.2.1", "192.0.2.2"',
        '"192.0.2.2", "192.0.2.1"',
        [ADDRESSES_TURNED],
    ),
    (
        '"192.0.2.1", "192.0.2.2"',
        '"192.0.2.1"',
        ['vip."vip-1.tld".addresses: 192.0.2.2 only here'],
    ),
    (
        '"192.0.2.1", "192.0.2.2"',
        '"192.0.2.1", "192.0.2.9"',
        ['vip."vip-1.tld".addresses: 192.0.2.2 only here and 192.0.2.9 only in OTHER'],
    ),
    (
        '"lyo1", "par1"]',
        '"par1", "lyo1"]',
        ['vip."vip-2.tld".addresses[0].prefer: ["lyo1", "par1"] here, ["par1", "lyo1"] in OTHER'],
    ),
    (
        '"tcp/25"',
        '"tcp/26"',
        [
            'vip."vip-1.tld".services."tcp/25": set here, not set in OTHER',
            'vip."vip-1.tld".services."tcp/26": not set here, set in OTHER',
        ],
    ),
    (
        '"vip-2.tld"',
        '"vip-3.tld"',
        [
            'vip."vip-2.tld": set here, not set in OTHER',
            'vip."vip-3.tld": not set here, set in OTHER',
        ],
    ),
]


@pytest.mark.parametrize(("old", "new", "said"), DIFFER)
def test_what_must_not_differ(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    """Every other key must mean the same: each that does not is named with both values."""
    assert compared(tmp_path, (old, new)) == said
