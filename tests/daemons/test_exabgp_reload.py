"""Pins what becomes of routes and of a process when exabgp.conf lists it otherwise and is read again."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.daemons.stage import V4
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Config, ExaBgp, Flavour
from tests.support.lab.netns import End, Network
from tests.support.lab.puppet import Helper, Puppet
from tests.support.lab.session import Session

SECOND = "192.0.2.2/32"
ANNOUNCE = f"announce attributes next-hop self nlri {V4} {SECOND}"
WITHDRAW = f"withdraw attributes next-hop 0.0.0.0 nlri {V4}"


@dataclass
class Reloaded:
    """An ExaBGP with one neighbour, and the text of its configuration."""

    end: End
    session: Session
    bird: Bird
    exabgp: ExaBgp
    helper: Helper
    text: str

    @contextmanager
    def without_address(self) -> Iterator[None]:
        """Take the session's local address off the machine for a while."""
        end = self.end
        end.namespace.run("ip", "address", "del", f"{end.ipv4}/30", "dev", end.device)
        yield
        end.namespace.add(end.device, f"{end.ipv4}/30")

    def read(self, text: str) -> None:
        """Have ExaBGP read another configuration, and wait until it has."""
        self.exabgp.write(text)
        before = self.exabgp.log().count("loaded new configuration")
        self.exabgp.signal(signal.SIGUSR1)
        eventually(
            lambda: self.exabgp.log().count("loaded new configuration"),
            until=lambda count: count > before,
            within=5,
            what="exabgp.conf read",
        )

    def restart_session(self) -> None:
        """Drop the session, and wait until it is up again."""
        before = self.helper.states(self.session.remote)
        self.bird.restart_session(self.session.local)
        eventually(
            lambda: (
                self.bird.sessions()[self.session.local]
                and "ESTABLISHED" in str(self.helper.ask("show neighbor extensive").lines)
            ),
            within=10,
            what=f"the session is up again after {before}",
        )

    def peer_has(self, *prefixes: str) -> None:
        """Wait until the peer has exactly these."""
        eventually(
            lambda: set(self.bird.routes()),
            until=lambda seen: seen == set(prefixes),
            within=5,
            what=f"{prefixes} at the peer",
        )

    def listed(self) -> list[str]:
        """Return the prefixes of the Adj-RIB-Out, as ExaBGP shows it."""
        lines = self.helper.ask("show adj-rib out extensive").lines
        return sorted(line.split(" unicast ")[1].split()[0] for line in lines)


@pytest.fixture
def reloaded(flavour: Flavour) -> Iterator[Reloaded]:
    """An ExaBGP that has announced two prefixes."""
    with Network() as network:
        here, there = network.host("here"), network.host("there")
        link = network.link(here, there)
        session = link.session(64699, 64500)
        bird = Bird(there, [session.flipped()])
        puppet = Puppet(here)
        config = Config([session], puppet.run)
        exabgp = ExaBgp(here, flavour, config)
        stage = Reloaded(link.a, session, bird, exabgp, puppet.helper(), config.text())
        bird.wait_for_sessions()
        assert stage.helper.ask(ANNOUNCE).status == "done"
        stage.peer_has(V4, SECOND)
        yield stage


def without_us(text: str) -> str:
    """Return a configuration whose neighbours list no process."""
    return text.replace("processes [ speaker ];", "").replace("neighbor-changes;", "")


