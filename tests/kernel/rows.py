"""Owns what must hold beside every daemon: what a realserver's death is to IPVS, and to the peer.

One load balancer with a VIP of each kind. Each test begins with all of them announced, and says
what may happen at the peer; what else happens there is a failure.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.kernel.chain import Chain
from tests.kernel.keepalived import REAL, VirtualServer
from tests.support.lab.eventually import eventually

PLAIN, INHIBIT, SORRY, QUORUM = (f"192.0.2.{n}/32" for n in (1, 2, 3, 4))
ALL, ANY, MARK, ALPHA, OMEGA, SIX, UDP = (
    "192.0.2.5/32",
    "192.0.2.6/32",
    "192.0.2.7/32",
    "192.0.2.8/32",
    "192.0.2.9/32",
    "2001:db8::1/128",
    "192.0.2.10/32",
)
SORRY_SERVER = "127.0.1.9"
PORTS: Mapping[str, tuple[int, ...]] = {
    PLAIN: (8081, 8082),
    INHIBIT: (8083, 8084),
    SORRY: (8085, 8086),
    QUORUM: (8087, 8088, 8089),
    ALL: (8090, 8091),
    ANY: (8092, 8093),
    MARK: (8094,),
    ALPHA: (8095,),
    OMEGA: (8096,),
    SIX: (8097,),
    UDP: (8098,),
}
SERVERS: Sequence[VirtualServer] = (
    VirtualServer("192.0.2.1 80", PORTS[PLAIN]),
    VirtualServer("192.0.2.2 80", PORTS[INHIBIT], real=("inhibit_on_failure",)),
    VirtualServer("192.0.2.3 80", PORTS[SORRY], (f"sorry_server {SORRY_SERVER} 80",)),
    VirtualServer("192.0.2.4 80", PORTS[QUORUM], ("quorum 2", "hysteresis 1")),
    VirtualServer("192.0.2.5 80", PORTS[ALL][:1]),
    VirtualServer("192.0.2.5 443", PORTS[ALL][1:]),
    VirtualServer("192.0.2.6 80", PORTS[ANY][:1]),
    VirtualServer("192.0.2.6 443", PORTS[ANY][1:]),
    VirtualServer("fwmark 7", PORTS[MARK]),
    VirtualServer("192.0.2.8 80", PORTS[ALPHA], ("alpha",)),
    VirtualServer("192.0.2.9 80", PORTS[OMEGA], ("omega",)),
    VirtualServer("2001:db8::1 80", PORTS[SIX], address="::1"),
    VirtualServer("192.0.2.10 53", PORTS[UDP], protocol="UDP"),
)


def _vip(prefix: str, **more: Any) -> dict[str, Any]:
    return {"addresses": [prefix.partition("/")[0]], "prefer": ["par1", "lyo1"], **more}


LONG = "10m"
"""Longer than keepalived takes to restart, or to check, however slow the machine is."""
TABLES: Mapping[str, Any] = {
    "health": {
        "ignore_realservers": [SORRY_SERVER],
        "restart_grace": LONG,
        "warm_up": "0s",
    },
    "vip": {
        "plain.tld": _vip(PLAIN),
        "inhibit.tld": _vip(INHIBIT),
        "sorry.tld": _vip(SORRY),
        "quorum.tld": _vip(QUORUM, health={"drop_at": 1, "restore_at": 3}),
        "all.tld": _vip(ALL),
        "any.tld": _vip(ANY, health={"services": "any"}),
        "mark.tld": _vip(MARK, services={"fwmark/7": {}}),
        "alpha.tld": _vip(ALPHA),
        "omega.tld": _vip(OMEGA),
        "six.tld": _vip(SIX),
        "udp.tld": _vip(UDP),
    },
}
EVERY = sorted(PORTS)


def ports(*prefixes: str) -> list[int]:
    """Return the ports of the realservers of some VIPs, of all where none is named."""
    return [port for prefix in prefixes or EVERY for port in PORTS[prefix]]


def without(*prefixes: str) -> list[str]:
    """Return all prefixes but some."""
    return [prefix for prefix in EVERY if prefix not in prefixes]


def over(chain: Chain, *keys: str) -> None:
    """Have the waits that some keys of `[health]` name be over now."""
    chain.reload({"health": dict.fromkeys(keys, "0s")})


class Rows:
    """Gives a test the chain that its module made, as at the start."""

    warm_up = "0s"
    """That of the tests. While it lasts, nothing that is down comes back."""

    @pytest.fixture
    def at(self, chain: Chain) -> Iterator[Chain]:
        """The chain with every VIP announced, and a peer's memory that begins now.

        Nothing is waited for in it: a test that wants the end of a wait has it end, by `over`.
        """
        chain.realservers.open(*ports())
        chain.keepalived.write(SERVERS)
        if chain.keepalived.alive:
            chain.keepalived.reload()
        else:
            # What a killed keepalived left: in alpha mode the next one would not know of it.
            chain.host.run("ipvsadm", "-C")
            chain.keepalived.start()
        eventually(
            lambda: sum(sum(ends.values()) for ends in chain.table().values()),
            until=lambda weights: weights == len(ports()),
            within=20,
            what="all realservers in IPVS, of weight 1 each",
            every=0.1,
        )
        if chain.tables["health"]["warm_up"] != "0s":
            over(chain, "warm_up")
        eventually(
            lambda: {p: r["health"] for p, r in chain.routes().items() if r["health"] != "up"},
            until=lambda others: not others,
            within=60,
            what="all VIPs up",
            every=0.1,
        )
        chain.sees(*EVERY)
        health = {"restart_grace": LONG, "warm_up": self.warm_up}
        if not health.items() <= chain.tables["health"].items():
            chain.reload({"health": health})
        chain.history.start()
        yield chain
        assert all(chain.bird.sessions().values())


class Realservers(Rows):
    """What happens to realservers while keepalived checks them."""

    def test_one_of_two_realservers_dies_and_returns(self, at: Chain) -> None:
        """The watchdog counts one less, and the peer sees nothing at all."""
        at.realservers.close(8081)
        at.says(PLAIN, realservers=1, health="up")
        at.realservers.open(8081)
        at.says(PLAIN, realservers=2, health="up")
        assert at.moves() == []

    def test_the_last_realserver_dies_and_returns(self, at: Chain) -> None:
        """The service stays in IPVS with none, and the peer loses the VIP; it returns with the first."""
        at.realservers.close(*ports(PLAIN))
        at.sees(*without(PLAIN))
        assert at.table()["-t 192.0.2.1:80"] == {}
        at.says(PLAIN, realservers=0, health="down", announced=False)
        at.realservers.open(8082)
        at.sees(*EVERY)
        assert at.moves() == [("removed", PLAIN), ("added", PLAIN)]

    def test_inhibit_on_failure(self, at: Chain) -> None:
        """Realservers that stay with weight 0 do not count."""
        at.realservers.close(*ports(INHIBIT))
        at.sees(*without(INHIBIT))
        weights = {f"{REAL}:{port}": 0 for port in PORTS[INHIBIT]}
        assert at.table()["-t 192.0.2.2:80"] == weights
        at.realservers.open(*ports(INHIBIT))
        at.sees(*EVERY)
        assert at.moves() == [("removed", INHIBIT), ("added", INHIBIT)]

    def test_a_sorry_server(self, at: Chain) -> None:
        """A sorry server that vip.toml names is in IPVS with weight 1, and does not count."""
        at.realservers.close(*ports(SORRY))
        at.sees(*without(SORRY))
        eventually(
            lambda: at.table()["-t 192.0.2.3:80"],
            until=lambda ends: ends == {f"{SORRY_SERVER}:80": 1},
            within=5,
            what="the sorry server alone",
        )
        at.realservers.open(*ports(SORRY))
        at.sees(*EVERY)
        assert at.moves() == [("removed", SORRY), ("added", SORRY)]

    def test_quorum_and_hysteresis(self, at: Chain) -> None:
        """With quorum 2 and hysteresis 1: down at one, still down at two, up again at three.

        keepalived's own word (VS DOWN, VS UP) decides nothing; drop_at and restore_at do.
        """
        at.realservers.close(8087)
        at.says(QUORUM, realservers=2, health="up")
        at.realservers.close(8088)
        at.sees(*without(QUORUM))
        assert at.table()["-t 192.0.2.4:80"] == {f"{REAL}:8089": 1}
        at.realservers.open(8088)
        at.says(QUORUM, realservers=2, health="down")
        assert at.moves() == [("removed", QUORUM)]
        at.realservers.open(8087)
        at.sees(*EVERY)
        assert at.moves() == [("removed", QUORUM), ("added", QUORUM)]

    def test_two_services_one_down(self, at: Chain) -> None:
        """`all`: one service of two that is down takes the VIP with it; `any`: both must be down."""
        at.realservers.close(8091, 8093)
        at.sees(*without(ALL))
        at.says(ANY, realservers=1, health="up")
        assert at.moves() == [("removed", ALL)]
        at.realservers.close(8092)
        at.sees(*without(ALL, ANY))
        at.realservers.open(8091, 8092)
        at.sees(*EVERY)
        assert [move for move in at.moves() if move[1] == ANY] == [
            ("removed", ANY),
            ("added", ANY),
        ]

    def test_fwmark(self, at: Chain) -> None:
        """A VIP that vip.toml ties to a firewall mark lives and dies with that service."""
        at.realservers.close(*ports(MARK))
        at.sees(*without(MARK))
        at.realservers.open(*ports(MARK))
        at.sees(*EVERY)
        assert at.moves() == [("removed", MARK), ("added", MARK)]

    def test_udp(self, at: Chain) -> None:
        """A UDP service lives and dies with realservers that a datagram finds, or finds nobody at."""
        assert at.table()["-u 192.0.2.10:53"] == {f"{REAL}:{PORTS[UDP][0]}": 1}
        at.realservers.close(*ports(UDP))
        at.sees(*without(UDP))
        at.says(UDP, realservers=0, health="down", announced=False, reason="udp/53 down")
        at.realservers.open(*ports(UDP))
        at.sees(*EVERY)
        assert at.moves() == [("removed", UDP), ("added", UDP)]

    def test_damping(self, at: Chain) -> None:
        """What flaps is held down although it is up, over a restart of the watchdog too, until `-a`."""
        rule = {"half_life": "10m", "suppress": 1500, "reuse": 1000, "max_suppress": "30m"}
        at.reload({"vip": {"plain.tld": {"health": {"damping": rule}}}})
        try:
            for flap in range(2):
                at.sees(*EVERY)
                at.realservers.close(*ports(PLAIN))
                at.sees(*without(PLAIN))
                assert at.routes()[PLAIN]["reason"].startswith("down: "), f"flap {flap}"
                at.realservers.open(*ports(PLAIN))
            damped: Mapping[str, Any] = {
                "health": "up",
                "announced": False,
                "reason": "damped: penalty ",
            }
            at.says(PLAIN, realservers=2, **damped)
            at.reconciler.kill()
            at.says(PLAIN, realservers=2, **damped)
            assert at.moves() == [(verb, PLAIN) for verb in ("removed", "added", "removed")]
            done = at.mgmt("-a", "192.0.2.1")
            # A busy guest may not be done when the operator's time is over, and then says so.
            late = done.returncode == 1 and "is recorded; not confirmed within" in done.stderr
            assert late or done.stderr == f"bgp_mgt: Adding route to {PLAIN}\n", done.stderr
            assert late or done.returncode == 0
            at.sees(*EVERY)
            at.says(PLAIN, intent="auto", reason="up: 2 realservers")
        finally:
            at.reload({"vip": {"plain.tld": {"health": None}}})

    def test_alpha_omega_and_ipv6(self, at: Chain) -> None:
        """In alpha and omega mode, and over IPv6, a realserver's death and return are the same."""
        kinds = (ALPHA, OMEGA, SIX)
        at.realservers.close(*ports(*kinds))
        at.sees(*without(*kinds))
        at.realservers.open(*ports(*kinds))
        at.sees(*EVERY)
        assert sorted(at.moves()) == sorted(
            (verb, prefix) for verb in ("removed", "added") for prefix in kinds
        )
