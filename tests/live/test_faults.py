"""ExaBGP refuses, loses, delays or garbles its replies; it runs as root here, which is rare."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.filter import Filter
from tests.support.lab.history import TRACE, History
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.site import Site, misses, sees, vip

PORT, OTHER_PORT = 8081, 8082
SIX = "2001:db8::1/128"
"""Its family is on no session."""
MANY = tuple(f"192.0.2.{number}/32" for number in range(1, 11))
ALONE = "192.0.2.20/32"
"""A VIP with a realserver of its own."""
PATIENCE = 5.0
"""How long the watchdog waits for a reply, in seconds."""


@dataclass
class Lab:
    """A data centre with one far peer that remembers, and a hand on the pipe to ExaBGP."""

    site: Site
    bird: Bird
    history: History
    filter: Filter

    def reason(self, prefix: str) -> str:
        """Return the reason that `status` shows."""
        return str(self.site.routes(prefix)[prefix]["reason"])


@pytest.fixture(scope="module")
def shared(lab: Network, flavour: Flavour, installed: Installed) -> Lab:
    """The lab of all tests here."""
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699, families=("ipv4",))
    bird = Bird(link.a.namespace, [session], options=TRACE)
    between = Filter(host)
    tables = {
        "vip": {
            # One half of these has another AS_PATH than the other: two lines of five.
            "many.tld": vip(SIX[:-4], *(prefix[:-3] for prefix in MANY), ports=[PORT]),
            "alone.tld": vip(ALONE[:-3], ports=[OTHER_PORT]),
        }
    }
    site = Site(
        host,
        flavour,
        installed,
        [session.flipped()],
        tables,
        up=[PORT, OTHER_PORT],
        user="root",
        wrapper=between.wrapper,
    )
    between.attach()
    bird.wait_for_sessions()
    return Lab(site, bird, History(bird), between)


@pytest.fixture
def at(shared: Lab) -> Lab:
    """The lab with all announced that can be."""
    shared.filter.pass_all()
    shared.site.realservers.open(PORT, OTHER_PORT)
    sees(shared.bird, *MANY, ALONE, within=15)
    shared.history.start()
    shared.filter.happened.clear()
    return shared


def test_as_root(at: Lab) -> None:
    """Where ExaBGP stays root, so does the watchdog, and all works."""
    assert Path(f"/proc/{at.site.reconciler}").stat().st_uid == os.geteuid() == 0
    assert at.site.mgmt("-d", ALONE).returncode == 0
    misses(at.bird, ALONE)
    assert at.site.mgmt("-a", ALONE).returncode == 0
    sees(at.bird, ALONE)


def test_no_session_has_the_family(at: Lab) -> None:
    """A prefix whose family no neighbour has is reported, at once; the others are announced."""
    assert "no neighbor of ExaBGP has family ipv6 unicast" in at.reason(SIX)
    done = at.site.mgmt("-a", SIX)
    assert done.returncode == 1
    assert "no neighbor of ExaBGP has family ipv6 unicast" in done.stderr
    assert at.site.mgmt("-d", SIX).returncode == 0
    assert at.site.mgmt("-a", SIX).returncode == 1
    assert not at.history.events()


def test_one_prefix_is_refused(at: Lab) -> None:
    """When ExaBGP answers `error` for one prefix, the others of its line are announced.

    That one is tried again, at longer and longer intervals, until it is taken.
    """
    at.site.realservers.close(PORT)
    misses(at.bird, *MANY)
    culprit = MANY[3]
    at.filter.refuse(culprit)
    at.site.realservers.open(PORT)
    sees(at.bird, *(set(MANY) - {culprit}))
    eventually(
        lambda: at.reason(culprit),
        until=lambda reason: "not done: ExaBGP answered error; see ExaBGP's log" in reason,
        within=5,
        what="the reason in status",
    )
    eventually(
        lambda: sum(line.endswith(f"nlri {culprit}") for line in at.filter.happened),
        until=lambda tries: tries >= 2,
        within=5,
        what="another attempt",
    )
    lengths = {line.count("/32") for line in at.filter.happened}
    assert {5, 2, 1} <= lengths, "halved until the culprit stands alone"
    done = at.site.mgmt("-a", culprit)
    assert done.returncode == 1
    assert "ExaBGP answered error" in done.stderr
    assert not at.history.events(ALONE)
    at.filter.pass_all()
    sees(at.bird, culprit, within=10)
    eventually(
        lambda: at.reason(culprit),
        until=lambda reason: reason == "up: 1 realserver",
        within=5,
        what="ExaBGP's answer, which may come after the peer has the route",
    )


def test_a_withdrawal_is_refused(at: Lab) -> None:
    """`-d` that ExaBGP refuses is not said to be done: exit 1 with the reason; it is tried again."""
    at.filter.refuse(f"nlri {ALONE}")
    done = at.site.mgmt("-d", ALONE)
    assert done.returncode == 1
    assert f"{ALONE}: not confirmed as withdrawn" in done.stderr
    at.filter.pass_all()
    misses(at.bird, ALONE)
    assert at.site.mgmt("-d", ALONE).returncode == 0
    assert at.site.mgmt("-a", ALONE).returncode == 0


def test_a_reply_never_comes(at: Lab, flavour: Flavour) -> None:
    """After a reply that never comes the watchdog gets in step again, and the peer has what it must.

    It is lost on the way, or swallowed by a line before it that has no end.
    """
    if flavour == "v4":
        at.filter.lose(f"nlri {ALONE}")
    else:
        at.filter.inject(b'{ "exabgp"')
    at.site.realservers.close(OTHER_PORT)
    misses(at.bird, ALONE)
    at.site.realservers.close(PORT)
    at.site.realservers.open(OTHER_PORT)
    misses(at.bird, *MANY, within=PATIENCE + 5)
    sees(at.bird, ALONE)
    assert at.history.verbs(ALONE) == ["removed", "added"]
    at.site.realservers.open(PORT)
    sees(at.bird, *MANY)
    assert at.reason(ALONE) == "up: 1 realserver"


def test_a_reply_is_late(at: Lab) -> None:
    """A reply that comes after the watchdog has given it up is not taken for another's."""
    at.filter.delay(f"nlri {ALONE}", PATIENCE + 0.5)
    at.site.realservers.close(OTHER_PORT)
    eventually(lambda: at.filter.happened, within=PATIENCE + 5, what="a reply that was held back")
    at.filter.refuse(MANY[0])
    at.site.realservers.close(PORT)
    misses(at.bird, *MANY[1:])
    eventually(
        lambda: at.reason(MANY[0]),
        until=lambda reason: "ExaBGP answered error" in reason,
        within=5,
        what="the refusal of the prefix that was refused, not of another",
    )
    at.filter.pass_all()
    misses(at.bird, *MANY, ALONE)


