"""Owns what must hold beside every daemon while keepalived ends, starts, and reads its configuration."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kernel.chain import Chain
from tests.kernel.keepalived import VirtualServer
from tests.kernel.rows import (
    ALPHA,
    EVERY,
    LONG,
    PLAIN,
    PORTS,
    SERVERS,
    SORRY,
    Rows,
    over,
    ports,
    without,
)
from tests.support.lab.eventually import eventually

PORTS_OF_NOBODY = (8199,)
BRIEF = 8.0
"""Seconds of restart_grace, or warm_up, where a test waits for its end: not sooner, and then."""
LOOK_OUT = 4.0
"""Seconds in which what must not happen would."""


def after(chain: Chain, seconds: float) -> list[tuple[str, str]]:
    """Return what has happened at the peer when some more seconds have passed."""
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= until, within=2 * seconds + 5, what="the look-out's end")
    return chain.moves()


def all_are(chain: Chain, health: str, *, but: str = "") -> None:
    """Wait until the watchdog takes every VIP, or all but one, for up, down or unknown."""
    eventually(
        lambda: {p: r["health"] for p, r in chain.routes().items() if r["health"] != health},
        until=lambda others: not {*others} - {but},
        within=10,
        what=f"every VIP {health}",
        every=0.05,
    )


@contextmanager
def removal(chain: Chain, *dead: int) -> Iterator[None]:
    """Wait for keepalived's word that it found some realservers dead, after what is done here."""
    before = len(chain.keepalived.log())
    yield
    wanted = {f"Removing service [127.0.1.1]:tcp:{port}" for port in dead}
    eventually(
        lambda: {each for each in wanted if each not in chain.keepalived.log()[before:]},
        until=lambda missing: not missing,
        within=10,
        what="their removal",
        every=0.1,
    )


def trouble(chain: Chain) -> str:
    """Return what the watchdog says loudly of health, empty where nothing."""
    texts = chain.status()["trouble"]
    return next((text for text in texts if text.startswith("health: ")), "")


def says_trouble(chain: Chain, text: str) -> None:
    """Wait until the watchdog says something loudly of health."""
    eventually(
        lambda: trouble(chain), until=lambda said: text in said, within=10, what=f"trouble: {text}"
    )


