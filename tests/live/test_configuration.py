"""vip.toml changes, is wrong, or leaves prefixes behind; and what is not in it stays alone."""

import os
import signal
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.support.lab.bird import Bird
from tests.support.lab.eventually import eventually
from tests.support.lab.exabgp import Flavour
from tests.support.lab.history import TRACE, History
from tests.support.lab.inside import hung
from tests.support.lab.installed import Installed
from tests.support.lab.netns import Network
from tests.support.lab.site import Site, misses, sees, vip

PORT = 8081
FOREIGN = "198.51.100.1/32"
"""A static route of ExaBGP's own configuration."""
ONE, TWO = ("192.0.2.1/32", "2001:db8::1/128"), ("192.0.2.2/32", "2001:db8::2/128")
VIPS: dict[str, Any] = {
    "vip-1.tld": vip("192.0.2.1", "2001:db8::1", ports=[PORT]),
    "vip-2.tld": vip("192.0.2.2", "2001:db8::2", ports=[PORT], prefer=["par1", "lyo1"]),
}

BGPD = """[node]
dc = "par1"
backend = "quagga"
state = "/nonexistent/state.sqlite3"
[dc.par1]
asn = 64699
"""


@dataclass
class Lab:
    """A data centre with one far peer that remembers."""

    site: Site
    bird: Bird
    history: History

    def path(self, prefix: str) -> tuple[int, ...]:
        """Return the AS_PATH that the peer has, empty for none."""
        route = self.bird.best(prefix)
        return () if route is None else route.as_path


@pytest.fixture(scope="module")
def shared(lab: Network, flavour: Flavour, installed: Installed) -> Lab:
    """The lab of all tests here."""
    host = lab.host("par1")
    link = lab.link(lab.host("bird"), host)
    session = link.session(64500, 64699)
    bird = Bird(link.a.namespace, [session], options=TRACE)
    tables = {"vip": VIPS, "backend": {"exabgp": {"next_hop": {"ipv6": link.b.ipv6}}}}
    options = [f"static {{\n    route {FOREIGN} next-hop self;\n}}"]
    sessions = [session.flipped()]
    site = Site(host, flavour, installed, sessions, tables, up=[PORT], options=options)
    bird.wait_for_sessions()
    return Lab(site, bird, History(bird))


@pytest.fixture
def at(shared: Lab) -> Lab:
    """The lab with both VIPs configured and announced."""
    shared.site.configure({"vip": VIPS})
    # Waited for: the test may change the file at once, and must not have that read in its place.
    assert shared.site.mgmt("reload").returncode == 0
    sees(shared.bird, *ONE, *TWO, FOREIGN, within=15)
    shared.history.start()
    return shared


def _logged(at: Lab, text: str, after: int) -> None:
    eventually(
        lambda: at.site.exabgp.log()[after:],
        until=lambda log: text in log,
        within=5,
        what=f"{text!r} in the log",
    )


def test_a_vip_leaves_the_configuration(at: Lab) -> None:
    """A VIP that is removed from vip.toml is withdrawn at HUP; nothing else changes."""
    at.site.configure({"vip": {"vip-1.tld": None}})
    at.site.reload()
    misses(at.bird, *ONE)
    assert {event.prefix for event in at.history.events()} == set(ONE)
    assert at.site.routes().keys() == set(TWO)


@pytest.mark.parametrize("while_down", ["watchdog", "exabgp"])
def test_a_vip_leaves_while_nobody_looks(at: Lab, while_down: str) -> None:
    """A VIP that was removed while the watchdog or ExaBGP was down is withdrawn at the start."""
    at.site.configure({"vip": {"vip-1.tld": None}})
    if while_down == "watchdog":
        at.site.end_watchdog(signal.SIGKILL)
        misses(at.bird, *ONE)
        assert {event.prefix for event in at.history.events()} == set(ONE)
    else:
        at.site.restart()
        sees(at.bird, *TWO, within=15)
        misses(at.bird, *ONE)
        assert "added" not in at.history.verbs(ONE[0])


