"""exabgp.conf as real sites have it, and changed under the watchdog: several processes, sessions, families."""

import signal
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.session import Session
from tests.support.lab.site import Site, misses, sees, vip

PORT = 8081
V4, V6, OTHER = "192.0.2.1/32", "2001:db8::1/128", "192.0.2.2/32"
LISTENER = "process listener { run /usr/bin/sleep 10000; encoder json; }\n"
SEND = " send { parsed; update; }"
ASIDE = (
    "receive { parsed; open; }",
    'description "a neighbor 198.51.100.9 { with } braces";',
)


@dataclass
class Lab:
    """A data centre with three sessions: two to one address, and one for IPv6 alone."""

    site: Site
    bird: Bird
    one: Session
    two: Session
    only6: Session

    def names(self) -> set[str]:
        """Return how the sessions are called."""
        return {f"{s.remote} from {s.local}" for s in (self.one, self.two)} | {self.only6.remote}

    def read(self, text: str) -> None:
        """Have ExaBGP read another configuration, and wait until it has."""
        exabgp = self.site.exabgp
        exabgp.write(text)
        before = exabgp.log().count("loaded new configuration")
        exabgp.signal(signal.SIGUSR1)
        eventually(
            lambda: exabgp.log().count("loaded new configuration"),
            until=lambda count: count > before,
            within=5,
            what="exabgp.conf read",
        )

    def everywhere(self, *prefixes: str) -> None:
        """Wait until the far ends of both IPv4 sessions have some prefixes."""
        for session in (self.one, self.two):
            sees(self.bird, *prefixes, neighbor=session.local, within=15)

    def shown(self, prefix: str) -> dict[str, Any]:
        """Return what `status` has of a prefix."""
        return self.site.routes()[prefix]

    def trouble(self) -> str:
        """Return what `status` has of alarms."""
        lines = self.site.mgmt("status").stdout.splitlines()
        return "\n".join(line for line in lines if line.startswith("TROUBLE"))

    def restart_sessions(self) -> None:
        """Drop all sessions, and wait until they are up again and the watchdog has sent all again."""
        for session in (self.one, self.two, self.only6):
            self.bird.restart_session(session.local)
        eventually(
            lambda: [peer["up"] for peer in self.site.status()["peers"]],
            until=lambda up: len(up) == 3 and all(up),
            within=15,
            what="all sessions up",
        )


@pytest.fixture
def at(network: Network, flavour: Flavour, installed: Installed) -> Lab:
    """The lab with everything announced."""
    here, there = network.host("par1"), network.host("bird")
    link, second = network.link(here, there), network.link(here, there)
    one, two = (
        Session(s.local, s.local_asn, s.remote, s.remote_asn, ("ipv4",))
        for s in (link.session(64699, 64500), link.second_session(64699, 64500))
    )
    only6 = second.session(64699, 64501, transport="ipv6", families=("ipv6",))
    sessions = [one, two, only6]
    bird = Bird(there, [session.flipped() for session in sessions])
    tables = {
        "vip": {
            "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[PORT]),
            "vip-2.tld": vip("192.0.2.2", ports=[PORT]),
        },
        "backend": {"exabgp": {"process": "speaker"}},
    }
    site = Site(here, flavour, installed, sessions, tables, up=[PORT])
    lab = Lab(site, bird, one, two, only6)
    site.ready()
    bird.wait_for_sessions()
    lab.everywhere(V4, OTHER)
    sees(bird, V6, neighbor=only6.local, within=15)
    return lab


def with_a_listener(text: str) -> str:
    """Return a configuration with a second process, and more in each neighbour."""
    text = text.replace("[ speaker ]", "[ listener, speaker ]")
    return LISTENER + text.replace("neighbor-changes;", f"neighbor-changes; {ASIDE[0]}").replace(
        "router-id", f"{ASIDE[1]} router-id"
    )


