"""[dc.NAME]: what tells the routes of one data centre from those of the others."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from policy.route import Community
from policy.wanted import WantedRoutes
from speaker import config
from speaker.config.render import render

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
[node]
dc = "par1"
[dc.par1]
asn = 64699
{par1}
[dc.lyo1]
asn = 64699
{lyo1}
[profile.near]
prepends = 0
communities = ["64699:100"]
[profile.far]
prepends = 1
[policy]
ranks = ["near", "far"]
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
"""


def load(folder: Path, par1: str = "", lyo1: str = "") -> config.Config:
    """Read a file with these lines in its two data centres."""
    path = folder / "vip.toml"
    path.write_text(FILE.format(par1=par1, lyo1=lyo1))
    return config.load(path, {})


def test_mark_is_in_every_route(tmp_path: Path) -> None:
    """Each route of a data centre has its mark beside its profile's communities, while it drains too; no other's has."""
    found = load(tmp_path, 'mark = "64699:1"')
    mark = Community(64699, 1)
    for dc in found.topology.dcs:
        wanted = WantedRoutes(found.topology, dc)
        for route in wanted.all():
            soft = wanted.soft(route.prefix)
            assert soft is not None
            assert [mark in each.attributes.communities for each in (route, soft)] == [
                dc.name == "par1"
            ] * 2
    (near,) = WantedRoutes(found.topology, found.topology.dcs[0]).all()
    assert near.attributes.communities == (mark, Community(64699, 100))


def test_what_tells_it(tmp_path: Path) -> None:
    """Next hops and originators are read as addresses."""
    told = 'next_hops = ["203.0.113.10", "2001:db8:ffff::10"]\noriginators = ["203.0.113.11"]'
    par1, lyo1 = load(tmp_path, told).topology.dcs
    assert par1.next_hops == {ip_address("203.0.113.10"), ip_address("2001:db8:ffff::10")}
    assert par1.originators == {ip_address("203.0.113.11")}
    assert (lyo1.mark, lyo1.next_hops, lyo1.originators) == (None, frozenset(), frozenset())


@pytest.mark.parametrize(
    ("par1", "lyo1", "said"),
    [
        ('mark = "64699:1"', 'mark = "64699:1"', "dc.lyo1.mark: 64699:1 is also dc.par1.mark"),
        (
            'next_hops = ["203.0.113.9"]',
            'next_hops = ["203.0.113.9"]',
            "dc.lyo1.next_hops: 203.0.113.9 is also dc.par1.next_hops",
        ),
        ('mark = "64699:100"', "", "dc.par1.mark: 64699:100 is also a community of profile.near"),
        ('mark = "65535:0"', "", "dc.par1.mark: 65535:0 is also a community of drain"),
        ('mark = "blue"', "", "dc.par1.mark: 'blue' is not a community; write it like"),
        ('originators = ["2001:db8::1"]', "", "dc.par1.originators[0]: "),
    ],
)
def test_refused(tmp_path: Path, par1: str, lyo1: str, said: str) -> None:
    """What two data centres have, or a route may have for another reason, tells nothing, and is refused."""
    with pytest.raises(config.ConfigError) as refused:
        load(tmp_path, par1, lyo1)
    assert said in str(refused.value)


def test_keep_last_needs_to_tell(tmp_path: Path) -> None:
    """The last one can be kept only where each data centre's routes are told from others': else every one is the last."""
    path = tmp_path / "vip.toml"
    kept = FILE.replace("[policy]\n", "[policy]\nkeep_last = true\n")
    one = 'mark = "64699:1"'
    path.write_text(kept.format(par1=one, lyo1=""))
    with pytest.raises(config.ConfigError, match="nothing tells the routes of lyo1"):
        config.load(path, {})
    other = kept.replace("[dc.lyo1]\nasn = 64699", "[dc.lyo1]\nasn = 64698")
    for text in (
        kept.format(par1=one, lyo1='mark = "64699:2"'),
        kept.format(par1=one, lyo1='next_hops = ["203.0.113.9"]'),
        other.format(par1="", lyo1=""),
    ):
        path.write_text(text)
        assert config.load(path, {}).settings.witness.keep_last


def test_rendered(tmp_path: Path) -> None:
    """What is said of witnesses means the same when it is written and read again."""
    text = FILE.replace("[policy]\n", '[policy]\nkeep_last = "strict"\nsettle = "5s"\n')
    text = text.replace('dc = "par1"', 'dc = "par1"\nwitnesses = ["203.0.113.1", "2001:db8::f"]')
    path = tmp_path / "vip.toml"
    path.write_text(text.format(par1='mark = "64699:1"', lyo1='originators = ["203.0.113.9"]'))
    written = config.load(path, {})
    assert (written.settings.witness.keep_last, written.settings.witness.settle) == ("strict", 5.0)
    assert [*map(str, written.settings.witness.named)] == ["203.0.113.1", "2001:db8::f"]
    path.write_text(render(written))
    assert config.load(path, {}) == written
