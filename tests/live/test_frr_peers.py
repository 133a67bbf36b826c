"""[peer] and [peer_group] beside FRR: each far peer has just its own, whatever befalls bgpd, and the operator sees who has what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.history import TRACE, History
from tests.support.lab.requirements import require
from tests.support.lab.site import misses, sees, vip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.lab.netns import Network
    from tests.support.lab.release import Release
    from tests.support.lab.session import Session

PORT = 8081
ONE, TWO = "192.0.2.1/32", "192.0.2.2/32"
SITE_MAP = ("configure terminal", "route-map SITE permit 10", "exit")


@dataclass
class Lab:
    """A data centre with a transit and a peering, each at a session of one BIRD, and a FRR that has a route of its own."""

    site: FrrSite
    bird: Bird
    history: History
    transit: Session
    peering: Session

    @property
    def lines(self) -> list[str]:
        """Return bgpd's lines that are ours and of neighbours."""
        lines = map(str.strip, self.site.frr.ask("show running-config").splitlines())
        return [line for line in lines if "VIP-OUT-" in line]

    def as_wanted(self) -> None:
        """Wait until each has just its own."""
        sees(self.bird, ONE, neighbor=self.transit.local, within=15)
        sees(self.bird, ONE, TWO, neighbor=self.peering.local, within=15)
        misses(self.bird, TWO, neighbor=self.transit.local, within=15)
        assert self.bird.routes(self.transit.local)[ONE].as_path == (64699,) * 4
        assert self.bird.routes(self.transit.local)[ONE].communities == {"64500:80"}
        assert self.bird.routes(self.peering.local)[ONE].as_path == (64699,) * 2
        theirs = self.bird.routes(self.transit.local)["198.51.100.0/24"]
        assert (theirs.as_path, theirs.communities) == ((64699,), frozenset())

    def to_transit(self, prefix: str) -> bool:
        """Tell whether a prefix ever came to transit since the history began."""
        found = {event.protocol for event in self.history.events(prefix)}
        return "peer0" in found


@pytest.fixture(scope="module")
def lasting(release_network: Network, release: Release) -> Lab:
    require("bird")
    host, far = release_network.host("par1"), release_network.host("bird")
    transit, peering = (
        release_network.link(host, far).session(64699, asn) for asn in (64500, 64501)
    )
    bird = Bird(far, [transit.flipped(), peering.flipped()], options=TRACE)
    text = config([transit, peering], ipv4=["network 198.51.100.0/24"])
    group = {
        "neighbors": {"par1": [transit.remote]},
        "except": ["vip-2.tld"],
        "prepends": "+2",
        "communities": ["64500:80"],
    }
    tables: dict[str, Any] = {
        "vip": {
            name: vip(address, ports=[PORT], prefer=["par1", "lyo1"])
            for name, address in (("vip-1.tld", "192.0.2.1"), ("vip-2.tld", "192.0.2.2"))
        },
        "peer_group": {"transit": group},
        "backend": {"quagga": {"outbound": True}},
    }
    site = FrrSite(host, Frr(host, text, root=release.root), tables, up=[PORT])
    bird.wait_for_sessions()
    return Lab(site, bird, History(bird), transit, peering)


@pytest.fixture
def at(lasting: Lab) -> Iterator[Lab]:
    """The lab as it is wanted, and nothing ever came to transit that is not for it."""
    lasting.bird.wait_for_sessions()
    lasting.site.passes()
    lasting.as_wanted()
    lasting.history.start()
    yield lasting
    assert not lasting.to_transit(TWO), "it came to transit"


def test_from_nothing(lasting: Lab) -> None:
    """The first pass makes it so; nothing of the second VIP ever comes to transit; the next one has nothing to do."""
    lasting.site.passes()
    lasting.as_wanted()
    assert not lasting.to_transit(TWO)
    assert lasting.site.cron() == (0, "")
    route = lasting.site.routes()[TWO]
    assert route["peers"] == {lasting.transit.remote: False, lasting.peering.remote: True}
    assert route["gets"][lasting.transit.remote] == ""


def test_what_operators_see(at: Lab) -> None:
    """`plan --peers`, `explain`, `plan`, `status`, a dry run, `check` and `compare` agree."""
    done = at.site.asked("plan", "--peers", "--json")
    assert {route["prefix"]: route["peers"] for route in json.loads(done.stdout)} == {
        ONE: {at.transit.remote: [64699] * 4, at.peering.remote: [64699] * 2},
        TWO: {at.transit.remote: None, at.peering.remote: [64699] * 2},
    }
    assert f"{at.transit.remote} is to get nothing" in at.site.asked("explain", TWO).stdout
    assert at.site.asked("plan").returncode == 0
    assert at.site.asked("status").returncode == 0
    assert at.site.asked("-d", "192.0.2.2", "--dry-run").returncode == 0
    assert at.lines, "a dry run changes nothing at neighbours"
    assert "peer-policy" not in at.site.asked("check").stdout
    running = at.site.host.directory / "running.conf"
    running.write_text(at.site.frr.ask("show running-config"))
    done = at.site.asked("compare", str(running), "--json")
    differing = [
        (each["prefix"], each["neighbor"]) for each in json.loads(done.stdout)["differences"]
    ]
    assert [each for each in differing if each[0] in {ONE, TWO}] == []


