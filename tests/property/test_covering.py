"""Which prefixes an address lies in: what a search through all of them would find."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from policy.covering import Covering
from policy.route import IpAddress, Prefix, parse_prefix

ADDRESSES: st.SearchStrategy[IpAddress] = st.one_of(
    st.integers(0, 15).map(lambda offset: IPv4Address("192.0.2.0") + offset),
    st.integers(0, 15).map(lambda offset: IPv6Address("2001:db8::") + offset),
    st.integers(0, 15).map(lambda offset: IPv6Address("::192.0.2.0") + offset),
)


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    address = draw(ADDRESSES)
    host = draw(st.integers(0, address.max_prefixlen) | st.integers(0, 4))
    network = int(address) >> host << host
    return parse_prefix(f"{type(address)(network)}/{address.max_prefixlen - host}")


@given(st.lists(prefixes(), max_size=12), ADDRESSES)
def test_covering(some: list[Prefix], address: IpAddress) -> None:
    """All of its family that hold it are found, each once, longest first."""
    holding = {each for each in some if each.version == address.version and address in each}
    found = [*Covering(some).of(address)]
    assert found == sorted(holding, key=lambda prefix: -prefix.prefixlen)
