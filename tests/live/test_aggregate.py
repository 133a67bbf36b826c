"""An aggregate beside ExaBGP: the far peer has the /24 while one of three VIPs is up, and loses it with the last."""

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.exabgp import Flavour
from tests.support.lab.history import TRACE, History
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.site import Site, misses, sees, vip

PORTS = (8081, 8082, 8083)
MEMBERS = {f"203.0.113.{number}/32": port for number, port in enumerate(PORTS, 1)}
NARROW, BEHIND, KEPT_BACK = "203.0.113.0/24", "198.51.100.0/24", "198.51.100.1/32"
TABLES = {
    "policy": {"max_withdraw": "100%"},
    "vip": {
        **{f"vip-{port}.tld": vip(prefix[:-3], ports=[port]) for prefix, port in MEMBERS.items()},
        "behind.tld": vip("198.51.100.1", ports=[PORTS[0]]),
    },
    "aggregate": {NARROW: {"prefer": ["par1", "lyo1"]}, BEHIND: {"summary_only": True}},
}


@pytest.fixture
def lab_site(lab: Network, flavour: Flavour, installed: Installed) -> tuple[Site, Bird]:
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session], options=TRACE)
    site = Site(host, flavour, installed, [session.flipped()], TABLES, up=PORTS)
    bird.wait_for_sessions()
    return site, bird


def test_the_last_of_three(lab_site: tuple[Site, Bird]) -> None:
    """It stays with one of three, goes before the last and comes after the first; an operator has it too.

    What is kept back is never seen: the aggregate is, and follows.
    """
    site, bird = lab_site
    sees(bird, *MEMBERS, NARROW, BEHIND)
    history = History(bird)
    site.realservers.close(*PORTS[1:])
    misses(bird, "203.0.113.2/32", "203.0.113.3/32")
    assert history.verbs(NARROW) == []
    site.realservers.close(PORTS[0])
    misses(bird, NARROW, BEHIND, *MEMBERS)
    gone = [event.prefix for event in history.events()]
    assert gone.index(NARROW) < gone.index("203.0.113.1/32")
    site.realservers.open(PORTS[2])
    sees(bird, "203.0.113.3/32", NARROW)
    came = [event.prefix for event in history.events()][len(gone) :]
    assert came == ["203.0.113.3/32", NARROW]
    site.realservers.open(PORTS[0])
    sees(bird, BEHIND)
    assert history.verbs(KEPT_BACK) == []
    done = site.mgmt("-d", NARROW)
    assert (done.returncode, done.stderr) == (0, f"bgp_mgt: Deleting route to {NARROW}\n")
    misses(bird, NARROW)
    sees(bird, "203.0.113.3/32")
    assert site.mgmt("-a", NARROW).returncode == 0
    sees(bird, NARROW)
    kept = site.mgmt("-d", "198.51.100.1")
    assert kept.returncode == 0, "it is not announced"
    misses(bird, BEHIND)
    assert site.mgmt("-a", "198.51.100.1").returncode == 0
    sees(bird, BEHIND)
    assert site.routes()[KEPT_BACK]["reason"].startswith(f"kept back by {BEHIND}, summary_only; up")