def test_a_vip_changes_its_preference(at: Lab) -> None:
    """A new preference is a new AS_PATH, in place: the peer never loses the route."""
    assert at.path(TWO[0]) == (64699,) * 2
    at.site.configure({"vip": {"vip-2.tld": {"prefer": ["lyo1", "par1"]}}})
    at.site.reload()
    for prefix in TWO:
        eventually(
            partial(at.path, prefix),
            until=lambda path: path == (64699,) * 3,
            within=5,
            what="one prepend more",
        )
    assert {(event.verb, event.prefix) for event in at.history.events()} == {
        ("added", prefix) for prefix in TWO
    }


def test_what_is_not_ours_is_never_touched(at: Lab) -> None:
    """A static route of ExaBGP's configuration stays whatever is drained or removed (rule 3)."""
    assert at.site.mgmt("-d", "all").returncode == 0
    misses(at.bird, *ONE, *TWO)
    assert at.site.mgmt("-a", "all").returncode == 0
    sees(at.bird, *ONE, *TWO)
    at.site.configure({"vip": None})
    at.site.reload()
    misses(at.bird, *ONE, *TWO)
    assert at.site.status()["routes"] == []
    assert not at.history.events(FOREIGN)
    assert FOREIGN in at.bird.routes()


def test_restored_right_after_a_reload(at: Lab) -> None:
    """A dead VIP that is restored while a new vip.toml's first look lasts is not announced for a moment."""
    prefix = ONE[0]
    at.site.realservers.close(PORT)
    misses(at.bird, *ONE, *TWO)
    with hung(at.site.host, PORT):
        for fall in ("1ms", "2ms", "2ms"):  # looked at otherwise than before, and as before
            at.site.configure({"health": {"fall": fall}})
            at.site.reload()
            restored = at.site.mgmt("-a", prefix)
            assert restored.returncode == 1
            assert f"{prefix}: stays withdrawn: down: 0 realservers" in restored.stderr
    assert at.history.verbs(prefix) == ["removed"]
    at.site.realservers.open(PORT)
    sees(at.bird, *ONE, *TWO)


def test_a_bad_configuration_at_reload(at: Lab) -> None:
    """A bad vip.toml at HUP changes nothing; every fault is in the log, and vip_mgmt says them too."""
    start = len(at.site.exabgp.log())
    bad = {"vip-1.tld": {"addresses": ["192.0.2.1", "nonsense"]}, "vip-2.tld": {"colour": "red"}}
    at.site.configure({"vip": bad})
    at.site.reload()
    _logged(at, "the configuration stays as it was", start)
    log = at.site.exabgp.log()[start:]
    assert 'vip."vip-1.tld".addresses[1].ip' in log
    assert 'vip."vip-2.tld".colour: unknown key' in log
    refused = at.site.mgmt("status")
    assert refused.returncode == 255
    assert 'vip."vip-2.tld".colour: unknown key' in refused.stderr
    at.site.realservers.close(PORT)
    misses(at.bird, *ONE, *TWO)
    at.site.realservers.open(PORT)
    sees(at.bird, *ONE, *TWO)
    at.site.configure({"vip": {"vip-2.tld": {"colour": None}}})


@pytest.mark.parametrize(("text", "status"), [("node = 3\n[vip\n", 255), (BGPD, 1)])
def test_a_bad_configuration_at_start(at: Lab, text: str, status: int) -> None:
    """With a bad vip.toml, or one that is of bgpd, the watchdog waits and ExaBGP lives.

    Mended, it starts.
    """
    start = len(at.site.exabgp.log())
    at.site.write(text)
    at.site.exabgp.restart()
    sees(at.bird, FOREIGN, within=15)
    _logged(at, "no routes will change until this is fixed", start)
    at.history.start()
    reconciler = at.site.reconciler
    os.kill(reconciler, signal.SIGHUP)
    assert at.site.mgmt("status").returncode == status
    assert at.bird.routes().keys() == {FOREIGN}
    at.site.configure({})
    os.kill(reconciler, signal.SIGHUP)
    sees(at.bird, *ONE, *TWO)
    assert at.site.reconciler == reconciler
    assert not at.history.events(FOREIGN)


