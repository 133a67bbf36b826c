"""The rank of a data centre for an address -> profile -> Route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.route import Route

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.topology import Address, DataCentre, Profile, Vip


def spread(dcs: Sequence[str], index: int) -> tuple[str, ...]:
    """Return the preference of the `index`-th address of its family: the index-th DC, then round the list."""
    start = index % len(dcs)
    return (*dcs[start:], *dcs[:start])


def rank(address: Address, dc: DataCentre) -> int:
    """Return the rank of a data centre for an address: 0 is the first choice."""
    return address.prefer.index(dc.name)


def profile(vip: Vip, address: Address, dc: DataCentre) -> Profile:
    """Return the profile with which a data centre announces an address."""
    return vip.ranks[rank(address, dc)]


def route(vip: Vip, address: Address, dc: DataCentre) -> Route:
    """Return what a data centre announces for an address, as an eBGP peer sees it."""
    return Route(address.prefix, profile(vip, address, dc).attributes(dc.asn))
