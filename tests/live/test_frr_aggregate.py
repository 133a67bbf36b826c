"""An aggregate beside FRR: the far peer has the /24 while one of three VIPs is up, and loses it with the last."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.lab.frr_site import Bench
from tests.support.lab.history import TRACE, History
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees, vip

PORTS = (8081, 8082, 8083)
MEMBERS = {f"203.0.113.{number}/32": port for number, port in enumerate(PORTS, 1)}
NARROW, BEHIND, KEPT_BACK = "203.0.113.0/24", "198.51.100.0/24", "198.51.100.1/32"
TABLES: Mapping[str, Any] = {
    "policy": {"max_withdraw": "100%"},
    "vip": {
        **{f"vip-{port}.tld": vip(prefix[:-3], ports=[port]) for prefix, port in MEMBERS.items()},
        "behind.tld": vip("198.51.100.1", ports=[PORTS[0]]),
    },
    "aggregate": {NARROW: {"prefer": ["par1", "lyo1"]}, BEHIND: {"summary_only": True}},
}


@pytest.fixture
def dc(release_network: Network, release: Release) -> Bench:
    require("bird")
    return Bench(release_network, TABLES, up=PORTS, options=TRACE, root=release.root)


def test_the_last_of_three(dc: Bench) -> None:
    """Passes of cron, and `vip_mgmt` between them: what it names takes its aggregate along, and no pass undoes it."""
    dc.bird.wait_for_sessions()
    assert dc.site.cron()[0] == 0
    sees(dc.bird, *MEMBERS, NARROW, BEHIND)
    assert KEPT_BACK not in dc.frr.networks()
    history = History(dc.bird)
    dc.site.realservers.close(*PORTS[1:])
    assert dc.site.cron()[0] == 0
    misses(dc.bird, "203.0.113.2/32", "203.0.113.3/32")
    assert history.verbs(NARROW) == []
    status, said = dc.site.mgmt("-d", "203.0.113.1", "198.51.100.1")
    assert (status, "Deleting route to 203.0.113.1/32" in said) == (0, True), said
    misses(dc.bird, NARROW, BEHIND, *MEMBERS)
    assert dc.site.cron() == (0, "")
    assert dc.site.mgmt("-a", "203.0.113.1")[0] == 0
    sees(dc.bird, "203.0.113.1/32", NARROW)
    status, said = dc.site.mgmt("-a", "198.51.100.1")
    assert (
        said
        == f"bgp_mgt: {KEPT_BACK}: not announced by itself: {BEHIND} is announced in its place\n"
    )
    assert status == 0
    sees(dc.bird, BEHIND)
    assert dc.site.mgmt("-d", NARROW) == (0, f"bgp_mgt: Deleting route to {NARROW}\n")
    misses(dc.bird, NARROW)
    sees(dc.bird, "203.0.113.1/32")
    assert dc.site.cron() == (0, "")
    assert dc.site.mgmt("-a", NARROW) == (0, f"bgp_mgt: Adding route to {NARROW}\n")
    sees(dc.bird, NARROW)
    dc.site.realservers.close(PORTS[0])
    assert dc.site.cron()[0] == 0
    misses(dc.bird, NARROW, BEHIND, *MEMBERS)