class Lives(Rows):
    """Nothing that keepalived does when it restarts withdraws a healthy VIP, or restores a dead one."""

    warm_up = LONG

    def test_restart(self, at: Chain) -> None:
        """IPVS is empty meanwhile; the peer sees nothing of it, again and again."""
        for _ in range(3):
            at.keepalived.stop()
            assert at.table() == {}
            all_are(at, "unknown")
            at.keepalived.start()
            all_are(at, "up")
        assert after(at, LOOK_OUT) == []

    def test_restart_in_a_hurry(self, at: Chain) -> None:
        """Whatever moment of a restart the watchdog looks at, the peer sees nothing of it."""
        for _ in range(5):
            at.keepalived.restart()
        all_are(at, "up")
        assert after(at, LOOK_OUT) == []

    def test_hup_without_a_change(self, at: Chain) -> None:
        """IPVS stays as it is, and so does everything."""
        before = at.table()
        for _ in range(3):
            at.keepalived.reload()
            assert at.table() == before
        assert after(at, 2) == []

    def test_hup_with_changes(self, at: Chain) -> None:
        """A realserver that leaves is one less; a service that leaves is down after restart_grace."""
        changed = [server for server in SERVERS if "192.0.2.3 " not in server.where]
        changed[0] = type(changed[0])(changed[0].where, PORTS[PLAIN][:1])
        at.keepalived.reload(changed)
        at.says(PLAIN, realservers=1, health="up")
        at.says(SORRY, health="unknown", announced=True, reason="gone from IPVS")
        assert at.moves() == []
        over(at, "restart_grace", "warm_up")
        at.sees(*without(SORRY))
        at.reload({"health": {"warm_up": LONG}})
        at.keepalived.reload(SERVERS)
        at.says(PLAIN, realservers=2)
        at.says(SORRY, realservers=2, health="down", reason="not checked yet")
        assert at.moves() == [("removed", SORRY)]
        over(at, "warm_up")
        at.sees(*EVERY)
        assert at.moves() == [("removed", SORRY), ("added", SORRY)]

    def test_hup_with_a_dead_service(self, at: Chain) -> None:
        """What a HUP brings back is full before any check; a VIP that was down is not announced for it."""
        at.keepalived.reload([server for server in SERVERS if "192.0.2.1 " not in server.where])
        at.realservers.close(*ports(PLAIN))
        at.says(PLAIN, health="unknown", reason="gone from IPVS")
        over(at, "restart_grace", "warm_up")
        at.sees(*without(PLAIN))
        at.reload({"health": {"warm_up": LONG}})
        at.history.start()
        with removal(at, *PORTS[PLAIN]):
            at.keepalived.reload(SERVERS)
        at.says(PLAIN, realservers=0, health="down", announced=False)
        over(at, "warm_up")
        assert after(at, LOOK_OUT) == []
        at.says(PLAIN, realservers=0, health="down", announced=False)

    def test_hup_with_a_new_dead_service(self, at: Chain) -> None:
        """A service that was never there is full before any check, too; its VIP is not announced for it."""
        new = VirtualServer("192.0.2.99 80", PORTS_OF_NOBODY)
        at.reload({"vip": {"new.tld": {"addresses": ["192.0.2.99"], "prefer": ["par1", "lyo1"]}}})
        try:
            at.says("192.0.2.99/32", announced=False)
            with removal(at, *PORTS_OF_NOBODY):
                at.keepalived.reload([*SERVERS, new])
            at.says("192.0.2.99/32", realservers=0, health="down", announced=False)
            over(at, "warm_up")
            assert after(at, LOOK_OUT) == []
            at.says("192.0.2.99/32", realservers=0, health="down", announced=False)
        finally:
            at.keepalived.reload(SERVERS)
            at.reload({"vip": {"new.tld": None}})

    def test_the_end(self, at: Chain) -> None:
        """SIGTERM empties IPVS: all are held for restart_grace, then withdrawn; back after warm_up."""
        at.reload({"health": {"restart_grace": f"{BRIEF:g}s", "warm_up": f"{BRIEF:g}s"}})
        began = time.time()
        at.keepalived.stop()
        assert at.table() == {}
        at.sees()
        went = at.history.events()
        assert [(event.verb) for event in went] == ["removed"] * len(EVERY)
        assert began + BRIEF - 1 <= min(event.time for event in went)
        at.history.start()
        began = time.time()
        at.keepalived.start()
        at.sees(*EVERY)
        came = at.history.events()
        assert [event.verb for event in came] == ["added"] * len(EVERY)
        assert began + BRIEF - 1 <= min(event.time for event in came)

    def test_killed(self, at: Chain) -> None:
        """SIGKILL freezes IPVS: all are unknown, held and said loudly; what died then goes later."""
        at.reload({"health": {"restart_grace": "0s"}})
        before = at.table()
        at.keepalived.kill()
        at.realservers.close(*ports(PLAIN))
        all_are(at, "unknown")
        says_trouble(at, f"{len(EVERY)} prefixes unknown, held as they are: keepalived not running")
        assert after(at, LOOK_OUT) == []
        assert at.table() == before
        with removal(at, *PORTS[PLAIN]):
            at.keepalived.start()
        over(at, "warm_up")
        at.sees(*without(PLAIN))
        eventually(
            lambda: sorted(p for p, route in at.routes().items() if route["health"] == "up"),
            until=lambda up: up == without(PLAIN),
            within=10,
            what="all others up",
            every=0.1,
        )
        assert trouble(at) == ""
        assert at.moves() == [("removed", PLAIN)]

    def test_killed_and_flushed(self, at: Chain) -> None:
        """With lvs_flush a start empties what a killed keepalived left, and the peer sees nothing."""
        at.keepalived.options.append("lvs_flush")
        try:
            at.keepalived.write(SERVERS)
            at.keepalived.kill()
            all_are(at, "unknown")
            at.keepalived.start()
            all_are(at, "up")
        finally:
            at.keepalived.options.remove("lvs_flush")
        assert after(at, LOOK_OUT) == []

    def test_a_dead_vip_stays_dead_over_a_restart(self, at: Chain) -> None:
        """keepalived puts every realserver into IPVS before it has checked one. Nothing comes of it."""
        over(at, "warm_up")  # of the start before this test: what dies in it is believed at its end
        at.realservers.close(*ports(PLAIN, ALPHA))
        at.sees(*without(PLAIN, ALPHA))
        at.reload({"health": {"warm_up": LONG}})
        at.history.start()
        with removal(at, *ports(PLAIN)):
            at.keepalived.restart()
        over(at, "warm_up")
        assert after(at, LOOK_OUT) == []
        at.realservers.open(*ports(PLAIN, ALPHA))
        at.sees(*EVERY)
        assert sorted(at.moves()) == [("added", PLAIN), ("added", ALPHA)]

    def test_a_realserver_dies_during_a_restart(self, at: Chain) -> None:
        """Only its VIP goes, once."""
        at.keepalived.stop()
        at.realservers.close(*ports(PLAIN))
        with removal(at, *ports(PLAIN)):
            at.keepalived.start()
        all_are(at, "up", but=PLAIN)
        over(at, "warm_up")
        at.sees(*without(PLAIN))
        assert after(at, LOOK_OUT) == [("removed", PLAIN)]

    def test_the_watchdog_restarts_while_keepalived_does(self, at: Chain) -> None:
        """What was known is known to the next watchdog, which holds it for what is left of the grace."""
        at.keepalived.stop()
        all_are(at, "unknown")
        at.reconciler.kill()
        all_are(at, "unknown")
        at.keepalived.start()
        all_are(at, "up")
        assert after(at, LOOK_OUT) == []


def before_ip_vs(chain: Chain) -> None:
    """Check a watchdog that started on a kernel without ip_vs."""
    assert not Path("/proc/net/ip_vs").exists(), "this must be the first test of the boot"
    all_are(chain, "unknown")
    says_trouble(chain, "no ip_vs")
    assert chain.bird.routes() == {}