def test_a_process_that_is_listed_no_longer(reloaded: Reloaded, flavour: Flavour) -> None:
    """Session, routes and their listing stay; 5.0 refuses its lines, 4.2 does so from the next session on."""
    reloaded.read(without_us(reloaded.text))
    assert "processes" not in str(reloaded.helper.ask("show neighbor configuration").lines)
    assert reloaded.listed() == [V4, SECOND]
    if flavour == "v4":
        assert reloaded.helper.ask(WITHDRAW).status == "done"
        reloaded.peer_has(SECOND)
        assert reloaded.helper.ask(ANNOUNCE).status == "done"
        reloaded.peer_has(V4, SECOND)
        reloaded.restart_session()
    for line in (WITHDRAW, f"neighbor {reloaded.session.remote} {WITHDRAW}", ANNOUNCE):
        assert reloaded.helper.ask(line).status == "error"
    assert reloaded.listed() == [V4, SECOND]
    reloaded.peer_has(V4, SECOND)


def test_a_process_that_is_listed_again(reloaded: Reloaded, flavour: Flavour) -> None:
    """Its lines are taken at once, or in 4.2 from the next session on, and the routes are still its."""
    reloaded.read(without_us(reloaded.text))
    reloaded.restart_session()
    reloaded.read(reloaded.text)
    assert reloaded.listed() == [V4, SECOND]
    if flavour == "v4":
        assert "processes [ speaker ]" in str(
            reloaded.helper.ask("show neighbor configuration").lines
        )
        assert reloaded.helper.ask(WITHDRAW).status == "error"
        reloaded.restart_session()
    assert reloaded.helper.ask(WITHDRAW).status == "done"
    reloaded.peer_has(SECOND)


def test_a_second_process(reloaded: Reloaded) -> None:
    """Another process beside ours changes nothing for ours."""
    listener = "process listener { run /usr/bin/sleep 10000; encoder json; }\n"
    both = reloaded.text.replace("[ speaker ]", "[ speaker, listener ]")
    reloaded.read(listener + both)
    assert reloaded.helper.ask(WITHDRAW).status == "done"
    reloaded.peer_has(SECOND)


def test_a_family_that_a_neighbour_lacks(flavour: Flavour) -> None:
    """A line for all logs each prefix for each neighbour without its family; one with a selector none of them."""
    with Network() as network:
        here, there = network.host("here"), network.host("there")
        only4, only6 = network.link(here, there).session_per_family(64699, 64500)
        puppet = Puppet(here)
        exabgp = ExaBgp(here, flavour, Config([only4, only6], puppet.run))
        helper = puppet.helper()
        line = WITHDRAW.replace(V4, " ".join(f"192.0.2.{n}/32" for n in range(100)))
        logged = []
        for selector in ("", f"neighbor {only4.remote} local-ip {only4.local} "):
            assert helper.ask(f"{selector}{line}").status == "done"
            assert helper.ask("version").status == "done"
            logged.append(exabgp.log().count("is not configured on neighbor"))
        assert logged == [100, 100]


def test_while_a_route_waits_for_a_session(reloaded: Reloaded, flavour: Flavour) -> None:
    """5.0 passes over USR1, for good, while something waits for a session; 4.2 takes it once all was sent once."""
    session = reloaded.session
    reloaded.bird.disable(session.local)
    eventually(
        lambda: "ESTABLISHED" not in str(reloaded.helper.ask("show neighbor extensive").lines),
        within=10,
        what="the session is down",
    )
    # Without its address ExaBGP can't even try: an attempt that fails would end the waiting.
    with reloaded.without_address():
        assert reloaded.helper.ask(ANNOUNCE.replace(V4, "192.0.2.3/32")).status == "done"
        before = reloaded.exabgp.log().count("loaded new configuration")
        reloaded.exabgp.write(without_us(reloaded.text))
        reloaded.exabgp.signal(signal.SIGUSR1)
        eventually(lambda: "SIGUSR1 received" in reloaded.exabgp.log(), within=5, what="it came")
        assert reloaded.helper.ask("version").status == "done"
    reloaded.bird.enable(session.local)
    reloaded.peer_has(V4, SECOND, "192.0.2.3/32")
    is_taken = reloaded.exabgp.log().count("loaded new configuration") > before
    assert is_taken == (flavour == "v4")
    reloaded.read(without_us(reloaded.text))
