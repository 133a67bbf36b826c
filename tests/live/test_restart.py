"""ExaBGP restarts, and routers that have graceful restart keep the routes: no gap at BIRD, none at FRR."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.frr import CURED, Frr, config
from tests.support.lab.requirements import require
from tests.support.lab.site import Site, misses, sees, vip
from tests.support.lab.vty import Vty
from tests.support.profiles import NIGHTLY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.lab.exabgp import Flavour
    from tests.support.lab.installed import Installed
    from tests.support.lab.netns import Network

PORT, OTHERS = 8081, 8082
V4, V6 = "192.0.2.1/32", "2001:db8::1/128"
DRAINED, DEAD = "192.0.2.2/32", "192.0.2.3/32"
RESTARTS = 20 if NIGHTLY else 2
TIME = 20
"""For how long, in seconds, the routers keep routes of a session that ended."""
GRACEFUL = (f"capability {{ graceful-restart {TIME}; }}", "manual-eor true;")
EVERY = 0.02


@dataclass
class Probe:
    """Looks at a router's best paths all the time, and remembers when one was not there."""

    wanted: set[str]
    look: Callable[[], set[str]]
    gaps: list[tuple[float, set[str]]] = field(default_factory=list)
    looks: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.wait(EVERY):
            missing = self.wanted - self.look()
            self.looks += 1
            if missing:
                self.gaps.append((time.monotonic(), missing))


@dataclass
class Lab:
    """A data centre, and two routers that keep its routes over a restart."""

    site: Site
    bird: Bird
    vty: Vty
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def paths(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each prefix that FRR has, with each of its paths."""
        with self.one_at_a_time:
            said, status = self.vty.say("do show bgp ipv4 unicast json")
        assert status == 0, said
        for prefix, paths in json.loads(said)["routes"].items():
            yield from ((prefix, path) for path in paths)

    def at_frr(self) -> set[str]:
        """Return the prefixes of which FRR has a best path."""
        return {prefix for prefix, path in self.paths() if path.get("bestpath")}

    def stale(self) -> set[str]:
        """Return what FRR keeps although it was not announced again."""
        return {prefix for prefix, path in self.paths() if path.get("stale")}

    def sees(self, *prefixes: str, within: float = 5) -> None:
        """Wait until both routers have prefixes, and BIRD has the IPv6 one too."""
        sees(self.bird, *prefixes, V6, within=within)
        eventually(
            lambda: set(prefixes) - self.at_frr(),
            until=lambda missing: not missing,
            within=within,
            what=f"{prefixes} at FRR (seen is what is missing)",
        )

    def misses(self, *prefixes: str, within: float = 5) -> None:
        """Wait until neither router has any of some prefixes."""
        misses(self.bird, *prefixes, within=within)
        eventually(
            lambda: set(prefixes) & self.at_frr(),
            until=lambda left: not left,
            within=within,
            what=f"FRR loses {prefixes} (seen is what is left)",
        )

    def restart(self) -> None:
        """Restart ExaBGP, and wait until both routers have End-of-RIB: what was stale is new, or gone.

        A session that ends again before that takes what is stale still along (RFC 4724, section 4.2).
        """
        before = self.done()
        self.site.restart()
        eventually(
            lambda: (self.done(), self.stale()),
            until=lambda seen: seen[0] > before and not seen[1],
            within=15,
            what=f"more than {before} restarts done at BIRD, and nothing stale at FRR",
        )

    def done(self) -> int:
        """Return how many restarts of its neighbour BIRD has seen from the beginning to the end."""
        return self.bird.process.log().count("Neighbor graceful restart done")

    @contextmanager
    def probed(self) -> Iterator[list[Probe]]:
        """Look at both routers all the time, while the context lasts."""
        probes = [
            Probe({V4, V6}, lambda: set(self.bird.routes())),
            Probe({V4}, self.at_frr),
        ]
        threads = [threading.Thread(target=probe.run) for probe in probes]
        for thread in threads:
            thread.start()
        try:
            yield probes
        finally:
            for probe, thread in zip(probes, threads, strict=True):
                probe.stop.set()
                thread.join()


@pytest.fixture(scope="module")
def at(lab: Network, flavour: Flavour, installed: Installed) -> Iterator[Lab]:
    """The lab; the default of both routers is to keep the routes of a neighbour that asks for it."""
    require("vtysh")
    host = lab.host("par1")
    link, second = lab.link(host, lab.host("bird")), lab.link(host, lab.host("frr"))
    only4 = second.session(64699, 64501, families=("ipv4",))
    sessions = [link.session(64699, 64500), only4]
    bird = Bird(link.b.namespace, [sessions[0].flipped()], options=["debug { events };"])
    text = config(
        [only4.flipped()],
        asn=64501,
        router_id="203.0.113.253",
        options=[*CURED, "bgp graceful-restart stalepath-time 60"],
    )
    frr = Frr(second.b.namespace, text)
    tables = {
        "vip": {
            "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[PORT]),
            "vip-2.tld": vip("192.0.2.2", ports=[PORT]),
            "vip-3.tld": vip("192.0.2.3", ports=[OTHERS]),
        },
        "backend": {"exabgp": {"next_hop": {"ipv6": link.a.ipv6}}},
    }
    site = Site(host, flavour, installed, sessions, tables, up=[PORT, OTHERS], options=GRACEFUL)
    with Vty(frr.folder / "bgpd.vty") as vty:
        found = Lab(site, bird, vty)
        bird.wait_for_sessions()
        found.sees(V4, DRAINED, DEAD, within=15)
        yield found


def test_no_gap(at: Lab) -> None:
    """While ExaBGP restarts, again and again, each router has its best path all the time."""
    with at.probed() as probes:
        for _ in range(RESTARTS):
            at.restart()
            at.sees(V4, DRAINED, DEAD)
    assert [probe.gaps for probe in probes] == [[], []]
    assert all(probe.looks > 10 * RESTARTS for probe in probes)


def test_what_is_drained_or_dead_goes(at: Lab) -> None:
    """A drained VIP stays away over a restart; what is drained or dies meanwhile goes at End-of-RIB."""
    assert at.site.mgmt("-d", DRAINED).returncode == 0
    at.misses(DRAINED)
    with at.probed() as probes:
        at.site.exabgp.terminate()
        at.site.realservers.close(OTHERS)
        assert DRAINED not in at.at_frr() | set(at.bird.routes())
        assert at.site.mgmt("-d", DRAINED, DEAD).returncode == 1, "recorded; nobody runs"
        at.restart()
        at.misses(DRAINED, DEAD)
        at.sees(V4)
    assert [probe.gaps for probe in probes] == [[], []]
    at.site.realservers.open(OTHERS)
    assert at.site.mgmt("-a", "all").returncode == 0
    at.sees(V4, DRAINED, DEAD)


def test_a_machine_that_does_not_come_back(at: Lab) -> None:
    """The routers lose the routes when the restart time is over, and not before."""
    at.site.exabgp.terminate()
    at.sees(V4)
    at.misses(V4, within=TIME + 5)
    misses(at.bird, V6)
    at.site.restart()
    at.sees(V4, within=15)
