"""Extended communities: their octets (RFC 4360, RFC 5668), and the texts that are none."""

from __future__ import annotations

import pytest

from policy.best_path import best, best_by
from policy.drain_profile import SoftRoutes
from policy.errors import PolicyError
from policy.extended import ExtendedCommunity
from policy.lint.announced import Announced, Announcements
from policy.lint.routes import routes as lint_routes
from policy.order import Order, ranks_fault
from policy.route import Asn, AsPath, Attributes, Route, parse_prefix
from policy.topology import Address, DataCentre, Profile, Topology, Vip


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("rt:64500:1", "0002fbf400000001"),
        ("rt:64500:4294967295", "0002fbf4ffffffff"),
        ("rt:65535:65536", "0002ffff00010000"),
        ("rt:65536:1", "0202000100000001"),
        ("rt:4294967295:65535", "0202ffffffffffff"),
        ("rt:192.0.2.1:5", "0102c00002010005"),
        ("soo:64500:1", "0003fbf400000001"),
        ("soo:65546:7", "02030001000a0007"),
    ],
)
def test_octets(text: str, octets: str) -> None:
    """Type, subtype, administrator and number: of two and four octets, or of four and two."""
    assert ExtendedCommunity.parse(text).octets.hex() == octets


def test_asdot() -> None:
    """An AS number is read in halves as well (RFC 5396), and shown plain."""
    assert str(ExtendedCommunity.parse("soo:1.10:7")) == "soo:65546:7"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("64500:1", "set any other kind at the router"),
        ("target:64500:1", "not of the form rt:64500:1 or soo:64500:1"),
        ("0x0002fbf400000001", "not of the form"),
        ("rt:64500:1:2", "not of the form"),
        ("rt:2001:db8::1:1", "not of the form"),
        ("rt:0:1", "ASN"),
        ("rt:64500:4294967296", "a number from 0 to 4294967295"),
        ("rt:65536:65536", "a number from 0 to 65535"),
        ("rt:192.0.2.1:65536", "a number from 0 to 65535"),
        ("rt:192.0.2.256:1", "192.0.2.256 is not an IPv4 address; write it like"),
        ("soo:192.0.2.1:5", "write an AS number"),
    ],
)
def test_refused(text: str, found: str) -> None:
    """What is no route target or site of origin is named, with what was found and what would do."""
    with pytest.raises(PolicyError, match=r"^extended community|^ASN") as refused:
        ExtendedCommunity.parse(text)
    assert found in str(refused.value)


def test_order() -> None:
    """They are sorted as their octets are."""
    texts = ["rt:64500:9", "rt:64500:10", "soo:64500:1", "rt:192.0.2.1:5", "rt:65536:1"]
    assert [str(each) for each in sorted(map(ExtendedCommunity.parse, reversed(texts)))] == texts


def test_they_are_a_set() -> None:
    """The order of extended communities, and saying one twice, make no difference (RFC 4360 §2)."""
    one, other = map(ExtendedCommunity.parse, ("rt:64500:1", "soo:64500:1"))
    path = AsPath((Asn(64699),))
    assert Attributes(path, extended_communities=(other, one, other)) == Attributes(
        path, extended_communities=(one, other)
    )


def test_they_order_nothing() -> None:
    """Data centres that are equal but for a site of origin tie; a rank by communities needs others than these."""
    sites = [
        Profile(name, 0, extended_communities=(ExtendedCommunity.parse(f"soo:64699:{n}"),))
        for n, name in enumerate("ab", 1)
    ]
    prefix = parse_prefix("192.0.2.1")
    routes = {each.name: Route(prefix, each.attributes(Asn(64699))) for each in sites}
    assert best(routes) == {"a", "b"}
    assert best_by(Order.COMMUNITY, ("a", "b"), routes) == {"a", "b"}
    assert "each rank needs others" in (ranks_fault(sites, Order.COMMUNITY) or "")
    asns = dict.fromkeys(routes, Asn(64699))
    equal = Announced(prefix, routes, ("a", "b"), "vip-1.tld", equal=True)
    assert [*lint_routes(Announcements(asns, (equal,)))] == []


def test_a_soft_drain_keeps_them() -> None:
    """What drains softly has the extended communities of its rank."""
    ranks = tuple(
        Profile(f"p{n}", n, extended_communities=(ExtendedCommunity.parse(f"rt:64699:{n}"),))
        for n in (1, 2)
    )
    address = Address(parse_prefix("192.0.2.1"), ("a", "b"))
    dcs = (DataCentre("a", Asn(64699)), DataCentre("b", Asn(64699)))
    vip = Vip("vip-1.tld", (address,), ranks)
    site = Topology(dcs, (vip,))
    for dc, rank in zip(dcs, ranks, strict=True):
        route = SoftRoutes(site, dc).route(vip, address)
        assert route.attributes.extended_communities == rank.extended_communities
