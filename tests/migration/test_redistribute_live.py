"""`redistribute` by real FRR, and by the evaluation of its file: the same UPDATEs."""

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
ip prefix-list VIPS seq 5 permit 192.0.2.1/32
ip prefix-list VIPS seq 10 permit 192.0.2.2/32
ip prefix-list KERNEL seq 5 permit 192.0.2.3/32
ip prefix-list BOTH seq 5 permit 192.0.2.4/32
ipv6 prefix-list VIPS6 seq 5 permit 2001:db8::1/128
router bgp 64699
 bgp router-id 203.0.113.10
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 203.0.113.1 remote-as 64500
 neighbor 2001:db8:ffff:1::1 remote-as 64500
 address-family ipv4 unicast
  network 192.0.2.4/32
  redistribute connected route-map OUT
  redistribute kernel metric 30 route-map KERNEL
 exit-address-family
 address-family ipv6 unicast
  redistribute connected metric 9 route-map OUT6
  neighbor 2001:db8:ffff:1::1 activate
 exit-address-family
exit
route-map OUT permit 10
 match ip address prefix-list VIPS
 set as-path prepend 64699
 set community 64699:1
exit
route-map OUT permit 20
 match ip address prefix-list BOTH
exit
route-map OUT6 permit 10
 match ipv6 address prefix-list VIPS6
exit
route-map KERNEL permit 10
 match ip address prefix-list KERNEL
exit
"""


def test_same_updates(release_network: Network, release: Release) -> None:
    """Addresses on lo and a route of the kernel's, with what else the machine has that no list names."""
    require("bird")
    stage = Stage(release_network, "redist", FILE.encode())
    for address in (
        "192.0.2.1/32",
        "192.0.2.2/32",
        "192.0.2.4/32",
        "192.0.2.200/32",
        "2001:db8::1/128",
    ):
        stage.speaker.run("ip", "address", "add", address, "dev", "lo")
    for route in ("192.0.2.3/32", "192.0.2.201/32"):
        stage.speaker.run("ip", "route", "add", "blackhole", route)
    stage.begin_frr(release.root)
    stage.begin_routers()
    evaluation = evaluate(read("frr.conf", FILE.encode()))
    assert not evaluation.obstacles
    assert stage.frr_sent() == expected(evaluation, stage)