GARBAGE = (
    b"hello world\ndone and dusted\n",
    b"\xff\xfe\x00\x80\n",
    b"\n\n\r\n\x00\n",
    b'{ "exabgp": "5.0.0", "type": "sta\n{\n',
    b'{"type": 3}\n{"type": "state", "neighbor": []}\n[]\n',
    b'{"a":' * 20000 + b"\n",
    b"x" * (3 << 20) + b"\n",
    b'{"x": "' + b"y" * (2 << 20) + b'"}\n',
    b"done\nerror\ndone\n",
    b"exabgp 5.0.0\n",
    b'{"type": "state", "neighbor": {"address": {"peer": "x y"}, "state": "up"}}\n',
)


def test_garbage_does_no_harm(at: Lab) -> None:
    """Whatever ExaBGP writes, no route changes for it, and the next change is made.

    Unknown words, bytes that are no text, JSON cut short or of another kind, huge lines, replies
    that nobody asked for, a stranger's session.
    """
    pid = at.site.reconciler
    for garbage in GARBAGE:
        at.filter.inject(garbage)
        if ALONE in at.bird.routes():
            at.site.realservers.close(OTHER_PORT)
            misses(at.bird, ALONE)
        else:
            at.site.realservers.open(OTHER_PORT)
            sees(at.bird, ALONE)
    assert at.site.reconciler == pid
    assert {event.prefix for event in at.history.events()} == {ALONE}
    eventually(
        lambda: at.reason(MANY[0]),
        until=lambda reason: reason == "up: 1 realserver",
        within=30,
        what="known again to whom it was sent",
    )
