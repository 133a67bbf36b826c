"""[peer] and [peer_group] in vip.toml: what they mean, and what is refused."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from policy.extended import ExtendedCommunity
from policy.peers import PeerPolicy, PeerRule, RuledNeighbor
from policy.route import Community, LargeCommunity
from speaker import config
from speaker.config import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from policy.peers import Peers

SITE = """
[node]
dc = "par1"
backend = "{backend}"
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
[vip."VIP-2.tld"]
addresses = ["192.0.2.2"]
"""
A, B = ip_address("203.0.113.1"), ip_address("2001:db8::b")


def peers(tmp_path: Path, text: str, backend: str = "exabgp") -> Peers:
    path = tmp_path / "vip.toml"
    path.write_text(SITE.format(backend=backend) + text)
    return config.load(path, {}).topology.peers


def test_what_they_mean(tmp_path: Path) -> None:
    """Each key, and names in any case."""
    found = peers(
        tmp_path,
        """
[peer_group.transit]
neighbors = { par1 = ["203.0.113.1"], lyo1 = ["2001:db8::b"] }
announce = ["VIP-1.tld"]
communities = ["64500:1"]
large_communities = ["64500:1:2"]
extended_communities = ["rt:64500:1"]
prepends = "+2"
med = 0
local_preference = 200
[peer."2001:DB8::B"]
dc = "lyo1"
except = ["vip-2.tld"]
""",
    )
    transit = PeerPolicy(
        frozenset({"vip-1.tld"}),
        frozenset(),
        frozenset({Community(64500, 1)}),
        frozenset({LargeCommunity(64500, 1, 2)}),
        2,
        0,
        200,
        frozenset({ExtendedCommunity.parse("rt:64500:1")}),
    )
    assert found.rules == (
        PeerRule((RuledNeighbor(A, "par1"), RuledNeighbor(B, "lyo1")), transit, "transit"),
        PeerRule((RuledNeighbor(B, "lyo1"),), PeerPolicy(excepted=frozenset({"vip-2.tld"}))),
    )
    assert found.at("par1").policies.keys() == {A}


def test_a_table_that_says_nothing(tmp_path: Path) -> None:
    """It is none."""
    assert not peers(tmp_path, '[peer."203.0.113.1"]')


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[peer."x"]\nmed = 1', "peer.x: 'x' is not an address"),
        ('[peer."203.0.113.1"]\nprepends = 2', 'peer."203.0.113.1".prepends: 2 is not a string'),
        ('[peer."203.0.113.1"]\nprepends = "2"', "is not so many more"),
        ('[peer."203.0.113.1"]\nprepends = "+31"', "are more than 32"),
        ('[peer."203.0.113.1"]\nmed = -1', 'peer."203.0.113.1".med'),
        ('[peer."203.0.113.1"]\nmedd = 1', 'peer."203.0.113.1".medd: unknown key'),
        ('[peer."203.0.113.1"]\nannounce = ["x.tld"]', "['x.tld'] are no VIPs or aggregates"),
        ('[peer."203.0.113.1"]\nexcept = ["x.tld"]', "except: ['x.tld'] are no VIPs or aggregates"),
        (
            '[peer."203.0.113.1"]\nexcept = ["vip-1.tld"]\nannounce = ["vip-2.tld"]',
            "announce and except are both set",
        ),
        ('[peer."203.0.113.1"]\nmed = 1\ndc = "x"', "dc: 'x' is unknown"),
        ('[peer."2001:db8::b"]\nmed = 1\n[peer."2001:DB8::B"]\nmed = 2', "keep one"),
        ("[peer_group.a]\nmed = 1", "peer_group.a.neighbors: missing"),
        ("[peer_group.a]\nneighbors = []\nmed = 1", "peer_group.a.neighbors: names no neighbor"),
        ('[peer_group.a]\nneighbors = ["x"]\nmed = 1', "peer_group.a.neighbors: 'x' is not an"),
        ("[peer_group.a]\nneighbors = [1]\nmed = 1", "peer_group.a.neighbors: 1 is not an address"),
        ('[peer_group.a]\nneighbors = "x"\nmed = 1', "neither a list of addresses, nor such"),
        ('[peer_group.a]\nneighbors = { "" = [] }\nmed = 1', "neither a list of addresses"),
        ('[peer_group.a]\nneighbors = { x = ["203.0.113.1"] }\nmed = 1', "'x' is unknown"),
        ('[peer_group.a]\nneighbors = ["203.0.113.1", "203.0.113.1"]\nmed = 1', "twice"),
        (
            "\n".join(
                f'[peer_group.{name}]\nneighbors = ["203.0.113.1"]\nmed = {med}'
                for name, med in (("a", 1), ("b", 2))
            ),
            "peer_group: neighbor 203.0.113.1: med is 1 and 2",
        ),
    ],
)
def test_faults(tmp_path: Path, text: str, fault: str) -> None:
    """Each is refused with its key."""
    with pytest.raises(ConfigError) as error:
        peers(tmp_path, text)
    assert fault in str(error.value)


def test_bgpd(tmp_path: Path) -> None:
    """Beside bgpd, where it takes route-maps at neighbours, it is refused unless these are allowed."""
    rule = '[peer."203.0.113.1"]\nmed = 1\n'
    with pytest.raises(
        ConfigError, match=r"peer: bgpd sends all neighbors the same.*outbound = true"
    ):
        peers(tmp_path, rule, "quagga")
    assert peers(tmp_path, rule + "[backend.quagga]\noutbound = true", "quagga")
    with pytest.raises(ConfigError, match=r"backend\.quagga\.outbound"):
        peers(tmp_path, rule + '[backend.quagga]\noutbound = "yes"', "quagga")


def test_missing(tmp_path: Path) -> None:
    """A rule for a neighbour that is not there is named, unless it is another data centre's."""
    found = peers(
        tmp_path,
        """
[peer_group.transit]
neighbors = ["203.0.113.1", "2001:db8::b"]
med = 1
[peer_group.peering]
neighbors = { par1 = ["203.0.113.9"], lyo1 = ["203.0.113.8"] }
med = 1
[peer."203.0.113.7"]
med = 2
""",
    )
    lacking = found.missing("par1", [A])
    assert [text.split(":")[0] for text in lacking] == ["peer_group peering", "peer 203.0.113.7"]
    assert "203.0.113.9 here" in lacking[0]
    assert "say whose it is" not in lacking[0]
    assert "or say whose it is by dc" in lacking[1]
    assert len(found.missing("par1", [])) == 3
