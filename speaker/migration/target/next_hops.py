"""The one next hop of each family that vip-speaker sends, out of what bgpd sends on each session. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speaker.migration.target import local
from speaker.migration.updates.evaluate import Hop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.migration.target.local import Own
    from speaker.migration.target.site import PlannedSession
    from speaker.migration.updates.evaluate import Evaluation
    from speaker.units import IpAddress


@dataclass(slots=True)
class Found:
    """The next hop of a family, None where each session's own address is right; and what is wrong."""

    address: IpAddress | None = None
    faults: list[str] = field(default_factory=list)
    said_of: set[IpAddress] = field(default_factory=set)
    """The neighbours of which what is said of their session is used."""
    usual: bool = False
    """Whether the usual address is used."""


def find(
    dc: str, version: int, sessions: Sequence[PlannedSession], evaluation: Evaluation, own: Own
) -> Found:
    """Find the next hop of a family.

    Args:
        dc: the data centre.
        version: of the family.
        sessions: its sessions.
        evaluation: what bgpd sends on them.
        own: what is said of the data centre's own addresses.
    """
    found = Found()
    kinds: list[tuple[PlannedSession, IpAddress | Hop]] = []
    for session in sessions:
        updates = evaluation.updates[session.neighbor.address]
        hops = {update.next_hop for prefix, update in updates.items() if prefix.version == version}
        kinds += [(session, hop) for hop in hops]
    if all(hop is Hop.SELF for _, hop in kinds):
        return found
    addresses = {
        session.local if isinstance(hop, Hop) else hop
        for session, hop in kinds
        if hop is not Hop.INTERFACE
    }
    unknown = [session for session, hop in kinds if hop is Hop.INTERFACE]
    addresses |= _of_interfaces(dc, version, unknown, own, found)
    if len(addresses) > 1:
        found.faults.append(
            f"IPv{version} has the next hops {', '.join(sorted(map(str, addresses)))}; vip-speaker "
            "has one for all: take one, or one session for each family"
        )
    found.address = min(addresses, key=str, default=None)
    return found


def _of_interfaces(
    dc: str, version: int, sessions: Sequence[PlannedSession], own: Own, found: Found
) -> set[IpAddress]:
    """Return the addresses of sessions' interfaces of the other family than the sessions'.

    The usual one is that of one interface: of sessions from one address.
    """
    addresses: set[IpAddress] = set()
    rest: list[PlannedSession] = []
    for session in sessions:
        said = own.of(session.neighbor.address, version)
        if said is None:
            rest.append(session)
        else:
            addresses.add(said)
            found.said_of.add(session.neighbor.address)
    usual = own.usual.get(version)
    if usual is not None and len({session.local for session in rest}) == 1:
        found.usual = True
        return {*addresses, usual.address}
    remedy = "" if usual is not None else f", or --local {dc}=IPV{version}-ADDRESS for all"
    found.faults += [
        f"{local.name(session.neighbor)}: bgpd sends IPv{version} with the next hop that its interface "
        f"has, and the file does not tell which; use --local {dc}:{session.neighbor.address}="
        f"IPV{version}-ADDRESS{remedy}"
        for session in rest
    ]
    return addresses
