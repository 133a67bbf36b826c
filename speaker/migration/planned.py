"""What ExaBGP will send, in the words of `evaluate`, so that both can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.backends.exabgp_text import Neighbor, next_hop_for, sent, unreachable
from speaker.migration.evaluate import Hop, Update
from speaker.migration.site import LOCAL_PREF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.route import Prefix, Route
    from speaker.migration.site import Session, Site
    from speaker.settings import NextHop
    from speaker.units import IpAddress

    Updates = Mapping[IpAddress, Mapping[Prefix, Update]]


def planned(
    routes: Iterable[Route], neighbors: Sequence[Neighbor], hops: NextHop
) -> dict[IpAddress, dict[Prefix, Update]]:
    """Return what each neighbour is sent while all VIPs are well.

    Args:
        routes: what vip-speaker announces, as an eBGP neighbour sees it.
        neighbors: ExaBGP's; those without a process are sent nothing.
        hops: NEXT_HOP as in vip.toml.
    """
    every = tuple(routes)
    result: dict[IpAddress, dict[Prefix, Update]] = {}
    for neighbor in neighbors:
        mine = result.setdefault(neighbor.address, {})
        ibgp = neighbor.local_as == neighbor.peer_as
        for route in every if neighbor.processes else ():
            version = route.prefix.version
            hop = next_hop_for(hops, version)
            if version not in neighbor.families or unreachable(neighbor, version, hop):
                continue
            what = sent(route.attributes, neighbor, hop)
            mine[route.prefix] = Update(
                what.attributes, what.next_hop or Hop.SELF, LOCAL_PREF if ibgp else None
            )
    return result


def neighbors(site: Site) -> tuple[Neighbor, ...]:
    """Return a data centre's neighbours as ExaBGP has them."""
    return tuple(
        Neighbor(
            session.neighbor.address,
            session.local,
            site.configuration.asn,
            session.neighbor.asn,
            session.fed or session.families,
            frozenset(("vip-speaker",) if session.fed else ()),
        )
        for session in site.sessions
    )


def differences(site: Site, before: Updates, after: Updates) -> tuple[str, ...]:
    """Return a line for each prefix that a neighbour is sent otherwise than before."""
    lines = []
    for session in site.sessions:
        address = session.neighbor.address
        old, new = before[address], after.get(address, {})
        for prefix in dict.fromkeys((*old, *new)):
            was, will = old.get(prefix), new.get(prefix)
            if not _same(session, was, will):
                lines.append(f"{site.name}: {address}: {prefix}: bgpd sends {was}; ExaBGP {will}")
    return tuple(lines)


def _same(session: Session, was: Update | None, will: Update | None) -> bool:
    if was is None or will is None:
        return was is will
    old = session.local if was.next_hop is Hop.SELF else was.next_hop
    new = session.local if will.next_hop is Hop.SELF else will.next_hop
    # What bgpd takes of an interface is in no file; the operator has said it.
    hop = Hop.INTERFACE in (old, new) or old == new
    return hop and (was.attributes, was.local_pref) == (will.attributes, will.local_pref)
