"""Two load balancers that share addresses by VRRP: a VIP is announced where its address is.

One is beside ExaBGP 4.2, the other beside FRR. Nothing is looked at for minutes where no event says
so, and the guard holds everything that it may hold: what moves at once moves by events alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.kernel.chain import Chain
from tests.kernel.keepalived import Keepalived, VirtualServer
from tests.support.lab.netns import Network

pytestmark = pytest.mark.guest("keepalived", "ipvsadm", "bird", "vtysh")
SHARED, SHARED6, ALWAYS = "192.0.2.1/32", "2001:db8::1/128", "192.0.2.9/32"
PAIR = (SHARED, SHARED6)
BY_HAND = ("192.0.2.2/32", "2001:db8::2/128")
"""Addresses that no VRRP moves."""
PORT = 8081
SERVERS = (
    VirtualServer("192.0.2.1 80", (PORT,)),
    VirtualServer("2001:db8::1 80", (PORT,), address="::1"),
    VirtualServer("192.0.2.2 80", (PORT,)),
    VirtualServer("2001:db8::2 80", (PORT,), address="::1"),
    VirtualServer("192.0.2.9 80", (PORT,)),
)
TABLES: Mapping[str, Any] = {
    "policy": {"max_withdraw": "1%", "confirm": "60s"},
    "health": {"interval": "5m", "restart_grace": "5m", "warm_up": "2s"},
    "vip": {
        "pair.tld": {
            "addresses": ["192.0.2.1", "2001:db8::1"],
            "prefer": ["par1", "lyo1"],
            "health": {"require_address": True},
        },
        "hand.tld": {
            "addresses": ["192.0.2.2", "2001:db8::2"],
            "prefer": ["par1", "lyo1"],
            "health": {"require_address": True},
        },
        "always.tld": {"addresses": ["192.0.2.9"], "prefer": ["par1", "lyo1"]},
    },
}


def instance(device: str, priority: int) -> str:
    """Return the text of a VRRP instance that has the shared addresses."""
    return f"""
vrrp_instance pair {{
    state BACKUP
    interface {device}
    virtual_router_id 51
    priority {priority}
    version 3
    advert_int 2
    virtual_ipaddress {{
        192.0.2.1/32 dev {device}
    }}
    virtual_ipaddress_excluded {{
        2001:db8::1/128 dev {device}
    }}
}}
"""


@dataclass
class Both:
    """The pair: `first` is master while it can be."""

    first: Chain
    second: Chain
    devices: tuple[str, str]

    def prefer(self, priorities: tuple[int, int]) -> None:
        """Give both their priorities."""
        for chain, device, priority in zip(
            (self.first, self.second), self.devices, priorities, strict=True
        ):
            chain.keepalived.more = instance(device, priority)
            chain.keepalived.write(SERVERS)
            if chain.keepalived.alive:
                chain.keepalived.reload()
            else:
                chain.keepalived.start()


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    """The pair, whose first is master."""
    with Network() as network:
        chains = [
            Chain(network, "exabgp v4", SERVERS, TABLES, label="first"),
            Chain(network, "frr", SERVERS, TABLES, label="second"),
        ]
        link = network.link(chains[0].host, chains[1].host)
        pair = Both(chains[0], chains[1], (link.a.device, link.b.device))
        for chain in chains:
            chain.realservers.open(PORT)
            chain.keepalived = Keepalived(chain.host, SERVERS, fifo=chain.fifo, arguments=())
        yield pair


@pytest.fixture
def pair(both: Both) -> Both:
    """The pair with the first as master, and memories that begin now."""
    both.prefer((200, 100))
    both.first.sees(*PAIR, ALWAYS, within=60)
    both.second.sees(ALWAYS, within=60)
    for chain in (both.first, both.second):
        chain.history.start()
    return both


WENT = [("removed", prefix) for prefix in PAIR]
CAME = [("added", prefix) for prefix in PAIR]


def test_the_master_ends(pair: Both) -> None:
    """keepalived on the master ends: the announcement moves with the addresses, and back again.

    The VIP that needs no address stays at both: a restart of keepalived withdraws nothing.
    """
    pair.first.keepalived.stop()
    pair.second.sees(*PAIR, ALWAYS)
    pair.first.sees(ALWAYS)
    pair.first.keepalived.start()
    pair.first.sees(*PAIR, ALWAYS)
    pair.second.sees(ALWAYS)
    assert sorted(pair.first.moves()) == sorted(WENT + CAME)
    assert sorted(pair.second.moves()) == sorted(CAME + WENT)


def test_the_priorities_change(pair: Both) -> None:
    """Another master by configuration: both announce what they have then, at once."""
    pair.prefer((50, 100))
    pair.second.sees(*PAIR, ALWAYS)
    pair.first.sees(ALWAYS)
    assert sorted(pair.first.moves()) == WENT
    assert sorted(pair.second.moves()) == CAME


def test_an_address_comes_and_goes(pair: Both) -> None:
    """Whoever moves an address, its route follows at once, with all else as it was."""
    for chain in (pair.first, pair.second):
        before = set(chain.bird.routes())
        for prefix in BY_HAND:
            route = chain.says(prefix, announced=False, health="up")
            assert "address" in route["reason"]
            chain.host.run("ip", "address", "add", prefix, "dev", "lo")
            chain.sees(*before, prefix)
            chain.host.run("ip", "address", "del", prefix, "dev", "lo")
            chain.sees(*before)
        assert chain.moves() == [(verb, p) for p in BY_HAND for verb in ("added", "removed")]
