"""What a file does not tell: the AS of external neighbours, addresses behind interfaces, the VRF."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from speaker.migration.bgpd_conf.answers import Answers, parse
from speaker.migration.bgpd_conf.model import Treatment
from speaker.migration.bgpd_conf.reader import read
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.updates.evaluate import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.migration.bgpd_conf.model import Configuration

HEAD = "frr version 8.4.4\nfrr defaults datacenter\n"
LEAF = (
    f"{HEAD}router bgp 64699\n bgp router-id 192.0.2.250\n neighbor FABRIC peer-group\n"
    " neighbor FABRIC remote-as external\n neighbor eth0 interface peer-group FABRIC\n"
    " neighbor eth1 interface remote-as external\n neighbor 203.0.113.9 remote-as external\n"
    " address-family ipv4 unicast\n  network 192.0.2.1/32\n exit-address-family\nexit\n"
)
VRFS = (
    f"{HEAD}router bgp 64699\n neighbor 203.0.113.1 remote-as 64500\n network 192.0.2.1/32\nexit\n"
    "router bgp 64698 vrf RED\n neighbor 203.0.113.2 remote-as 64501\n"
    " address-family ipv4 unicast\n  network 192.0.2.2/32\n exit-address-family\nexit\n"
)


def answers(*peer_as: str, peers: Sequence[str] = (), vrf: str | None = None) -> Answers:
    return parse(peer_as, peers, ["par1"], vrf)["par1"]


def understood(text: str, said: Answers) -> Configuration:
    return read("frr.conf", text.encode(), None, said)


def refused(found: Configuration) -> list[str]:
    return [str(v) for v in found.verdicts if v.treatment is Treatment.REFUSED]


def test_all_said() -> None:
    """With an address for each interface and an AS for each external neighbour, all is read."""
    said = answers(
        "FABRIC=64500",
        "eth1=64501",
        "par1:203.0.113.9=1.1",
        peers=["eth0=203.0.113.1", "par1:eth1=203.0.113.5"],
    )
    found = understood(LEAF, said)
    assert refused(found) == []
    assert {str(n.address): n.asn for n in found.neighbors} == {
        "203.0.113.1": 64500,
        "203.0.113.5": 64501,
        "203.0.113.9": 65537,
    }
    updates = evaluate(found).updates
    assert all(len(sent) == 1 for sent in updates.values())
    assert said.unused() == ()


def test_nothing_said() -> None:
    """Each neighbour is named once, with all that lacks and the options that say it."""
    found = understood(LEAF, answers())
    assert [line.partition(": the neighbour ")[2] for line in refused(found)] == [
        (
            "is by interface; ExaBGP needs an address: use --peer eth0=ADDRESS, the router's there and its "
            "AS: write its number, or use --peer-as eth0=ASN"
        ),
        (
            "is by interface; ExaBGP needs an address: use --peer eth1=ADDRESS, the router's there and its "
            "AS: write its number, or use --peer-as eth1=ASN"
        ),
        "is `external`; ExaBGP needs its AS: write its number, or use --peer-as 203.0.113.9=ASN",
    ]
    assert evaluate(found).obstacles, "nothing can be written"


def test_by_address() -> None:
    """An AS may also be said of the address that is said of an interface."""
    found = understood(
        LEAF,
        answers(
            "FABRIC=64500", "203.0.113.5=64502", peers=["eth0=203.0.113.1", "eth1=203.0.113.5"]
        ),
    )
    assert [n.asn for n in found.neighbors] == [64500, 64502]


@pytest.mark.parametrize(("vrf", "asn", "prefix"), [("RED", 64698, 2), ("default", 64699, 1)])
def test_vrf(vrf: str, asn: int, prefix: int) -> None:
    """One of several is chosen; the lines of the others are harmless."""
    found = understood(VRFS, answers(vrf=vrf))
    assert (found.asn, [*map(str, found.networks)]) == (asn, [f"192.0.2.{prefix}/32"])
    assert refused(found) == []
    assert sum("is of another VRF" in str(v) for v in found.verdicts) >= 3


def test_no_vrf() -> None:
    """Without a word of it, a VRF is refused with the option; a VRF that is not there is named."""
    with pytest.raises(MigrationError, match="use --vrf RED for it alone, or --vrf default"):
        understood(VRFS, answers())
    with pytest.raises(MigrationError, match="has no `router bgp` of VRF BLUE"):
        understood(VRFS, answers(vrf="BLUE"))


@pytest.mark.parametrize(
    ("peer_as", "peers", "expected"),
    [
        (["eth0"], [], "--peer-as eth0: not of the form NEIGHBOR=ASN or DC:NEIGHBOR=ASN"),
        (["eth0=x"], [], "ASN: 'x'"),
        (["eth0=1", "eth0=2"], [], "--peer-as eth0=2: eth0 is 1 already; keep one"),
        ([], ["eth0=nowhere"], "--peer eth0=nowhere: 'nowhere' is not an address; write it like"),
        ([], ["eth0=fe80::1"], "--peer eth0=fe80::1: is link-local: ExaBGP 4.2 connects to none"),
    ],
)
def test_refused(peer_as: list[str], peers: list[str], expected: str) -> None:
    """What makes no sense is refused with what to say."""
    with pytest.raises(MigrationError, match=re.escape(expected)):
        parse(peer_as, peers, ["par1"])
