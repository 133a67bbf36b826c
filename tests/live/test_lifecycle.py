"""Crashes, restarts and lost sessions: what is drained stays away, what is announced stays."""

import os
import random
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import eq

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.history import TRACE, History
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Link, Network
from tests.support.lab.site import Site, misses, sees, steadily_misses, vip

PORT = 8081
DRAINED = ("192.0.2.1/32", "2001:db8::1/128")
KEPT = ("192.0.2.2/32", "2001:db8::2/128")
SETTLED = 1.5
"""A little longer after a session's start than the watchdog lets pass before it heals, in seconds."""
SEED, MOMENTS = 5, 2
PROMPTLY = 10.0
"""Seconds that ExaBGP may take to stop, however slow the machine is."""
TAKEN = (
    "takes effect within 0.1 s where a vip_watchdog runs with its configuration, else when one "
    "starts with it: see its log"
)
A_WHILE = 0.3
"""Several cycles of the watchdog, in seconds."""


@dataclass
class Lab:
    """A data centre with one far peer that remembers."""

    site: Site
    bird: Bird
    history: History
    link: Link

    @property
    def neighbor(self) -> str:
        """The data centre, as the far peer names it."""
        return self.link.b.ipv4

    def drain(self) -> None:
        """Drain, and wait until the peer has lost the prefixes."""
        done = self.site.mgmt("-d", *DRAINED)
        assert done.returncode == 0, done.stderr
        misses(self.bird, *DRAINED)


@pytest.fixture(scope="module")
def shared(lab: Network, flavour: Flavour, installed: Installed) -> Lab:
    """The lab of all tests here."""
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session], options=TRACE)
    tables = {
        "vip": {
            "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[PORT]),
            "vip-2.tld": vip("192.0.2.2", "2001:db8::2", ports=[PORT]),
        },
        "backend": {"exabgp": {"next_hop": {"ipv6": link.b.ipv6}}},
    }
    options = ["hold-time 6;"]  # a cut link is noticed soon, and a pause of a busy machine is none
    sessions = [session.flipped()]
    site = Site(host, flavour, installed, sessions, tables, up=[PORT], options=options)
    bird.wait_for_sessions()
    return Lab(site, bird, History(bird), link)


@pytest.fixture
def at(shared: Lab) -> Lab:
    """The lab with everything announced."""
    shared.site.ready()
    shared.site.mgmt("-a", "all")
    sees(shared.bird, *DRAINED, *KEPT, within=15)
    shared.history.start()
    return shared


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_watchdog_ends(at: Lab, number: signal.Signals) -> None:
    """When the watchdog dies or is stopped, no route changes; its successor does its work."""
    at.site.end_watchdog(number)
    assert not at.history.events()
    at.site.realservers.close(PORT)
    misses(at.bird, *KEPT, *DRAINED)
    at.site.realservers.open(PORT)
    sees(at.bird, *KEPT, *DRAINED)


def test_the_watchdog_is_killed_during_a_drain(at: Lab) -> None:
    """A drain outlives the watchdog: the peer never has the prefix until `-a` (rule 1)."""
    at.drain()
    at.site.end_watchdog(signal.SIGKILL)
    assert {route["intent"] for route in at.site.routes(*DRAINED).values()} == {"drained"}
    steadily_misses(at.bird, *DRAINED, during=A_WHILE)
    assert sorted(event.prefix for event in at.history.events()) == sorted(DRAINED)
    assert at.site.mgmt("-a", "all").returncode == 0
    sees(at.bird, *DRAINED)


