"""`vip_mgmt check` beside bgpd: neighbours that can't be given what [peer] says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.lint.finding import Code
from speaker import config as configuration
from speaker.check.bgpd import bgpd_neighbors
from tests.support.fakes.bgpd_peers import BgpdWithPeers, FakePeer

if TYPE_CHECKING:
    from pathlib import Path

    from speaker.check.report import Report

SITE = """
[node]
dc = "par1"
backend = "quagga"
[dc.par1]
asn = 64699
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
[backend.quagga]
outbound = true
"""
RULE = '[peer."203.0.113.11"]\nexcept = ["vip-1.tld"]'


def check(tmp_path: Path, bgpd: BgpdWithPeers, rules: str) -> Report:
    path = tmp_path / "vip.toml"
    path.write_text(SITE + rules)
    return bgpd_neighbors(configuration.load(path, {}), bgpd)


def test_neighbours(tmp_path: Path) -> None:
    """One with the site's own route-map is found, with the remedy, once for both families; without a rule nothing is asked."""
    bgpd = BgpdWithPeers("frr-10.3", neighbors={"203.0.113.11": FakePeer(64500)})
    assert check(tmp_path, bgpd, "").findings == ()
    assert bgpd.runs == []
    assert check(tmp_path, bgpd, RULE).findings == ()
    bgpd.neighbors["203.0.113.11"].maps = {4: "SITE", 6: "SITE"}
    (found,) = check(tmp_path, bgpd, RULE).findings
    assert (found.code, found.subject) == (Code.PEER_POLICY, "neighbor 203.0.113.11")
    assert "route-map SITE out" in found.found
    assert "prefix-list" in found.remedy
    assert all(run[0].startswith("show") for run in bgpd.runs)


def test_a_bgpd_that_is_down(tmp_path: Path) -> None:
    """What can't be asked is a note, and no finding."""
    bgpd = BgpdWithPeers("frr-10.3", up=False)
    report = check(tmp_path, bgpd, RULE)
    assert report.findings == ()
    assert "not checked: bgpd's neighbors" in report.notes[0]
