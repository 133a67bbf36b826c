"""Pins what routers with graceful restart make of a restart of ExaBGP, and when ExaBGP sends End-of-RIB."""

import json
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from operator import eq

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.frr import Frr, config
from tests.support.lab.netns import Link, Network
from tests.support.lab.puppet import Helper, Puppet
from tests.support.lab.requirements import require
from tests.support.lab.vty import Vty

ONE, TWO = ("192.0.2.1/32", "2001:db8::1/128"), ("192.0.2.2/32", "2001:db8::2/128")
FAMILIES = ("ipv4", "ipv6")
SHORT, LONGER = 3, 10
AUTOMATIC = "capability { graceful-restart 60; }"
MANUAL = f"{AUTOMATIC} manual-eor true;"
FORGETS_SOON = f"capability {{ graceful-restart {SHORT}; }}"
FORGETS_LATER = f"capability {{ graceful-restart {LONGER}; }} manual-eor true;"
SILENT = f"hold-time 3; {AUTOMATIC}"


@dataclass
class Routers:
    """A BIRD and an FRR, and the ExaBGP that speaks to both.

    Attributes:
        links: to each of them.
    """

    bird: Bird
    vty: Vty
    links: tuple[Link, Link]
    puppet: Puppet
    exabgp: ExaBgp
    helper: Helper

    def has(self) -> tuple[set[str], set[str]]:
        """Return which prefixes BIRD has, and which FRR."""
        frr: set[str] = set()
        for family in FAMILIES:
            said, status = self.vty.say(f"do show bgp {family} unicast json")
            assert status == 0, said
            frr |= {p for p, paths in json.loads(said)["routes"].items() if paths}
        return set(self.bird.routes()), frr

    def have(self, *prefixes: str, within: float = 5) -> None:
        """Wait until both have some prefixes, and no other."""
        both = set(prefixes), set(prefixes)
        eventually(self.has, until=partial(eq, both), within=within, what=f"{prefixes} at both")

    def up(self) -> None:
        """Wait until ExaBGP has told that both sessions are up."""
        peers = [link.b.ipv4 for link in self.links]
        eventually(
            lambda: [self.helper.states(peer)[-1:] for peer in peers],
            until=lambda states: states == [["up"], ["up"]],
            within=10,
            what="both sessions up",
        )

    def announce(self, ipv4: str, ipv6: str) -> None:
        """Announce a prefix of each family to both."""
        lines = [f"announce route {ipv4} next-hop self"]
        lines += [
            f"neighbor {link.b.ipv4} announce route {ipv6} next-hop {link.a.ipv6}"
            for link in self.links
        ]
        for line in lines:
            assert self.helper.ask(line).status == "done"

    def end_of_rib(self) -> None:
        """Have End-of-RIB sent, to each neighbour for each family."""
        for link in self.links:
            name = f"neighbor {link.b.ipv4} local-ip {link.a.ipv4} local-as 64699"
            for family in FAMILIES:
                assert self.helper.ask(f"{name} announce eor {family} unicast").status == "done"

    def restart(self) -> None:
        """Start it again, where it is not running, and wait until both sessions are up."""
        self.exabgp.restart()
        self.helper = self.puppet.helper()
        self.up()


@pytest.fixture(params=[MANUAL, AUTOMATIC], ids=["manual", "automatic"])
def option(request: pytest.FixtureRequest) -> str:
    """What exabgp.conf has of graceful restart."""
    return str(request.param)


@pytest.fixture
def routers(flavour: Flavour, option: str) -> Iterator[Routers]:
    """Both routers with two prefixes of each family, and as they are when nobody configured anything."""
    require("bird", "vtysh", flavours=(flavour,))
    with Network() as network:
        here = network.host("here")
        links = network.link(here, network.host("bird")), network.link(here, network.host("frr"))
        one, two = links[0].session(64699, 64500), links[1].session(64699, 64501)
        bird = Bird(links[0].b.namespace, [one.flipped()], options=["debug { states, events };"])
        text = config([two.flipped()], asn=64501, router_id="203.0.113.253")
        frr = Frr(links[1].b.namespace, text)
        puppet = Puppet(here)
        exabgp = ExaBgp(here, flavour, Config([one, two], puppet.run, options=[option]))
        with Vty(frr.folder / "bgpd.vty") as vty:
            routers = Routers(bird, vty, links, puppet, exabgp, puppet.helper())
            routers.up()
            routers.announce(*ONE)
            routers.announce(*TWO)
            if "manual" in option:
                routers.end_of_rib()
            routers.have(*ONE, *TWO)
            yield routers


