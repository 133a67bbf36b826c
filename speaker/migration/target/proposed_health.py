"""Where each VIP's health comes from, as far as IPVS of one data centre tells: what it balances, and what it does not. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.covering import Covering
from policy.wording import count, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.route import Prefix
    from speaker.health.ipvs.table import IpvsTable
    from speaker.migration.target.inferred_policy import Placed


@dataclass(frozen=True, slots=True)
class ProposedHealth:
    """By VIP what is said of its health. Those that are `unchecked` IPVS has nothing for."""

    comments: Mapping[str, str] = field(default_factory=dict)
    unchecked: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


NOTHING_PROPOSED = ProposedHealth()


def propose(dc: str, table: IpvsTable, vips: Mapping[str, Sequence[Placed]]) -> ProposedHealth:
    """Propose the health of those VIPs that a data centre announces.

    Args:
        dc: the data centre.
        table: what its IPVS balances.
        vips: the addresses of each VIP.
    """
    services = _services(table, [placed.prefix for each in vips.values() for placed in each])
    comments: dict[str, str] = {}
    unchecked: list[str] = []
    dead: list[str] = []
    for name, addresses in vips.items():
        if not any(dc in placed.prefer for placed in addresses):
            continue
        found = {
            service: live
            for placed in addresses
            for service, live in services.get(placed.prefix, {}).items()
        }
        if not found:
            unchecked.append(name)
            comments[name] = f"IPVS of {dc} has nothing for it: only the operator decides"
            continue
        live = (f"{service} to {count(n, 'realserver')}" for service, n in found.items())
        comments[name] = f"IPVS of {dc}: {', '.join(live)}"
        dead += [name] if not all(found.values()) else []
    return ProposedHealth(
        comments, frozenset(unchecked), (*_notes(dc, table, unchecked), *_dying(dc, dead))
    )


def _services(table: IpvsTable, prefixes: Sequence[Prefix]) -> Mapping[Prefix, Mapping[str, int]]:
    """Return how many realservers with a weight each service of a prefix has."""
    covering = Covering(prefixes)
    found: dict[Prefix, dict[str, int]] = defaultdict(dict)
    for server, realservers in table.services.items():
        for prefix in covering.of(server.address):
            live = sum(1 for each in realservers if each.weight)
            found[prefix][f"{server.protocol}/{server.port}"] = live
    return found


def _notes(dc: str, table: IpvsTable, unchecked: Sequence[str]) -> tuple[str, ...]:
    if not unchecked:
        return ()
    marks = (
        f"; it has services of firewall marks ({', '.join(map(str, sorted(table.marks)))}), which tell no address: "
        'where one is of a VIP, say so by services = { "fwmark/NUMBER" = {} } and health.source = "ipvs"'
        if table.marks
        else ""
    )
    return (
        (
            f'{named(unchecked, 1)}: IPVS of {dc} has nothing for it, so health.source = "none" is written: it is '
            f"announced until an operator withdraws it{marks}"
        ),
    )


def _dying(dc: str, dead: Sequence[str]) -> tuple[str, ...]:
    if not dead:
        return ()
    return (
        f"{named(dead, 1)}: a service has no realserver in IPVS of {dc} now, so it would be withdrawn there",
    )
