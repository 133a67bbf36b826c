"""`aggregate-address` by real FRR, and by the evaluation of its file: the same UPDATEs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.reader import read
from speaker.migration.updates.evaluate import evaluate
from tests.migration.stage import Stage
from tests.migration.words import expected
from tests.support.lab.requirements import require

if TYPE_CHECKING:
    from tests.support.lab.netns import Network
    from tests.support.lab.release import Release

FILE = """\
frr version 8.4.4
frr defaults traditional
router bgp 64699
 bgp router-id 203.0.113.10
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 203.0.113.1 remote-as 64500
 neighbor 203.0.113.2 remote-as 64699
 neighbor 2001:db8:ffff:1::1 remote-as 64500
 address-family ipv4 unicast
  network 192.0.2.1/32 route-map MEMBER
  network 192.0.2.129/32
  network 198.51.100.1/32 route-map MEMBER
  network 198.51.100.130/32 route-map DENY
  network 198.51.100.200/32 route-map INCOMPLETE
  network 203.0.113.193/32
  network 203.0.113.225/32
  aggregate-address 203.0.113.192/27 summary-only route-map NONE
  aggregate-address 203.0.113.224/27 summary-only route-map DENY
  aggregate-address 192.0.2.0/24 summary-only
  aggregate-address 192.0.2.128/25
  aggregate-address 198.51.100.0/24
  aggregate-address 198.51.100.0/25 route-map MEMBER
  aggregate-address 198.51.100.128 255.255.255.192
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8::1/128
  aggregate-address 2001:db8::/48 summary-only
  neighbor 2001:db8:ffff:1::1 activate
 exit-address-family
exit
route-map MEMBER permit 10
 set as-path prepend 64699
 set community 64699:1
 set metric 7
exit
route-map DENY deny 10
exit
route-map INCOMPLETE permit 10
 set origin incomplete
exit
"""


def test_same_updates(release_network: Network, release: Release) -> None:
    """Members that count or are denied, kept back or not; within each other; and a route-map."""
    require("bird")
    stage = Stage(release_network, "aggreg", FILE.encode())
    stage.begin_frr(release.root)
    stage.begin_routers()
    evaluation = evaluate(read("frr.conf", FILE.encode()))
    assert not evaluation.obstacles
    assert stage.frr_sent() == expected(evaluation, stage)