def test_several_processes_and_sessions(at: Lab) -> None:
    """Each session is one peer, and is served alone, whatever else exabgp.conf has; also after USR1."""
    for text in (at.site.config.text(), with_a_listener(at.site.config.text())):
        at.read(text)
        status = at.site.status()
        assert {peer["address"] for peer in status["peers"]} == {at.one.remote, at.only6.remote}
        assert len(status["peers"]) == 3
        assert at.trouble() == ""
        assert at.shown(V4)["peers"] == dict.fromkeys(at.names() - {at.only6.remote}, True)
        assert at.shown(V6)["peers"] == {at.only6.remote: True}
        drained = at.site.mgmt("-d", V4, V6)
        assert drained.returncode == 0, drained.stderr
        for session, prefix in ((at.one, V4), (at.two, V4), (at.only6, V6)):
            misses(at.bird, prefix, neighbor=session.local)
        assert at.site.mgmt("-a", V4, V6).returncode == 0
        at.everywhere(V4)
        sees(at.bird, V6, neighbor=at.only6.local)
    log = at.site.exabgp.log()
    assert "is not configured on neighbor" not in log
    assert "no neighbor matching" not in log


def test_the_api_section_goes(at: Lab, flavour: Flavour) -> None:
    """What peers have is not taken for withdrawn: -d is done once they have lost it, or says what to do."""
    text = at.site.config.text()
    at.read(text.replace("processes [ speaker ];", "").replace("neighbor-changes;", ""))
    if flavour == "v4":
        # It takes our lines until the sessions start again.
        drained = at.site.mgmt("-d", OTHER)
        assert drained.returncode == 0, drained.stderr
        for session in (at.one, at.two):
            misses(at.bird, OTHER, neighbor=session.local)
            at.bird.restart_session(session.local)
        at.everywhere(V4)
    drained = at.site.mgmt("-d", V4)
    assert drained.returncode == 1
    assert f"neighbor {at.one.remote} from {at.one.local} has" in drained.stderr
    assert "list it" in drained.stderr
    assert at.shown(V4)["announced"] is None
    assert "no neighbor of ExaBGP has this process" in at.trouble()
    at.everywhere(V4)
    at.read(text)
    if flavour == "v4":
        at.restart_sessions()
    for session in (at.one, at.two):
        misses(at.bird, V4, neighbor=session.local, within=35)  # retries are up to 30 s apart
    eventually(
        lambda: at.shown(V4)["announced"] is False and not at.trouble(),
        within=35,
        what="all well again",
    )


def test_a_realserver_dies_without_the_api_section(at: Lab, flavour: Flavour) -> None:
    """4.2 takes the withdrawal; on 5.0 the dead VIP stays, which is an alarm, and goes when it can."""
    text = at.site.config.text()
    at.read(text.replace("processes [ speaker ];", "").replace("neighbor-changes;", ""))
    at.site.realservers.close(PORT)
    if flavour == "v5":
        eventually(
            at.trouble,
            until=lambda trouble: "can't be withdrawn there" in trouble,
            within=35,
            what="an alarm",
        )
        assert at.shown(V4)["announced"] is None
        at.everywhere(V4)
        at.read(text)
    for session in (at.one, at.two):
        misses(at.bird, V4, OTHER, neighbor=session.local, within=35)
    misses(at.bird, V6, neighbor=at.only6.local, within=35)


def test_send_is_added(at: Lab) -> None:
    """A neighbor that tells of each UPDATE from now on: the first -d and -a after that are done, and say so."""
    text = at.site.config.text()
    assert SEND in text
    at.read(text.replace(SEND, ""))
    eventually(
        lambda: at.shown(V4)["peers"],
        until=lambda peers: peers and all(peers.values()),
        within=15,
        what="announced, as it is held",
    )
    at.read(text)
    drained = at.site.mgmt("-d", V4)
    assert drained.returncode == 0, drained.stderr
    for session in (at.one, at.two):
        misses(at.bird, V4, neighbor=session.local)
    restored = at.site.mgmt("-a", V4)
    assert restored.returncode == 0, restored.stderr
    at.everywhere(V4)
