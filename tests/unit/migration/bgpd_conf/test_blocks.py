"""Blocks of other daemons before `router bgp`, and what vtysh prints around a configuration."""

import pytest

from speaker.migration.bgpd_conf.model import Treatment
from speaker.migration.bgpd_conf.reader import read
from tests.migration.blocks import BLOCKS

HEAD = "frr version 8.4.4\n"
BGP = (
    "router bgp 64699\n bgp router-id 203.0.113.10\n neighbor 203.0.113.1 remote-as 64500\n"
    " address-family ipv4 unicast\n  network 192.0.2.1/32\n exit-address-family\nexit\n"
)
DEPTH = {"vrf": 1, "pbr-map": 1, "rpki": 1, "nexthop-group": 1, "isis": 1, "ospf": 1}
DEPTH |= {"traffic-eng": 3, "explicit": 3, "ldp": 3, "policy": 4, "pcep": 4, "srv6": 4}


def refused(text: str) -> list[str]:
    found = read("frr.conf", text.encode())
    return [str(v) for v in found.verdicts if v.treatment is Treatment.REFUSED]


@pytest.mark.parametrize("name", BLOCKS)
def test_before_bgp(name: str) -> None:
    """A block with all its `exit` is harmless, and what follows is read; one more ends the reading."""
    lines = [*BLOCKS[name], *["exit"] * DEPTH.get(name, 2)]
    assert refused("\n".join([HEAD, *lines, BGP])) == []
    found = read("frr.conf", "\n".join([HEAD, *lines, BGP]).encode())
    assert list(map(str, found.networks)) == ["192.0.2.1/32"]
    (line,) = refused("\n".join([HEAD, *lines, "exit", BGP]))
    assert line.startswith(f"frr.conf:{len(lines) + 3}: exit: ")


OPEN = [("interface eth0", name) for name in BLOCKS]
OPEN += [
    (block, name)
    for block in ("router ospf", "router isis 1", "pbr-map N seq 5")
    for name in ("bfd-peer", "pseudowire", "vrf", "pbr-map", "rpki", "nexthop-group")
]


@pytest.mark.parametrize(("block", "name"), OPEN)
def test_after_an_open_block(block: str, name: str) -> None:
    """A block of the top level ends one that no `exit` has ended: `vtysh -m` of FRR puts one there."""
    lines = [HEAD, block, *BLOCKS[name], *["exit"] * DEPTH.get(name, 2), BGP]
    assert refused("\n".join(lines)) == []
    found = read("frr.conf", "\n".join(lines).encode())
    assert list(map(str, found.networks)) == ["192.0.2.1/32"]


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ("router isis 1", "segment-routing on"),
        ("router ospf", "segment-routing global-block 16000 23999"),
        ("router rip", "bfd default-profile a"),
        ("router ospf", "mpls ldp-sync"),
        ("router isis 1", "mpls ldp"),
        ("interface eth0", "mpls enable"),
    ],
)
def test_words_of_a_block(block: str, line: str) -> None:
    """With more words, a block has what the top level opens a block with."""
    assert refused(f"{HEAD}{block}\n{line}\nexit\n{BGP}") == []
    (fault,) = refused(f"{HEAD}{block}\n{line}\nexit\nexit\n{BGP}")
    assert ": exit: " in fault


@pytest.mark.parametrize(
    "lines",
    [
        ("bfd", "profile a", "profile b", "exit", "peer 203.0.113.1", "exit", "exit"),
        ("vrf RED", "ip router-id 192.0.2.99", "vni 100", "exit-vrf"),
        ("vrf RED", "rpki", "exit", "exit-vrf"),
        (
            "mpls ldp",
            "address-family ipv4",
            "interface eth0",
            "exit",
            "exit-address-family",
            "exit",
        ),
        ("router bgp 64699", "address-family l2vpn evpn", "exit-address-family", "exit"),
        ("key chain A", "key 1", "exit", "key 2", "exit", "exit", "key chain B", "exit"),
    ],
    ids=" ".join,
)
def test_several(lines: tuple[str, ...]) -> None:
    """Blocks beside each other, and ends with words of their own."""
    found = read("frr.conf", "\n".join([HEAD, *lines, BGP]).encode())
    assert found.router_id == "203.0.113.10"
    assert len(found.networks) == 1
    assert all("address-family" in line for line in refused("\n".join([HEAD, *lines, BGP])))


def test_shown_configuration() -> None:
    """All that `vtysh -d bgpd -c 'show running-config'` prints is harmless."""
    text = f"Building configuration...\n\nCurrent configuration:\n!\n{HEAD}!\n{BGP}!\nend\n"
    assert refused(text) == []


@pytest.mark.parametrize(
    "line",
    [
        *("bgp no-rib", "bgp send-extra-data zebra", "bgp session-dscp 48", "bgp update-delay 10"),
        *("bgp suppress-fib-pending", "bgp community alias 64699:1 a", "no bgp graceful-shutdown"),
        *("fpm address 127.0.0.1", "vrrp autoconfigure", "ip mroute 192.0.2.0/24 eth0"),
        *("watchfrr ignore zebra", "allow-reserved-ranges", "vni 100", "ipv6 mroute ::/0 eth0"),
    ],
)
def test_harmless(line: str) -> None:
    """Lines of other daemons, and of bgpd as a whole, before and behind `router bgp`."""
    assert refused(f"{HEAD}{line}\n{BGP}") == []
    assert refused(f"{HEAD}{BGP}{line}\n") == []


@pytest.mark.parametrize(
    "line",
    [
        *("bgp listen limit 10", "bgp tcp-keepalive 1 1 1", "bgp allow-martian-nexthop"),
        *("bgp conditional-advertisement timer 10",),
    ],
)
def test_harmless_options(line: str) -> None:
    """Lines of `router bgp` that say nothing of what is sent."""
    assert refused(BGP.join([HEAD, ""]).replace(" address", f" {line}\n address", 1)) == []


def test_graceful_shutdown() -> None:
    """It changes every UPDATE, wherever it stands, and has a message of its own."""
    for text in (
        f"{HEAD}bgp graceful-shutdown\n{BGP}",
        f"{HEAD}{BGP[:-5]}\n bgp graceful-shutdown\n",
    ):
        (line,) = refused(text)
        assert "adds the community 65535:0 (RFC 8326)" in line
