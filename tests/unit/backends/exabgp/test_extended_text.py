"""Extended communities in ExaBGP's words: each that is given is told again, and nothing else is."""

from __future__ import annotations

import pytest

from policy.asn import parse_asn
from policy.extended import ExtendedCommunity
from policy.route import AsPath, Attributes
from speaker.backends.exabgp import extended_text
from speaker.backends.exabgp.api_text import Sent, parse_listing, render_sent

EACH = tuple(
    map(
        ExtendedCommunity.parse,
        ("rt:64500:4294967295", "soo:64500:1", "rt:192.0.2.1:5", "rt:65546:7", "soo:65546:7"),
    )
)
ATTRIBUTES = Attributes(AsPath((parse_asn("64699"),)), extended_communities=EACH)
SHOWN = {
    4: "target:64500:4294967295 origin:64500:0.0.0.1 target:192.0.2.1:5 target:65546L:7 origin:65546L:7",
    5: "target:64500:4294967295 origin:64500:0.0.0.1 target:192.0.2.1:5 target:65546:7 origin:65546:7",
}
RIB = (
    "neighbor 203.0.113.1 local-ip 203.0.113.2 local-as 64699 peer-as 64500 router-id 203.0.113.2 "
    "family-allowed in-open ipv4 unicast 192.0.2.1/32 next-hop self origin igp as-path [ 64699 ]"
)


def listed(text: str) -> Sent | str:
    """Return what a line of the Adj-RIB-Out says."""
    ((rib,),) = [tuple(of.values()) for of in parse_listing((f"{RIB}{text}",)).ribs.values()]
    return rib


def test_rendered() -> None:
    """A line has octets, sorted: words mean different things to 4.2 and 5.0."""
    assert render_sent(Sent(ATTRIBUTES, None)).endswith(
        " extended-community [ 0x0002fbf4ffffffff 0x0003fbf400000001 0x0102c00002010005 "
        "0x02020001000a0007 0x02030001000a0007 ]"
    )


@pytest.mark.parametrize("dialect", [4, 5])
def test_listed(dialect: int) -> None:
    """What each shows is what was given, between communities and large communities."""
    found = listed(f" extended-community [ {SHOWN[dialect]} ]")
    assert isinstance(found, Sent)
    assert found.attributes == ATTRIBUTES
    beside = listed(
        " community 64699:1 extended-community target:64500:1 large-community 64699:1:2"
    )
    assert isinstance(beside, Sent)
    assert str(beside.attributes) == (
        "as-path [ 64699 ] origin igp community [ 64699:1 ] large-community [ 64699:1:2 ] "
        "extended-community [ rt:64500:1 ]"
    )


@pytest.mark.parametrize(
    "word",
    [
        "0x0304000000000001",
        "target:64500L:1",
        "target:0:1",
        "bandwidth:64500:1",
        "origin:64500:0.0.0.256",
        "target:64500:4294967296",
        "l2info:19:0:1500:111",
        "target:1.2.3:4",
        "target::1",
    ],
)
def test_not_ours(word: str) -> None:
    """A route with one that is never given keeps its text, so that it never equals one of ours."""
    with pytest.raises(ValueError, match=r"extended community|ASN|Expected|permitted"):
        extended_text.parse(word)
    assert isinstance(listed(f" extended-community {word}"), str)