def test_drain(at: Lab) -> None:
    """A drained VIP is gone from all, and comes back to those alone who are to get it."""
    before = at.lines
    assert at.site.mgmt("-d", "192.0.2.2")[0] == 0
    misses(at.bird, TWO, neighbor=at.peering.local)
    assert at.lines == before, "a drain changes nothing at neighbours"
    assert at.site.mgmt("-a", "192.0.2.2")[0] == 0
    sees(at.bird, TWO, neighbor=at.peering.local)


def test_a_drain_where_somebody_removed_it_all(at: Lab) -> None:
    """A withdrawal needs nothing of the neighbours."""
    name = at.lines[-1].split()[1]
    at.site.frr.ask(
        "configure terminal",
        "router bgp 64699",
        "no network 192.0.2.2/32",
        f"no neighbor {at.transit.remote} route-map {name} out",
    )
    assert at.site.mgmt("-d", "all")[0] == 0
    misses(at.bird, ONE, TWO)
    assert at.site.mgmt("-a", "all")[0] == 0
    at.as_wanted()


def test_frr_reload_and_restart(at: Lab) -> None:
    """What FRR forgets, the next pass brings back and says so: first at neighbours, then the VIPs."""
    for forget in (at.site.frr.reload, at.site.frr.restart):
        forget()
        assert at.lines == []
        at.bird.wait_for_sessions()
        status, said = at.site.cron()
        assert f"bgpd: neighbor {at.transit.remote}: route-map VIP-OUT-" in said, (status, said)
        at.site.passes()
        at.as_wanted()


def test_a_changed_route_map(at: Lab) -> None:
    """What somebody changed is replaced, and never taken for what it was."""
    name = next(line.split()[3] for line in at.lines if line.startswith("neighbor"))
    at.site.frr.ask("configure terminal", f"route-map {name} permit 20", "set metric 99")
    plan = at.site.asked("plan")
    assert (plan.returncode, ONE in plan.stdout) == (2, True), plan.stdout
    assert "bgpd: neighbor" in at.site.cron()[1]
    at.site.passes()
    at.as_wanted()
    assert at.bird.routes(at.transit.local)[ONE].med == 0
    assert not [line for line in at.lines if line.split()[1].startswith(f"{name} ")]


def test_a_rule_goes_and_comes_back(lasting: Lab) -> None:
    """A pass is all that it takes, and without a rule nothing of ours is left."""
    site = lasting.site
    group = site.tables["peer_group"]
    site.configure({"peer_group": None})
    site.passes()
    sees(lasting.bird, ONE, TWO, neighbor=lasting.transit.local, within=15)
    eventually(
        lambda: (site.cron(), lasting.lines)[1], until=lambda seen: not seen, within=15, what="none"
    )
    assert lasting.bird.routes(lasting.transit.local)[ONE].as_path == (64699,) * 2
    site.configure({"peer_group": group})
    site.passes()
    lasting.as_wanted()


def test_the_sites_own_route_map(lasting: Lab) -> None:
    """It is not replaced; what is not for that neighbour is not announced, and both are named with the remedy."""
    site = lasting.site
    session = lasting.transit.remote
    site.mgmt("-d", "all")
    site.configure({"peer_group": {"transit": {"neighbors": {"par1": [lasting.peering.remote]}}}})
    site.passes()
    out = f"neighbor {session} route-map SITE out"
    site.frr.ask(*SITE_MAP, "router bgp 64699", out)
    site.configure({"peer_group": {"transit": {"neighbors": {"par1": [session]}}}})
    lasting.history.start()
    status, said = site.mgmt("-a", "all")
    assert status == 1
    assert (
        f"neighbor {session} has the site's own route-map SITE out, which is never replaced" in said
    )
    assert out in site.frr.ask("show running-config")
    assert not site.frr.networks().keys() & {ONE, TWO}
    assert any("SITE" in text for text in site.status()["trouble"])
    assert not lasting.to_transit(ONE)
    site.frr.ask("configure terminal", "router bgp 64699", f"no {out}", "exit", "no route-map SITE")
    site.passes()
    lasting.as_wanted()
    assert not lasting.to_transit(TWO)


def test_shadow(lasting: Lab) -> None:
    """Beside what something else sees to: it agrees where nobody has what is not for it, and finds who has."""
    site = lasting.site
    site.passes()
    command = [*site._command("vip_watchdog"), "--shadow", "--once"]
    done = site._run(command)
    assert done.returncode == 0, done.stderr
    site.configure({"peer_group": {"transit": {"except": ["vip-1.tld"]}}})
    done = site._run(command)
    site.configure({"peer_group": {"transit": {"except": ["vip-2.tld"]}}})
    assert done.returncode != 0
    assert f"not to be sent to, and sent to {lasting.transit.remote}" in done.stderr