def test_a_restart(routers: Routers, option: str) -> None:
    """SIGTERM sends no NOTIFICATION: routes stay, until an End-of-RIB that ExaBGP sends at once, or when told to."""
    routers.exabgp.terminate()
    routers.have(*ONE, *TWO)
    routers.restart()
    log = routers.bird.process.log()
    assert "Neighbor graceful restart detected" in log
    assert "Received: " not in log, "a NOTIFICATION would have ended the graceful restart"
    if option != MANUAL:  # before the process has announced anything
        routers.have()
        return
    routers.announce(*ONE)
    assert routers.has() == ({*ONE, *TWO}, {*ONE, *TWO})
    routers.end_of_rib()
    routers.have(*ONE)


@pytest.mark.parametrize("option", [FORGETS_SOON], indirect=True)
def test_it_does_not_come_back(routers: Routers) -> None:
    """The routers forget the routes when the restart time is over, and not before; killed or stopped is the same."""
    began = time.monotonic()
    routers.exabgp.kill()
    routers.have(within=SHORT + 5)
    assert time.monotonic() - began > SHORT - 0.5
    log = routers.bird.process.log()
    assert "Neighbor graceful restart detected" in log
    assert "Neighbor graceful restart timeout" in log
    routers.restart()
    routers.announce(*ONE)
    routers.have(*ONE)


@pytest.mark.parametrize("option", [FORGETS_LATER], indirect=True)
def test_no_end_of_rib(routers: Routers) -> None:
    """Where the session is back and End-of-RIB is not said, both keep what is stale beyond the restart time."""
    routers.restart()
    up_for = f"do show bgp neighbors {routers.links[1].a.ipv4} json"

    def seconds() -> float:
        said, status = routers.vty.say(up_for)
        assert status == 0, said
        (neighbor,) = json.loads(said).values()
        return float(neighbor["bgpTimerUpMsec"]) / 1000

    eventually(
        seconds, until=lambda up: up > LONGER + 2, within=2 * LONGER, what="a session that lasts"
    )
    assert routers.has() == ({*ONE, *TWO}, {*ONE, *TWO})


@pytest.mark.parametrize("option", [SILENT], indirect=True)
def test_the_hold_time_ends(routers: Routers) -> None:
    """A machine that falls silent is missed when the hold time ends, as ever: the routers keep nothing beyond it."""
    routers.exabgp.signal(signal.SIGSTOP)
    routers.have(within=9)
    routers.exabgp.kill()


def test_a_family_that_the_peer_has_not(flavour: Flavour) -> None:
    """End-of-RIB of a family that was configured and not negotiated is ignored: the session stays."""
    with Network() as network:
        here, there = network.host("here"), network.host("bird")
        session = network.link(here, there).session(64699, 64500)
        only4 = replace(session.flipped(), families=("ipv4",))
        bird = Bird(there, [only4], options=["debug { packets };"])
        puppet = Puppet(here)
        ExaBgp(here, flavour, Config([session], puppet.run, options=[MANUAL]))
        helper = puppet.helper()
        bird.wait_for_sessions()
        for family in FAMILIES:
            assert helper.ask(f"announce eor {family} unicast").status == "done"
        eventually(
            lambda: bird.process.log().count("Got END-OF-RIB"),
            until=lambda count: count == 2,
            within=5,
            what="both at the peer",
        )
        assert helper.ask(f"announce route {ONE[0]} next-hop self").status == "done"
        eventually(lambda: ONE[0] in bird.routes(), within=5, what="a route on the same session")
        assert "down" not in helper.states(session.remote)
