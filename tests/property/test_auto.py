"""`prefer = "auto"`: weighted rendezvous hashing moves only what it must, and shares by weight."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import IPv6Address, ip_address
from math import sqrt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.preference import auto, pairs
from policy.topology import DataCentre
from tests.support.strategies import policy as made

if TYPE_CHECKING:
    from speaker.units import IpAddress

NAMES = st.sampled_from(["vip-1.tld", "vip-2.tld", "VIP-1.tld", "ümlaut.tld"])


def orders(dcs: list[DataCentre], vip: str, addresses: list[IpAddress]) -> dict[IpAddress, object]:
    """The preference of each address of a VIP."""
    return {
        address: auto(dcs, vip, pair)
        for address, pair in zip(addresses, pairs(addresses), strict=True)
    }


@given(made.weighted(), NAMES, made.ADDRESSES)
def test_a_dc_leaves_or_joins(dcs: list[DataCentre], vip: str, address: IpAddress) -> None:
    """A DC that leaves only gives away, and one that joins only attracts: the others keep their order."""
    order = auto(dcs, vip, [address])
    assert sorted(order) == sorted(dc.name for dc in dcs)
    for gone in dcs:
        rest = [dc for dc in dcs if dc is not gone]
        assert auto(rest, vip, [address]) == tuple(name for name in order if name != gone.name)


@given(made.weighted(), NAMES, made.ADDRESSES, st.sampled_from([0.1, 1.0, 3.0, 1000.0]))
def test_a_weight_grows(dcs: list[DataCentre], vip: str, address: IpAddress, weight: float) -> None:
    """A DC whose weight grows only attracts, and the others keep their order among themselves."""
    changed = replace(dcs[0], weight=dcs[0].weight + weight)
    before = auto(dcs, vip, [address])
    after = auto([changed, *dcs[1:]], vip, [address])
    assert after.index(changed.name) <= before.index(changed.name)
    assert [n for n in after if n != changed.name] == [n for n in before if n != changed.name]


@given(made.weighted(), NAMES, made.ADDRESSES, st.randoms(use_true_random=False))
def test_all_agree(
    dcs: list[DataCentre], vip: str, address: IpAddress, random: st.DataObject
) -> None:
    """Neither the order of the DCs in the file nor the case of a VIP's name matters."""
    mixed = list(dcs)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert auto(mixed, vip.upper(), [address]) == auto(dcs, vip.lower(), [address])


@given(made.weighted(), NAMES, made.ADDRESSES)
def test_the_last_resort(dcs: list[DataCentre], vip: str, address: IpAddress) -> None:
    """A DC of weight 0 comes after all that have one."""
    weights = {dc.name: dc.weight for dc in dcs}
    order = [weights[name] > 0 for name in auto(dcs, vip, [address])]
    assert order == sorted(order, reverse=True)


@given(made.weighted(), NAMES, made.address_lists())
def test_a_pair_never_splits(dcs: list[DataCentre], vip: str, addresses: list[IpAddress]) -> None:
    """The n-th IPv4 and the n-th IPv6 address of a VIP have one preference, wherever they stand."""
    found = orders(dcs, vip, addresses)
    four = [address for address in addresses if address.version == 4]
    six = [address for address in addresses if address.version == 6]
    for one, other in zip(four, six, strict=False):
        assert found[one] == found[other]
    for address, pair in zip(addresses, pairs(addresses), strict=True):
        assert address in pair
        assert [each.version for each in pair] in ([4], [6], [4, 6])


@given(made.weighted(), NAMES, made.address_lists(), st.data())
def test_a_pair_leaves_or_joins(
    dcs: list[DataCentre], vip: str, addresses: list[IpAddress], data: st.DataObject
) -> None:
    """A whole pair that leaves a VIP, or joins it at any place, moves no other address."""
    whole: list[tuple[IpAddress, ...]] = [pair for pair in pairs(addresses) if len(pair) == 2]
    gone = data.draw(st.sampled_from(whole or [()]))
    rest = [address for address in addresses if address not in gone]
    found = orders(dcs, vip, addresses)
    assert orders(dcs, vip, rest) == {address: found[address] for address in rest}


@given(made.weighted())
def test_shares_approach_weights(dcs: list[DataCentre]) -> None:
    """Of many addresses each DC is first for its weight's part; those left share alike if it fails."""
    count = 1500
    addresses = [IPv6Address("2001:db8::") + index for index in range(count)]
    found = [auto(dcs, "vip-1.tld", [address]) for address in addresses]
    for alive in (dcs, dcs[1:]):
        names = {dc.name for dc in alive}
        first = Counter(next(name for name in order if name in names) for order in found if names)
        total = sum(dc.weight for dc in alive)
        for dc in alive if total else ():
            share = dc.weight / total
            within = 5 * sqrt(share * (1 - share) / count)  # 5 sigma of a fair draw
            assert first[dc.name] / count == pytest.approx(share, abs=within)


# Computed once, and kept: a data centre of an old version must agree with one of a new version.
GOLDEN = [
    ("vip-1.tld", "192.0.2.1", "lyo1 par1 fra1 ams1 mad1"),
    ("vip-1.tld", "192.0.2.2", "lyo1 ams1 fra1 par1 mad1"),
    ("vip-1.tld", "2001:db8::1", "lyo1 par1 ams1 fra1 mad1"),
    ("vip-1.tld", "::ffff:192.0.2.1", "ams1 fra1 par1 lyo1 mad1"),
    ("vip-2.tld", "192.0.2.1", "par1 ams1 fra1 lyo1 mad1"),
    ("vip-2.tld", "203.0.113.0", "par1 ams1 lyo1 fra1 mad1"),
    ("ümlaut.tld", "198.51.100.7", "par1 fra1 lyo1 ams1 mad1"),
]


@pytest.mark.parametrize(("vip", "address", "order"), GOLDEN)
def test_it_never_changes(vip: str, address: str, order: str) -> None:
    """The order of an address is the same for ever: all data centres must agree across versions."""
    weights = {"par1": 2.0, "lyo1": 1.0, "fra1": 0.5, "ams1": 1.0, "mad1": 0.0}
    dcs = [DataCentre(name, made.LOCAL_ASN, weight) for name, weight in weights.items()]
    found = auto(dcs, vip, [ip_address(address), IPv6Address("2001:db8::ffff")])
    assert " ".join(found) == order
