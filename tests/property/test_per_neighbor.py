"""Rules of what single neighbours get: what is found gives each what it is sent, and what can be said is found."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from policy.extended import ExtendedCommunity
from policy.peers import PeerPolicy
from policy.route import Asn, AsPath, Attributes, Community, Origin, parse_prefix
from speaker.migration.target.per_neighbor import split

if TYPE_CHECKING:
    from policy.route import Prefix
    from speaker.units import IpAddress

NEIGHBORS = tuple(ip_address(f"203.0.113.{last}") for last in (1, 2, 3))
PREFIXES = tuple(parse_prefix(f"192.0.2.{last}/32") for last in (1, 2, 3))
OWN = Asn(64699)
COMMUNITIES = st.frozensets(st.sampled_from([Community(64500, n) for n in (1, 2, 3)]))
EXTENDED = st.frozensets(
    st.sampled_from([ExtendedCommunity.parse(text) for text in ("rt:64500:1", "soo:64500:1")])
)
NUMBERS = st.none() | st.sampled_from([0, 7, 50, 100, 200])

ATTRIBUTES = st.builds(
    Attributes,
    st.integers(1, 3).map(lambda length: AsPath.originated(OWN, length - 1)),
    st.sampled_from([0, 7]),
    st.sampled_from([Origin.IGP, Origin.IGP, Origin.INCOMPLETE]),
    COMMUNITIES.map(tuple),
    extended_communities=EXTENDED.map(tuple),
)
POLICIES = st.builds(
    PeerPolicy,
    communities=COMMUNITIES,
    extended_communities=EXTENDED,
    prepends=st.none() | st.integers(0, 2),
    med=NUMBERS,
    local_preference=NUMBERS,
)
ANY = st.dictionaries(
    st.sampled_from(NEIGHBORS), st.dictionaries(st.sampled_from(PREFIXES), ATTRIBUTES)
)


@given(gets=ANY)
def test_each_gets_what_it_is_sent(gets: dict[IpAddress, dict[Prefix, Attributes]]) -> None:
    """What all get, changed by a neighbour's table, is what it is sent: of all prefixes but those that are named."""
    found = split(gets)
    for address, mine in gets.items():
        policy = found.policies.get(address, PeerPolicy())
        for prefix, what in mine.items():
            assert prefix in found.unsaid or policy.applied("", found.base[prefix]) == what
    assert found.base.keys() == {prefix for mine in gets.values() for prefix in mine}


@given(
    base=st.fixed_dictionaries(dict.fromkeys(PREFIXES, ATTRIBUTES)),
    policies=st.fixed_dictionaries(dict.fromkeys(NEIGHBORS, POLICIES)),
    withheld=st.frozensets(st.tuples(st.sampled_from(NEIGHBORS), st.sampled_from(PREFIXES))),
)
def test_what_vip_toml_can_say_is_found(
    base: dict[Prefix, Attributes],
    policies: dict[IpAddress, PeerPolicy],
    withheld: frozenset[tuple[IpAddress, Prefix]],
) -> None:
    """What tables give of some base is found to be sayable, whatever is kept from whom."""
    gets = {
        address: {
            prefix: what
            for prefix in PREFIXES
            if (address, prefix) not in withheld
            if (what := policy.applied("", base[prefix])) is not None
        }
        for address, policy in policies.items()
    }
    assert split(gets).unsaid == frozenset()
