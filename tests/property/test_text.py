"""Every text form of the policy parses back to the value that it is of."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.asn import parse_asn
from policy.errors import PolicyError
from policy.extended import ExtendedCommunity
from policy.health import Service
from policy.route import AsPath, Attributes, Community, LargeCommunity, Prefix, Route, parse_prefix
from tests.support.strategies import policy as made


@given(made.as_paths())
@example(AsPath())
def test_as_path(path: AsPath) -> None:
    """An AS_PATH parses back, the empty one too."""
    assert AsPath.parse(str(path)) == path


@given(made.communities())
def test_community(community: Community) -> None:
    """A community parses back."""
    assert Community.parse(str(community)) == community


@given(made.large_communities())
def test_large_community(community: LargeCommunity) -> None:
    """A large community parses back."""
    assert LargeCommunity.parse(str(community)) == community


@given(made.extended_communities())
def test_extended_community(community: ExtendedCommunity) -> None:
    """An extended community parses back, and has eight octets (RFC 4360 §2), of its own."""
    assert ExtendedCommunity.parse(str(community)) == community
    assert len(community.octets) == 8


@given(made.extended_communities(), made.extended_communities())
def test_octets_of_extended_communities(one: ExtendedCommunity, other: ExtendedCommunity) -> None:
    """Two have the same octets where they are the same, and there alone."""
    assert (one.octets == other.octets) is (one == other)


@given(made.attributes())
@example(Attributes(AsPath()))
def test_attributes(attributes: Attributes) -> None:
    """Attributes parse back, without any of the optional ones too."""
    assert Attributes.parse(str(attributes)) == attributes


@given(made.routes())
def test_route(route: Route) -> None:
    """A route parses back."""
    assert Route.parse(str(route)) == route


@given(made.services())
def test_service(service: Service) -> None:
    """A service parses back."""
    assert Service.parse(str(service)) == service


@given(made.PREFIXES)
def test_prefix(prefix: Prefix) -> None:
    """A prefix parses back, and a host prefix also from its address."""
    assert parse_prefix(str(prefix)) == prefix
    if prefix.prefixlen == prefix.max_prefixlen:
        assert parse_prefix(str(prefix.network_address)) == prefix


@given(st.lists(made.communities()), st.randoms(use_true_random=False))
def test_communities_are_sets(communities: list[Community], random: st.DataObject) -> None:
    """The order of communities, and saying one twice, make no difference (RFC 1997)."""
    mixed = communities * 2
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert Attributes(AsPath(), communities=tuple(mixed)) == Attributes(
        AsPath(), communities=tuple(communities)
    )


PARSERS = [
    AsPath.parse,
    Community.parse,
    LargeCommunity.parse,
    ExtendedCommunity.parse,
    Attributes.parse,
    Route.parse,
    Service.parse,
    parse_asn,
    parse_prefix,
]
ALMOST = st.text("0123456789:./ []tcpudas-hmorignegcmlu\n", max_size=40)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__qualname__)
@given(text=st.one_of(st.text(), ALMOST))
@example(text="64699\n")
@example(text="64699:100\n")
@example(text="tcp/80\n")
@example(text="tcp/٣")
@example(text="٣:٣")
@example(text="192.0.2.1/٣٢")
@example(text="2001:db8::1%eth0")
@example(text="192.0.2.1/24")
@example(text="9" * 5000)
@example(text="as-path [ ] origin igp med 4294967296")
@example(text="rt:64699:1\n")
@example(text="rt:64699:4294967296")
@example(text="soo:1.10:1")
@example(text="rt:192.0.2.256:1")
@example(text="rt:192.0.2.01:1")
def test_other_text(parse: object, text: str) -> None:
    """A text either is refused with PolicyError, or means a value whose own text means the same."""
    assert callable(parse)
    try:
        value = parse(text)
    except PolicyError:
        return
    assert parse(str(value)) == value
    assert str(value).isascii()


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0:1:1",
        "65536:0",
        "0:65536",
        "-1:0",
        "1:",
        ":1",
        "no-export",
        "graceful-shutdown",
        "1:2:3",
    ],
)
def test_not_a_community(text: str) -> None:
    """A community is two 16-bit numbers; names are refused, because ExaBGP heeds some of them."""
    with pytest.raises(PolicyError, match="community"):
        Community.parse(text)


@pytest.mark.parametrize("text", ["tcp", "tcp/", "/80", "tcp/65536", "icmp/1", "fwmark/4294967296"])
def test_not_a_service(text: str) -> None:
    """A service is tcp, udp, sctp with a port, or fwmark with a 32-bit mark."""
    with pytest.raises(PolicyError, match="service"):
        Service.parse(text)


@pytest.mark.parametrize("text", ["0", "4294967296", "-1", "0.0", "1.65536", "AS64699", ""])
def test_not_an_asn(text: str) -> None:
    """An ASN is a number from 1 to 4294967295 in asplain form (RFC 5396)."""
    with pytest.raises(PolicyError, match="ASN"):
        parse_asn(text)