def test_the_watchdog_is_killed_at_any_moment_of_a_drain(at: Lab) -> None:
    """`-d` that returned 0 holds, whenever the watchdog dies; any other leaves all drained or none."""
    at.site.restart()  # ExaBGP gives up when its process ends a few times within a minute
    sees(at.bird, *DRAINED, *KEPT, within=15)
    at.history.start()
    chance = random.Random(SEED)
    for _ in range(MOMENTS):
        pid = at.site.reconciler
        killer = threading.Timer(chance.uniform(0.1, 0.35), os.kill, (pid, signal.SIGKILL))
        killer.start()
        done = at.site.mgmt("-d", *DRAINED)
        killer.join()
        at.site.succeeded(pid)
        intents = {route["intent"] for route in at.site.routes(*DRAINED).values()}
        assert intents == {"drained"} or (done.returncode and intents == {"auto"})
        if intents == {"drained"}:
            misses(at.bird, *DRAINED)
            steadily_misses(at.bird, *DRAINED, during=A_WHILE)
        at.site.mgmt("-a", "all")
        sees(at.bird, *DRAINED)
        for prefix in DRAINED:
            assert at.history.verbs(prefix) in (["removed", "added"], [])
        at.history.start()


def test_exabgp_is_killed_during_a_drain(at: Lab) -> None:
    """ExaBGP starts anew: the drained prefix is never announced, all else is (rule 1)."""
    at.drain()
    at.site.exabgp.kill()
    misses(at.bird, *KEPT)
    at.history.start()
    at.site.restart()
    sees(at.bird, *KEPT, within=15)
    steadily_misses(at.bird, *DRAINED, during=A_WHILE)
    assert not at.history.events(*DRAINED)


def test_a_drain_while_exabgp_is_down(at: Lab) -> None:
    """It is recorded, the command says so with exit 1, and it holds from the start of ExaBGP."""
    at.site.exabgp.terminate()
    misses(at.bird, *KEPT, *DRAINED)
    at.history.start()
    done = at.site.mgmt("-d", "--reason", "before the start", *DRAINED)
    assert done.returncode == 1
    for prefix in DRAINED:
        line = f"{prefix}: drained is recorded; {TAKEN}\n"
        assert f"bgp_mgt: {line}" in done.stderr
    at.site.restart()
    sees(at.bird, *KEPT, within=15)
    steadily_misses(at.bird, *DRAINED, during=A_WHILE)
    assert not at.history.events(*DRAINED)
    for route in at.site.routes(*DRAINED).values():
        assert route["reason"].startswith("drained by root at ")
        assert route["reason"].endswith(": before the start")


def test_exabgp_starts_without_its_peer(at: Lab) -> None:
    """A drain from before the start holds when the session comes up only later."""
    at.drain()
    at.bird.disable(at.neighbor)
    at.site.restart()
    at.history.start()
    at.bird.enable(at.neighbor)
    sees(at.bird, *KEPT, within=15)
    steadily_misses(at.bird, *DRAINED, during=A_WHILE)
    assert not at.history.events(*DRAINED)


def _disabled(at: Lab) -> tuple[Callable[[], None], Callable[[], None]]:
    return (lambda: at.bird.disable(at.neighbor)), (lambda: at.bird.enable(at.neighbor))


def _cut(at: Lab) -> tuple[Callable[[], None], Callable[[], None]]:
    return at.link.down, at.link.up


@pytest.mark.parametrize("way", [_disabled, _cut], ids=["session", "link"])
def test_changes_while_the_session_is_down(
    at: Lab, way: Callable[[Lab], tuple[Callable[[], None], Callable[[], None]]]
) -> None:
    """Soon after a session comes up the peer has what is decided now, and no more.

    What was drained before is never announced. What was drained while the session was down is
    gone soon, and stays gone: ExaBGP 5.0 sends it once more if it was announced and withdrawn in
    that time, and the first of several AS_PATHs.
    """
    before, meanwhile = DRAINED
    assert at.site.mgmt("-d", before).returncode == 0
    misses(at.bird, before)
    down, up = way(at)
    down()
    eventually(
        lambda: [peer["up"] for peer in at.site.status()["peers"]],
        until=lambda up: up == [False],
        within=10,
        what="the session seen down",
    )
    # Changed paths take ten seconds to heal after a cut link, which is not worth the time here.
    prepends = (2, 1, 2) if way is _disabled else (1, 1, 1)
    for wish, more in zip(("-d", "-a", "-d"), prepends, strict=True):
        # What is to be announced while no session is up is recorded, and is not announced.
        assert at.site.mgmt(wish, meanwhile).returncode == (wish == "-a")
        _prefer(at, more)
    at.history.start()
    up()
    eventually(
        lambda: {prefix: route.as_path for prefix, route in at.bird.routes().items()},
        until=partial(eq, dict.fromkeys(KEPT, (64699,) * (prepends[-1] + 1))),
        within=20,
        what="the last path, and nothing drained",
    )
    steadily_misses(at.bird, *DRAINED, during=SETTLED)
    assert not at.history.events(before)
    assert at.history.verbs(meanwhile) in ([], ["added", "removed"])
    _prefer(at, 1)


