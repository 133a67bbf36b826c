"""Rule 6 of the design: who attracts an address, for every set of living data centres."""

from __future__ import annotations

from collections import Counter
from itertools import chain, combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.assignment import assignments
from policy.errors import PolicyError
from policy.health import HealthRule
from policy.order import ranks_fault
from policy.preference import profile, rank, route, spread
from policy.topology import Address, DataCentre, Profile, Topology, Vip
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy.route import Prefix


def living(dcs: Iterable[DataCentre]) -> list[tuple[DataCentre, ...]]:
    """All non-empty sets."""
    dcs = tuple(dcs)
    return list(chain.from_iterable(combinations(dcs, count + 1) for count in range(len(dcs))))


def winner(vip: Vip, address: Address, alive: Iterable[DataCentre]) -> str:
    """Who a router chooses by AS_PATH alone (RFC 4271 §9.1.2.2 a); there must be no tie."""
    lengths = {dc.name: len(route(vip, address, dc).attributes.as_path) for dc in alive}
    best = min(lengths.values())
    (name,) = (name for name, length in lengths.items() if length == best)
    return name


@given(made.topologies())
def test_exactly_one_shortest(topology: Topology) -> None:
    """For every address and every non-empty set of living DCs, one has the strictly shortest path."""
    for vip, address in topology:
        for alive in living(topology.dcs):
            names = {dc.name for dc in alive}
            first = next(name for name in address.prefer if name in names)
            assert winner(vip, address, alive) == first


@given(made.topologies())
def test_takeover(topology: Topology) -> None:
    """When a DC fails, the next in preference takes over what it had, and nothing else moves."""
    for alive in living(topology.dcs):
        for failed in alive:
            rest = tuple(dc for dc in alive if dc is not failed)
            for vip, address in topology if rest else ():
                before, after = winner(vip, address, alive), winner(vip, address, rest)
                if before != failed.name:
                    assert after == before
                else:
                    behind = address.prefer[address.prefer.index(before) + 1 :]
                    assert after == next(n for n in behind if n in {dc.name for dc in rest})


@given(made.topologies())
def test_duties(topology: Topology) -> None:
    """A DC has one duty for each prefix, with its own ASN as many times as the profile says."""
    for dc in topology.dcs:
        found = assignments(topology, dc)
        assert tuple(found) == topology.prefixes
        for prefix, assignment in found.items():
            ranks = assignment.address.ranks or assignment.vip.ranks
            assert assignment.rank is not None
            assert assignment.profile
            assert assignment.route
            assert assignment.route.prefix == prefix
            assert (
                assignment.rank
                == rank(assignment.address, dc)
                == assignment.address.prefer.index(dc.name)
            )
            assert (
                assignment.profile
                == profile(assignment.vip, assignment.address, dc)
                == ranks[assignment.rank]
            )
            assert tuple(assignment.route.attributes.as_path) == (dc.asn,) * (
                assignment.profile.prepends + 1
            )
            assert assignment.route.attributes.med == assignment.profile.med


@given(st.integers(1, 5), st.integers(0, 40))
def test_spread_is_even(count: int, addresses: int) -> None:
    """Spread gives each DC as many first places as any other, to within one; likewise second ones."""
    names = made.DC_NAMES[:count]
    orders = [spread(names, index) for index in range(addresses)]
    for place in range(count):
        counter = Counter(order[place] for order in orders)
        shares = [counter[name] for name in names]
        assert max(shares) - min(shares) <= 1
    assert all(sorted(order) == sorted(names) for order in orders)


@given(made.topologies(), made.FEW_PREFIXES)
def test_find(topology: Topology, prefix: Prefix) -> None:
    """A prefix is found where it is, and in one place only."""
    places = [(vip, a) for vip in topology.vips for a in vip.addresses if a.prefix == prefix]
    assert len(places) <= 1
    assert topology.find(prefix) == (places[0] if places else None)


ONE = DataCentre("par1", made.ASNS[0])
TWO = DataCentre("lyo1", made.ASNS[0])
RANKS = (Profile("near", 0), Profile("far", 1))
FIRST = made.HOSTS_V4[0]


def vip(name: str, *addresses: Address, ranks: tuple[Profile, ...] = RANKS) -> Vip:
    return Vip(name, addresses, ranks, HealthRule())


@pytest.mark.parametrize("prepends", [(0, 0), (1, 0), (0, 1, 1), (2, 3, 1)])
def test_ties_are_refused(prepends: tuple[int, ...]) -> None:
    """Ranks whose prepends do not rise are a fault: two DCs would tie, or the order turn round."""
    ranks = tuple(Profile(f"rank-{index}", count) for index, count in enumerate(prepends))
    assert f"prepends by rank are {list(prepends)}" in (ranks_fault(ranks) or "")


@given(st.integers(1, 5).flatmap(made.ranks))
def test_rising_ranks(ranks: tuple[Profile, ...]) -> None:
    """Ranks whose prepends rise are no fault."""
    assert ranks_fault(ranks) is None


@pytest.mark.parametrize("prefer", [(), ("par1", "par1"), ("par1", "lyo1", "fra1")])
def test_every_dc_once(prefer: tuple[str, ...]) -> None:
    """A preference that names no DC, one twice or an unknown one can't exist."""
    with pytest.raises(PolicyError, match="name some of"):
        Topology((ONE, TWO), (vip("vip-1.tld", Address(FIRST, prefer)),))


def test_one_place() -> None:
    """A prefix belongs to one place only."""
    address = Address(FIRST, ("par1", "lyo1"))
    with pytest.raises(PolicyError, match="also in vip vip-1"):
        Topology((ONE, TWO), (vip("vip-1.tld", address), vip("vip-2.tld", address)))


def test_ranks_for_all() -> None:
    """Fewer ranks than DCs can't exist."""
    with pytest.raises(PolicyError, match="1 rank for 2 data centres"):
        Topology((ONE, TWO), (vip("vip-1.tld", Address(FIRST, ("par1", "lyo1")), ranks=RANKS[:1]),))


def test_unknown_dc() -> None:
    """An unknown DC is named, with those that are known."""
    with pytest.raises(PolicyError, match="'fra1': unknown; known are par1, lyo1"):
        Topology((ONE, TWO), ()).dc("fra1")
