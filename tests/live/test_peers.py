"""[peer] and [peer_group]: each peer has just its own, from the start to the end, and the operator sees who has what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.history import TRACE, History
from tests.support.lab.site import Site, misses, sees, vip

if TYPE_CHECKING:
    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.installed import Installed
    from tests.support.lab.netns import Network
    from tests.support.lab.session import Session

PORT = 8081
ONE, TWO = "192.0.2.1/32", "192.0.2.2/32"


@dataclass
class Lab:
    """A data centre with a transit and a peering, each at a session of one BIRD."""

    site: Site
    bird: Bird
    history: History
    transit: Session
    peering: Session


@pytest.fixture(scope="module")
def at(lab: Network, flavour: Flavour, installed: Installed) -> Lab:
    """The lab, in which transit is not to get the second VIP."""
    host, far = lab.host("par1"), lab.host("bird")
    transit, peering = (lab.link(host, far).session(64699, asn) for asn in (64500, 64501))
    bird = Bird(far, [transit.flipped(), peering.flipped()], options=TRACE)
    history = History(bird)
    group = {"neighbors": {"par1": [transit.remote]}, "except": ["vip-2.tld"], "prepends": "+2"}
    tables: dict[str, Any] = {
        "vip": {
            name: vip(address, ports=[PORT], prefer=["par1", "lyo1"])
            for name, address in (("vip-1.tld", "192.0.2.1"), ("vip-2.tld", "192.0.2.2"))
        },
        "peer_group": {"transit": group},
    }
    site = Site(host, flavour, installed, [transit, peering], tables, up=[PORT])
    bird.wait_for_sessions()
    return Lab(site, bird, history, transit, peering)


def test_each_has_its_own(at: Lab) -> None:
    """Transit has the first VIP with more prepends; peering both, as always; that is as wanted."""
    sees(at.bird, ONE, neighbor=at.transit.local, within=15)
    sees(at.bird, ONE, TWO, neighbor=at.peering.local, within=15)
    assert at.bird.routes(at.transit.local)[ONE].as_path == (64699,) * 4
    assert at.bird.routes(at.peering.local)[ONE].as_path == (64699,) * 2
    misses(at.bird, TWO, neighbor=at.transit.local)
    eventually(
        lambda: at.site.mgmt("status").returncode,
        until=lambda code: code == 0,
        within=15,
        what="all as wanted",
    )
    route = at.site.routes()[TWO]
    assert route["peers"] == {at.transit.remote: False, at.peering.remote: True}
    assert route["gets"][at.transit.remote] == ""
    assert at.site.mgmt("plan").returncode == 0


def test_it_was_never_there(at: Lab) -> None:
    """No UPDATE of the second VIP ever came to transit: it was not announced there, and then withdrawn."""

    def sessions() -> int:
        return len({event.protocol for event in at.history.events(ONE)})

    eventually(sessions, until=(2).__eq__, within=10, what="both sessions' UPDATEs are logged")
    assert len({event.protocol for event in at.history.events(TWO)}) == 1


def test_the_matrix(at: Lab) -> None:
    """`plan --peers` shows what each is to have."""
    done = at.site.mgmt("plan", "--peers", "--json")
    assert done.returncode == 0, done.stderr
    shown = {route["prefix"]: route["peers"] for route in json.loads(done.stdout)}
    assert shown == {
        ONE: {at.transit.remote: [64699] * 4, at.peering.remote: [64699] * 2},
        TWO: {at.transit.remote: None, at.peering.remote: [64699] * 2},
    }
    assert f"{at.transit.remote} is to get nothing" in at.site.mgmt("explain", TWO).stdout


def test_a_rule_goes_and_comes_back(at: Lab) -> None:
    """A reload is all that it takes, in both directions; the other peer does not notice."""
    at.site.configure({"peer_group": {"transit": {"except": None}}})
    at.site.reload()
    sees(at.bird, TWO, neighbor=at.transit.local, within=15)
    at.site.configure({"peer_group": {"transit": {"except": ["vip-2.tld"]}}})
    at.site.reload()
    misses(at.bird, TWO, neighbor=at.transit.local, within=15)
    sees(at.bird, ONE, TWO, neighbor=at.peering.local)


def test_drain(at: Lab) -> None:
    """A drained VIP is gone from all; it comes back to those alone who are to get it."""
    assert at.site.mgmt("-d", "192.0.2.2").returncode == 0
    misses(at.bird, TWO, neighbor=at.peering.local)
    assert at.site.mgmt("-a", "192.0.2.2").returncode == 0
    sees(at.bird, TWO, neighbor=at.peering.local)
    misses(at.bird, TWO, neighbor=at.transit.local)


def test_a_rule_without_its_neighbour(at: Lab) -> None:
    """A rule for a neighbour that ExaBGP lacks is trouble, by its address, until it is corrected."""
    at.site.configure({"peer": {"203.0.113.250": {"except": ["vip-1.tld"]}}})
    at.site.reload()
    eventually(
        lambda: at.site.status()["trouble"],
        until=lambda trouble: any("peer 203.0.113.250" in text for text in trouble),
        within=15,
        what="the neighbour named",
    )
    at.site.configure({"peer": None})
    at.site.reload()
    eventually(
        lambda: at.site.status()["trouble"],
        until=lambda trouble: not trouble,
        within=15,
        what="no trouble",
    )