def test_withdraw_on_exit(at: Lab) -> None:
    """With `withdraw_on_exit = true` a watchdog that is stopped takes its routes along."""
    at.site.configure({"backend": {"exabgp": {"withdraw_on_exit": True}}})
    at.site.end_watchdog(signal.SIGTERM)  # still the old way: it was not told of the change
    assert not at.history.flaps()
    at.site.end_watchdog(signal.SIGTERM)
    sees(at.bird, *ONE, *TWO)
    for prefix in (*ONE, *TWO):
        assert at.history.verbs(prefix) == ["removed", "added"]
    at.site.configure({"backend": {"exabgp": {"withdraw_on_exit": None}}})


def test_the_control_socket_can_not_be_made(at: Lab) -> None:
    """Without its control socket the watchdog works all the same, and a drain reaches it by the store."""
    start = len(at.site.exabgp.log())
    old = at.site.tables["node"]["control"]
    at.site.configure({"node": {"control": "/nonexistent/control.sock"}})
    pid = at.site.reconciler
    os.kill(pid, signal.SIGKILL)
    _logged(at, "control: /nonexistent/control.sock: No such file or directory", start)
    assert at.site.reconciler != pid
    at.site.realservers.close(PORT)
    misses(at.bird, *ONE, *TWO)
    at.site.realservers.open(PORT)
    sees(at.bird, *ONE, *TWO)
    done = at.site.mgmt("-d", "192.0.2.1")
    assert done.returncode == 1
    assert "192.0.2.1/32: drained is recorded" in done.stderr
    misses(at.bird, ONE[0])
    done = at.site.mgmt("-a", "192.0.2.1")
    assert done.returncode == 1
    sees(at.bird, ONE[0])
    at.site.configure({"node": {"control": old}})
    at.site.restart()  # not one more death: ExaBGP gives up after a few within a minute


def test_the_store_can_not_be_used(at: Lab) -> None:
    """Without its store the watchdog announces nothing on a guess; what is alive stays, what is dead goes."""
    start = len(at.site.exabgp.log())
    at.site.configure({"node": {"state": "/nonexistent/state.sqlite3"}})
    pid = at.site.reconciler
    os.kill(pid, signal.SIGKILL)
    _logged(at, "state: /nonexistent/state.sqlite3: ", start)
    at.site.realservers.close(PORT)
    drained = at.site.mgmt("-d", "192.0.2.1")
    assert drained.returncode == 1
    assert "state: /nonexistent/state.sqlite3" in drained.stderr
    misses(at.bird, *ONE, *TWO)
    at.site.realservers.open(PORT)
    at.site.configure({"node": {"state": str(at.site.state / "state.sqlite3")}})
    at.site.restart()  # another file is opened at a start only
    sees(at.bird, *ONE, *TWO)


def test_the_store_can_not_be_written(at: Lab) -> None:
    """A drain that can't be recorded is refused and not made; health goes on, and `status` says it."""
    at.site.state.chmod(0o550)
    try:
        drained = at.site.mgmt("-d", "all")
        assert drained.returncode == 1
        # SQLite says which file it is that it can't write, or, amid a transaction, can't remove.
        assert "its directory or its file system is read-only for this user" in drained.stderr
        assert not at.history.events()
        at.site.realservers.close(PORT)
        misses(at.bird, *ONE, *TWO)
        status = at.site.mgmt("status").stdout
        assert "TROUBLE: state: " in status
        assert "down: 0 realservers" in status
        at.site.realservers.open(PORT)
        sees(at.bird, *ONE, *TWO)
    finally:
        at.site.state.chmod(0o750)
    eventually(
        lambda: at.site.mgmt("status").stdout,
        until=lambda status: "TROUBLE" not in status,
        within=5,
        what="no trouble any more",
    )
