"""Realservers die: what is withdrawn at once, what is held, and for how long."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from speaker.control.client import ask
from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.history import TRACE, History
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Namespace, Network
from tests.support.lab.site import Site, misses, sees, vip

CONFIRM, SHARE = 6.0, "50%"
GUARDED = {f"192.0.2.{number}/32": 8080 + number for number in range(1, 5)}
"""VIPs with a realserver each."""
UNCHECKED, FRAGILE, SLOW = "192.0.2.5/32", "192.0.2.6/32", "192.0.2.7/32"
SLOW_PORT, FRAGILE_PORT = 8090, 8091
ANYWHERE = "198.51.100.9"
"""A realserver's address that the machine has a route to as long as it is its own."""
TABLES = {
    "policy": {"max_withdraw": SHARE, "confirm": f"{CONFIRM:g}s"},
    "vip": {
        **{f"vip-{port}.tld": vip(prefix[:-3], ports=[port]) for prefix, port in GUARDED.items()},
        "unchecked.tld": {"addresses": ["192.0.2.5"], "health": {"source": "none"}},
        "fragile.tld": {
            "addresses": ["192.0.2.6"],
            "services": {"tcp/80": {"realservers": [f"{ANYWHERE}:{FRAGILE_PORT}"]}},
        },
        "slow.tld": vip("192.0.2.7", ports=[SLOW_PORT], health={"fall": "600ms", "rise": "400ms"}),
    },
}
PORTS = (*GUARDED.values(), SLOW_PORT, FRAGILE_PORT)
ALL = (*GUARDED, UNCHECKED, FRAGILE, SLOW)


@dataclass
class Lab:
    """A data centre with one far peer that remembers."""

    site: Site
    bird: Bird
    history: History
    host: Namespace

    @contextmanager
    def guard(self, share: str, confirm: str) -> Iterator[None]:
        """Have the watchdog go by another rule for landslides."""
        try:
            self._policy(share, confirm)
            yield
        finally:
            self._policy(SHARE, f"{CONFIRM:g}s")

    def _policy(self, share: str, confirm: str) -> None:
        before = len(self.site.exabgp.log())
        self.site.configure({"policy": {"max_withdraw": share, "confirm": confirm}})
        self.site.reload()
        eventually(
            lambda: "configuration applied" in self.site.exabgp.log()[before:],
            within=10,
            what="the watchdog's word that it took the rule",
        )

    def reachable(self, *, yes: bool) -> None:
        """Give the machine the address of the fragile VIP's realserver, or take it away."""
        self.host.run("ip", "address", "add" if yes else "del", f"{ANYWHERE}/32", "dev", "lo")


@pytest.fixture(scope="module")
def shared(lab: Network, flavour: Flavour, installed: Installed) -> Lab:
    """The lab of all tests here."""
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session], options=TRACE)
    host.run("ip", "address", "add", f"{ANYWHERE}/32", "dev", "lo")
    site = Site(host, flavour, installed, [session.flipped()], TABLES, up=PORTS)
    bird.wait_for_sessions()
    return Lab(site, bird, History(bird), host)


@pytest.fixture
def at(shared: Lab) -> Lab:
    """The lab with everything announced."""
    shared.site.realservers.open(*PORTS)
    sees(shared.bird, *ALL)
    shared.history.start()
    return shared


def _held(at: Lab) -> None:
    """Wait until the guard is seen at work, without the time that a command takes to start."""
    eventually(
        lambda: ask(at.site.state / "control.sock", "GET", "/status")["trouble"],
        until=lambda texts: any(text.startswith("guard: 4 prefixes held") for text in texts),
        within=5,
        what="the guard's trouble",
    )


def test_one_vip_is_never_held(at: Lab) -> None:
    """The death of one VIP is no landslide, whatever share and time vip.toml has: the peer loses the route."""
    prefix, port = next(iter(GUARDED.items()))
    with at.guard("0%", "1h"):
        at.site.realservers.close(port)
        misses(at.bird, prefix)
        assert [event.prefix for event in at.history.events()] == [prefix]
        at.site.realservers.open(port)
        sees(at.bird, prefix)


def test_a_landslide_is_held_until_it_is_confirmed(at: Lab) -> None:
    """More than `max_withdraw` at once stays announced for `confirm`, says why, and goes then."""
    began = time.time()
    at.site.realservers.close(*GUARDED.values())
    _held(at)
    misses(at.bird, *GUARDED)
    went = [event.time for event in at.history.events(*GUARDED)]
    assert len(went) == len(GUARDED)
    assert began + CONFIRM <= min(went)
    at.site.realservers.open(*GUARDED.values())
    sees(at.bird, *GUARDED, within=5)


def test_a_landslide_that_was_none(at: Lab) -> None:
    """All realservers lost and back within `confirm`: the peer has lost nothing."""
    with at.guard(SHARE, "1h"):
        at.site.realservers.close(*GUARDED.values())
        _held(at)
        at.site.realservers.open(*GUARDED.values())
        eventually(
            lambda: {route["reason"] for route in at.site.routes(*GUARDED).values()},
            until=lambda reasons: reasons == {"up: 1 realserver"},
            within=5,
            what="all up",
        )
    assert not at.history.events()


def test_an_operator_is_not_restrained(at: Lab) -> None:
    """The guard never holds a drain, however much it is."""
    done = at.site.mgmt("-d", "all")
    assert done.returncode == 0, done.stderr
    misses(at.bird, *ALL)
    assert at.site.mgmt("-a", "all").returncode == 0


def test_unknown_is_held(at: Lab) -> None:
    """A realserver that this machine can't reach for a fault of its own is unknown, not down (rule 2).

    Once it can look again and nobody is there, it is down. Restarts make no difference.
    """
    at.reachable(yes=False)
    route = eventually(
        lambda: at.site.routes()[FRAGILE],
        until=lambda route: route["health"] == "unknown",
        within=5,
        what="unknown health",
    )
    assert route["announced"] is True
    assert "Network is unreachable" in route["reason"]
    assert "TROUBLE: health: 1 prefix unknown" in at.site.mgmt("status").stdout
    at.site.end_watchdog(signal.SIGKILL)
    assert at.site.routes()[FRAGILE]["announced"] is True
    assert not at.history.events()
    at.site.restart()
    sees(at.bird, FRAGILE, within=15)
    at.history.start()
    at.reachable(yes=True)
    eventually(
        lambda: at.site.routes()[FRAGILE]["health"],
        until=lambda health: health == "up",
        within=5,
        what="up",
    )
    assert not at.history.events(FRAGILE)
    at.site.realservers.close(FRAGILE_PORT)
    misses(at.bird, FRAGILE)


def test_fall_and_rise(at: Lab) -> None:
    """With `fall` and `rise` a change of health must last that long before a route changes."""
    began = time.time()
    at.site.realservers.close(SLOW_PORT)
    misses(at.bird, SLOW)
    middle = time.time()
    at.site.realservers.open(SLOW_PORT)
    sees(at.bird, SLOW)
    went, came = at.history.events(SLOW)
    assert began + 0.6 <= went.time
    assert middle + 0.4 <= came.time


def test_the_unchecked_stay(at: Lab) -> None:
    """With `source = "none"` nothing but the operator withdraws, whatever dies."""
    at.site.realservers.close(SLOW_PORT, FRAGILE_PORT)
    misses(at.bird, SLOW, FRAGILE)
    assert UNCHECKED in at.bird.routes()
    assert at.site.routes()[UNCHECKED]["reason"] == "health is not checked"