def _prefer(at: Lab, prepends: int) -> None:
    """Change the preference of what is kept, and wait until that is read back."""
    order = ["lyo1", "par1"] if prepends > 1 else ["par1", "lyo1"]
    at.site.configure({"vip": {"vip-2.tld": {"prefer": order}}})
    at.site.reload()
    eventually(
        lambda: [len(route["as_path"]) for route in at.site.routes(*KEPT).values()],
        until=lambda lengths: lengths == [prepends + 1] * 2,
        within=5,
        what=f"{prepends} prepends, read back",
    )


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_exabgp_reloads(at: Lab, number: signal.Signals) -> None:
    """A reload of ExaBGP, or a restart of its processes, changes no route and lifts no drain."""
    at.drain()
    at.history.start()
    old = at.site.reconciler
    at.site.exabgp.signal(number)
    if number is signal.SIGUSR2:
        at.site.succeeded(old)
    steadily_misses(at.bird, *DRAINED, during=A_WHILE)
    assert not at.history.events()
    assert at.site.mgmt("-a", "all").returncode == 0
    sees(at.bird, *DRAINED)


def _succeeded(at: Lab, old: int) -> None:
    """Wait for another watchdog: ExaBGP 5.0 passes a signal over, for good, that comes while something waits to be sent."""

    def is_there() -> bool:
        with suppress(AssertionError):
            eventually(lambda: at.site.reconciler != old, within=0.5, what="a successor")
            return True
        at.site.exabgp.signal(signal.SIGUSR2)
        return False

    eventually(is_there, within=10, what=f"a successor of process {old}")
    at.site.succeeded(old)


@pytest.mark.parametrize(
    ("number", "times"), [(signal.SIGUSR1, 5), (signal.SIGUSR2, 3)], ids=["USR1", "USR2"]
)
def test_exabgp_reloads_while_commands_are_in_flight(
    at: Lab, number: signal.Signals, times: int
) -> None:
    """A reload at any moment of a drain undoes none, loses nothing else, and leaves what was asked for last."""
    at.site.restart()  # ExaBGP gives up when its process ends a few times within a minute
    sees(at.bird, *DRAINED, *KEPT, within=15)
    at.history.start()
    chance = random.Random(SEED)
    for _ in range(times):
        old = at.site.reconciler
        reload = threading.Timer(chance.uniform(0.0, 0.4), at.site.exabgp.signal, (number,))
        reload.start()
        done = at.site.mgmt("-d", *DRAINED)
        reload.join()
        if number is signal.SIGUSR2:
            _succeeded(at, old)
        assert done.returncode == 0 or "recorded" in done.stderr, done.stderr
        misses(at.bird, *DRAINED, within=10)
        steadily_misses(at.bird, *DRAINED, during=A_WHILE)
        at.site.mgmt("-a", *DRAINED)
        sees(at.bird, *DRAINED, within=10)
    assert not at.history.events(*KEPT)
    assert at.site.exabgp.alive


def test_exabgp_stops_promptly(at: Lab) -> None:
    """The watchdog never keeps ExaBGP from stopping, and leaves with it."""
    pid = at.site.reconciler
    assert at.site.exabgp.terminate(within=PROMPTLY) == 0
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), within=1, what="no watchdog")  # noqa: PTH110
    assert not (at.site.state / "control.sock").exists()
    at.site.restart()
