"""What is the upstreams' to do where data centres are equal, or ordered by more than AS_PATHs: no fault, but to know."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from policy.best_path import announcements, best
from policy.order import Order
from policy.wording import named

if TYPE_CHECKING:
    from policy.topology import Address, Topology, Vip

_EQUAL = (
    "equal in data centres with different ASNs: their paths tie, but a router uses several at once only "
    "where its multipath takes paths through different ASes (FRR: bgp bestpath as-path multipath-relax)"
)
_BY_MED = (
    "ordered by MED in data centres with different ASNs: routers compare these MEDs only with "
    "always-compare-med (RFC 4271 §9.1.2.2 c); whether the upstreams have that is not known here"
)
_BY_COMMUNITY = "ordered by communities: each rank has its own; whether the upstreams follow them is not known here"
_NOT_AT_ALL = 'order = "none": which data centre gets them is not promised'


def notes(topology: Topology) -> tuple[str, ...]:
    """Return what of the preference only the upstreams can make true, each with the addresses concerned."""
    about: dict[str, list[str]] = {}
    for vip, address in topology:
        if len(address.prefer) > 1 and (note := _note(topology, vip, address)):
            about.setdefault(note, []).append(f"{vip.name} {address.prefix}")
    return tuple(f"{named(names, 1)}: {note}" for note, names in about.items())


def _note(topology: Topology, vip: Vip, address: Address) -> str:
    asns = {dc.asn for dc in topology.dcs if dc.name in address.prefer}
    if address.equal:
        return _EQUAL if len(asns) > 1 else ""
    match vip.order:
        case Order.MED if len(asns) > 1 and not _is_proven(topology, vip, address):
            return _BY_MED
        case Order.COMMUNITY if not _is_proven(topology, vip, address):
            return _BY_COMMUNITY
        case Order.NONE:
            return _NOT_AT_ALL
    return ""


def _is_proven(topology: Topology, vip: Vip, address: Address) -> bool:
    """Whether every router orders the data centres as the preference has them."""
    routes = announcements(topology, vip, address)
    return all(best(routes, pair) == {pair[0]} for pair in combinations(address.prefer, 2))
