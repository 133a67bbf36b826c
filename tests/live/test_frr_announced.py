"""Announced is what a far peer was sent, beside FRR too: what is said while sessions are down."""

from dataclasses import dataclass

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import Frr, config
from tests.support.lab.frr_site import FrrSite
from tests.support.lab.netns import Network
from tests.support.lab.release import Release
from tests.support.lab.requirements import require
from tests.support.lab.session import Session
from tests.support.lab.site import misses, sees, vip

PORT = 8081
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"


@dataclass
class Lab:
    """A data centre with three sessions, as it sees them: one per family to one AS, and one with both."""

    site: FrrSite
    bird: Bird
    only4: Session
    only6: Session
    both: Session

    @property
    def sessions(self) -> tuple[Session, ...]:
        return (self.only4, self.only6, self.both)

    def up(self, *sessions: Session) -> None:
        """Have just these sessions up, and wait until both sides know."""
        wanted = {session.remote: session in sessions for session in self.sessions}
        for session in self.sessions:
            (self.bird.enable if session in sessions else self.bird.disable)(session.local)
        eventually(
            lambda: {peer["address"]: peer["up"] for peer in self.site.status()["peers"]},
            until=lambda seen: seen == wanted,
            within=30,
            what=f"sessions up: {wanted}",
        )

    def shows(self, prefix: str, *sent: Session) -> None:
        """Wait until `status --json` says that just these were sent a prefix, of those with its family."""
        family = "ipv6" if ":" in prefix else "ipv4"
        peers = {s.remote: s in sent for s in self.sessions if family in s.families}
        eventually(
            lambda: self.site.routes()[prefix],
            until=lambda seen: (seen["announced"], seen["peers"]) == (bool(sent), peers),
            within=20,
            what=f"{prefix}: sent to {peers}",
        )


@pytest.fixture(scope="module")
def shared(release_network: Network, release: Release) -> Lab:
    require("bird")
    host, peer = release_network.host("par1"), release_network.host("bird")
    first, second = release_network.link(host, peer), release_network.link(host, peer)
    only4, only6 = first.session_per_family(64699, 64500)
    both = second.session(64699, 64501)
    sessions = [only4, only6, both]
    bird = Bird(peer, [session.flipped() for session in sessions])
    tables = {"vip": {"vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[PORT])}}
    frr = Frr(host, config(sessions), root=release.root)
    site = FrrSite(host, frr, tables, up=[PORT])
    bird.wait_for_sessions()
    return Lab(site, bird, only4, only6, both)


@pytest.fixture
def at(shared: Lab) -> Lab:
    """The lab with every session up and everything announced."""
    shared.up(*shared.sessions)
    shared.site.mgmt("-a", "all")
    shared.shows(V4, shared.only4, shared.both)
    shared.shows(V6, shared.only6, shared.both)
    return shared


def test_every_session_down(at: Lab) -> None:
    """Nothing is announced, `-a` says so and exits 1; what comes back needs nobody."""
    at.up()
    at.shows(V4)
    at.shows(V6)
    done = at.site.asked("status")
    assert done.returncode == 1
    assert "TROUBLE: sessions: no session is up, so nothing is announced" in done.stdout
    assert "(Cease/Administrative Shutdown); ask who runs the router" in done.stdout
    assert at.site.mgmt("-d", V4)[0] == 0
    assert at.site.mgmt("-a", V4) == (1, f"bgp_mgt: {V4}: recorded; no session is up\n")
    status, said = at.site.cron()
    assert (status, "no session is up" in said) == (1, True)
    at.up(*at.sessions)
    sees(at.bird, V4, V6, within=15)
    at.shows(V4, at.only4, at.both)
    at.shows(V6, at.only6, at.both)
    assert at.site.asked("status").returncode == 0
    assert at.site.cron() == (0, "")


def test_one_family_down(at: Lab) -> None:
    """IPv6 has no session while IPv4 has one: its prefixes are not announced, and that is said."""
    at.up(at.only4)
    at.shows(V4, at.only4)
    at.shows(V6)
    done = at.site.asked("status")
    assert done.returncode == 1
    assert "none that has IPv6 is up" in done.stdout
    said = f"Route {V4} already exists\nbgp_mgt: {V6}: recorded; no session is up\n"
    assert at.site.mgmt("-a", V4, V6) == (1, said)


def test_a_session_without_the_family(at: Lab) -> None:
    """Up, and IPv6 was not negotiated with it: nobody lacks IPv6 there."""
    at.up(at.only4, at.only6)
    at.shows(V6, at.only6)
    assert at.site.cron() == (0, "")
    assert at.site.mgmt("-d", V6)[0] == 0
    misses(at.bird, V6)
    at.shows(V6)


def test_a_session_that_filters_it(at: Lab) -> None:
    """Up, and never sent what its policy keeps back: `-a` names it."""
    near = f"neighbor {at.both.remote}"
    family = ("configure terminal", "router bgp 64699", "address-family ipv4 unicast")
    at.site.frr.ask(
        "configure terminal", "ip prefix-list NONE seq 5 deny any", "router bgp 64699",
        "address-family ipv4 unicast", f"{near} prefix-list NONE out",
    )  # fmt: skip
    try:
        at.site.frr.ask("clear bgp * soft out")
        at.shows(V4, at.only4)
        status, said = at.site.confirmed("-a", V4)
        assert (status, f"not sent to {at.both.remote}" in said) == (1, True), said
    finally:
        at.site.frr.ask(*family, f"no {near} prefix-list NONE out")
        at.site.frr.ask("clear bgp * soft out")
    at.shows(V4, at.only4, at.both)
