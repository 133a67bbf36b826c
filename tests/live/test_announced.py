"""Announced is what a far peer was sent: what is said while sessions are down, and once they are back."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.session import BOTH, Session
from tests.support.lab.site import Site, misses, sees, vip

PORT = 8081
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"


@dataclass
class Lab:
    """A data centre with three sessions, as it sees them: one per family to one AS, and one with both.

    exabgp.conf has both families for `only4`, too, as where it has no `family`; the peer refuses IPv6.
    """

    site: Site
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
            self.bird.sessions,
            until=lambda seen: seen == {s.local: wanted[s.remote] for s in self.sessions},
            within=30,
            what=f"sessions up: {wanted}",
        )
        eventually(
            lambda: {peer["address"]: peer["up"] for peer in self.site.status()["peers"]},
            until=lambda seen: seen == wanted,
            within=10,
            what=f"status that shows up: {wanted}",
        )

    def shows(self, prefix: str, *sent: Session) -> None:
        """Wait until `status --json` says that just these were sent a prefix, of those with its family.

        As long as `only4` is down, it may have IPv6, too.
        """
        announced = bool(sent)
        family = "ipv6" if ":" in prefix else "ipv4"
        peers = {s.remote: s in sent for s in self.sessions if family in s.families}
        if not self.is_up(self.only4):
            peers[self.only4.remote] = False
        eventually(
            lambda: self.of(prefix),
            until=lambda seen: (seen["announced"], seen["peers"]) == (announced, peers),
            within=10,
            what=f"{prefix}: announced {announced}, sent to {peers}",
        )

    def is_up(self, session: Session) -> bool:
        return self.bird.sessions()[session.local]

    def of(self, prefix: str) -> dict[str, Any]:
        return self.site.routes()[prefix]

    def mgmt(self, *arguments: str) -> tuple[int, list[str]]:
        """Run vip_mgmt; return its exit status and what it said."""
        done = self.site.mgmt(*arguments)
        return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.fixture(scope="module", params=[True, False], ids=["told", "not-told"])
def shared(request: pytest.FixtureRequest, flavour: Flavour, installed: Installed) -> Iterator[Lab]:
    """The lab of all tests here: ExaBGP tells of what it sends, or does not."""
    with Network() as network:
        host, peer = network.host("par1"), network.host("bird")
        first, second = network.link(host, peer), network.link(host, peer)
        only4, only6 = first.session_per_family(64699, 64500)
        both = second.session(64699, 64501)
        bird = Bird(peer, [session.flipped() for session in (only4, only6, both)])
        tables = {
            "vip": {"vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[PORT])},
            "backend": {"exabgp": {"next_hop": {"ipv6": first.a.ipv6}}},
        }
        sessions = [replace(only4, families=BOTH), only6, both]
        site = Site(host, flavour, installed, sessions, tables, up=[PORT], told=request.param)
        bird.wait_for_sessions()
        site.ready()
        yield Lab(site, bird, only4, only6, both)


@pytest.fixture
def at(shared: Lab) -> Lab:
    """The lab with every session up and everything announced."""
    shared.up(*shared.sessions)
    shared.site.mgmt("-a", "all")
    for session in shared.sessions:
        for prefix, family in ((V4, "ipv4"), (V6, "ipv6")):
            if family in session.families:
                sees(shared.bird, prefix, neighbor=session.local, within=15)
    return shared


def test_all_is_well(at: Lab) -> None:
    """Each session with the family was sent it, and `-d` and `-a` say at once what is so."""
    at.shows(V4, at.only4, at.both)
    at.shows(V6, at.only6, at.both)
    status, said = at.mgmt("status")
    assert status == 0
    assert [line.split()[3] for line in said[2:]] == ["2/2", "2/2"], said
    assert at.mgmt("-d", V4) == (0, [f"bgp_mgt: Deleting route to {V4}"])
    at.shows(V4)
    misses(at.bird, V4)
    assert at.mgmt("-a", V4) == (0, [f"bgp_mgt: Adding route to {V4}"])
    sees(at.bird, V4)
    at.shows(V4, at.only4, at.both)


def test_every_session_down(at: Lab) -> None:
    """Nothing is announced, `-a` says so and exits 1; what comes back needs nobody."""
    at.up()
    for prefix in (V4, V6):
        at.shows(prefix)
    status, said = at.mgmt("status")
    assert status == 1
    assert [line.split()[2:5] for line in said if line.startswith("vip-1.tld ")] == [
        ["no", "0/0", "up"]
    ] * 2, said
    assert said[1] == "TROUBLE: sessions: no session is up, so nothing is announced"
    assert at.mgmt("-d", V4)[0] == 0
    assert at.mgmt("-a", V4) == (1, [f"bgp_mgt: {V4}: recorded; no session is up"])
    at.up(*at.sessions)
    sees(at.bird, V4, V6)
    at.shows(V4, at.only4, at.both)
    at.shows(V6, at.only6, at.both)
    assert at.mgmt("status")[0] == 0


def test_one_family_down(at: Lab) -> None:
    """IPv6 has no session while IPv4 has one: its prefixes are not announced, and that is said."""
    at.up(at.only4)
    at.shows(V4, at.only4)
    at.shows(V6)
    status, said = at.mgmt("status")
    assert status == 1
    down = f"{at.only6.remote}, {at.both.remote}"
    assert f"TROUBLE: sessions: down: {down}" in said
    assert "TROUBLE: sessions: none that has IPv6 is up, so 1 prefix is not announced" in said
    assert at.mgmt("-a", V4, V6) == (
        1,
        [f"Route {V4} already exists", f"bgp_mgt: {V6}: recorded; no session is up"],
    )


def test_a_session_without_the_family(at: Lab) -> None:
    """Up, and IPv6 was not negotiated with it: it has none, and nobody lacks IPv6 there."""
    at.up(at.only4, at.only6)
    at.shows(V6, at.only6)
    assert at.mgmt("-d", V6) == (0, [f"bgp_mgt: Deleting route to {V6}"])
    misses(at.bird, V6)
    assert at.mgmt("-a", V6) == (0, [f"bgp_mgt: Adding route to {V6}"])
    at.up(at.only4)
    assert "sessions: none that has IPv6 is up" in at.site.mgmt("status").stdout
    assert at.mgmt("-a", V6) == (1, [f"bgp_mgt: {V6}: recorded; no session is up"])


def test_one_of_two_down(at: Lab) -> None:
    """The one that is up counts alone; the other is named although all is as wanted."""
    at.up(at.only4, at.only6)
    at.shows(V4, at.only4)
    at.shows(V6, at.only6)
    status, said = at.mgmt("status")
    assert status == 0
    assert f"TROUBLE: sessions: down: {at.both.remote}" in said
    assert [line.split()[3] for line in said if line.startswith("vip-1.tld ")] == ["1/1", "1/1"], (
        said
    )
    assert at.mgmt("-d", V4)[0] == 0
    at.up(*at.sessions)
    at.shows(V4)
    misses(at.bird, V4)
    at.shows(V6, at.only6, at.both)


def test_the_watchdog_begins_again(at: Lab) -> None:
    """What its predecessor knew is lost: all is known again soon, and nothing is said that is not so."""
    assert at.mgmt("-d", V4)[0] == 0
    at.site.end_watchdog(signal.SIGKILL)
    at.shows(V4)
    at.shows(V6, at.only6, at.both)
    assert at.mgmt("status")[0] == 0
