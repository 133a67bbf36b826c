"""The rank of a data centre for an address -> profile -> Route."""

from __future__ import annotations

import hashlib
import math
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, TypeVar

from policy.route import Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy.topology import Address, DataCentre, Profile, Vip

OfFamily = TypeVar("OfFamily", IPv4Address | IPv6Address, IPv4Network | IPv6Network)


def spread(dcs: Sequence[str], index: int) -> tuple[str, ...]:
    """Return the preference of the `index`-th address of its family: the index-th DC, then round the list."""
    start = index % len(dcs)
    return (*dcs[start:], *dcs[:start])


def auto(
    dcs: Iterable[DataCentre], vip: str, pair: Sequence[IPv4Address | IPv6Address]
) -> tuple[str, ...]:
    """Return the preference of an address by weighted rendezvous (highest random weight) hashing.

    Each data centre has a score for each pair, and the highest goes first. As no score depends on
    what else there is, a data centre that joins or leaves, or an address that does, moves nothing
    but what it must. The score is -weight / ln(u), so that being first is in proportion to the
    weights; those of weight 0 come after all others.

    Every data centre has to compute the same, in every version: this must never change. Rounding
    in ln() can't matter before two scores agree in 15 digits.

    Args:
        dcs: all data centres, in any order.
        vip: the VIP's name.
        pair: the addresses that must stay together, see `pairs`; the first stands for all.
    """

    def key(dc: DataCentre) -> tuple[bool, float, str]:
        u = _uniform(dc.name.encode(), vip.lower().encode(), pair[0].packed)
        return dc.weight == 0, (dc.weight or 1.0) / math.log(u), dc.name

    return tuple(dc.name for dc in sorted(dcs, key=key))


def _uniform(*parts: bytes) -> float:
    """Return a number between 0 and 1, neither of them, that only depends on the parts."""
    digest = hashlib.sha256(b"\0".join(parts)).digest()
    return ((int.from_bytes(digest[:8], "big") >> 12) + 0.5) / 2**52


def pairs(addresses: Sequence[OfFamily]) -> list[tuple[OfFamily, ...]]:
    """Return for each address of a VIP the pair that it is in: the n-th of each family.

    Addresses or prefixes, IPv4 before IPv6 in a pair. An address that has no counterpart is alone.
    """
    families = [[each for each in addresses if each.version == version] for version in (4, 6)]
    found: list[tuple[OfFamily, ...]] = []
    nth = {4: 0, 6: 0}
    for address in addresses:
        place = nth[address.version]
        nth[address.version] += 1
        found.append(tuple(family[place] for family in families if place < len(family)))
    return found


def rank(address: Address, dc: DataCentre) -> int:
    """Return the rank of a data centre that announces an address: 0 is the first choice, or all equal ones."""
    place = address.prefer.index(dc.name)
    return 0 if address.equal else place


def profile(vip: Vip, address: Address, dc: DataCentre) -> Profile:
    """Return the profile with which a data centre announces an address."""
    return (address.ranks or vip.ranks)[rank(address, dc)]


def route(vip: Vip, address: Address, dc: DataCentre) -> Route:
    """Return what a data centre announces for an address, as an eBGP peer sees it."""
    return Route(address.prefix, dc.attributes(profile(vip, address, dc)))
