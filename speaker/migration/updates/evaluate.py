"""What a bgpd sends: for each neighbour and prefix the UPDATE, or why there is none. Pure.

The order of things is bgpd's (bgp_static_update() and subgroup_announce_check() in bgp_route.c):
the network's route-map; communities that forbid; the neighbour's lists; its route-map; then what
the session itself does to the path (RFC 4271 §5.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from policy.route import Attributes, Community
from speaker.migration.bgpd_conf.flow import Applied
from speaker.migration.bgpd_conf.lists import kind_of
from speaker.migration.bgpd_conf.model import Obstacle
from speaker.migration.updates import as_path, summaries
from speaker.migration.updates.as_path import is_ebgp
from speaker.migration.updates.doubts import Doubts
from speaker.migration.updates.originate import originated_by, through
from speaker.migration.updates.references import lists_used

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import (
        BgpPath,
        Configuration,
        FamilySettings,
        Filter,
        Neighbor,
    )
    from speaker.units import IpAddress


class Hop(StrEnum):
    """A next hop that is known by its kind only."""

    SELF = "self"
    """The local address of the session."""
    INTERFACE = "interface"
    """An address of the session's interface of the other family than the session's."""


@dataclass(frozen=True, slots=True)
class Update:
    """What one neighbour is sent of a prefix.

    AS_PATH is as the neighbour sees it. LOCAL_PREF is None on eBGP (RFC 4271 §5.1.5).
    """

    attributes: Attributes
    next_hop: IpAddress | Hop
    local_pref: int | None = None

    def __str__(self) -> str:
        pref = "" if self.local_pref is None else f" local-preference {self.local_pref}"
        return f"{self.attributes}{pref} next-hop {self.next_hop}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that a bgpd sends, by neighbour and prefix; why it does not send the rest; and what is unclear.

    Attributes:
        updates: what each neighbour is sent. A neighbour that is sent nothing is in it.
        silent: why a network is not sent to a neighbour. Every network is in one of the two.
        obstacles: the lines that a network met and that can't be translated: `updates` may be
            wrong where there are any.
        whole: those of them that no network met: who knows what bgpd makes of them.
        met: the others, by neighbour and prefix.
        kept_back: what a neighbour would be sent if it were not sent an aggregate in its place, which
            has summary-only. The prefix is in `silent` too.
    """

    updates: Mapping[IpAddress, Mapping[Prefix, Update]]
    silent: Mapping[IpAddress, Mapping[Prefix, str]]
    obstacles: tuple[Obstacle, ...]
    whole: Doubts
    met: Mapping[IpAddress, Mapping[Prefix, tuple[Obstacle, ...]]]
    kept_back: Mapping[IpAddress, Mapping[Prefix, Update]] = field(default_factory=dict)

    def doubts(self, neighbor: IpAddress, prefix: Prefix) -> tuple[Obstacle, ...]:
        """Return what stands in the way of saying what a neighbour is sent of a prefix."""
        met = self.met.get(neighbor, {}).get(prefix, ())
        whole = self.whole.of(neighbor, prefix)
        return (*met, *whole) if met else whole


NO_EXPORT = Community(65535, 65281)
NO_ADVERTISE = Community(65535, 65282)
LOCAL_AS = Community(65535, 65283)


def evaluate(configuration: Configuration) -> Evaluation:
    """Return what a bgpd with this configuration sends once all sessions are up."""
    whole = (*configuration.obstacles, *_unread(configuration))
    originated = originated_by(configuration)
    keepers = summaries.keepers(configuration.networks, originated)
    obstacles = dict.fromkeys(whole)
    for applied in originated.values():
        obstacles |= dict.fromkeys(applied.obstacles)
    updates: dict[IpAddress, dict[Prefix, Update]] = {}
    silent: dict[IpAddress, dict[Prefix, str]] = {}
    met: dict[IpAddress, dict[Prefix, tuple[Obstacle, ...]]] = {}
    kept: dict[IpAddress, dict[Prefix, Update]] = {}
    for neighbor in configuration.neighbors:
        address = neighbor.address
        kept[address] = {}
        updates[address], silent[address], met[address] = {}, {}, {}
        for prefix, applied in originated.items():
            sent, unclear = _to(configuration, neighbor, applied)
            if prefix in keepers and applied.path is not None:
                if not isinstance(sent, Update):
                    sent = _plainly(configuration, neighbor, applied.path)
                kept[address][prefix] = sent
                silent[address][prefix] = f"kept back by {keepers[prefix][0]}, summary-only"
                unclear = (*unclear, *neighbor.obstacles)
            elif isinstance(sent, str):
                silent[address][prefix] = sent
            else:
                updates[address][prefix] = sent
                unclear = (*unclear, *neighbor.obstacles)
            met[address][prefix] = (*applied.obstacles, *unclear)
            obstacles |= dict.fromkeys(unclear)
        for prefix in [*kept[address]]:
            if not any(keeper in updates[address] for keeper in keepers[prefix]):
                del kept[address][prefix]
    return Evaluation(updates, silent, tuple(obstacles), Doubts(whole), met, kept)


def _plainly(configuration: Configuration, neighbor: Neighbor, path: BgpPath) -> Update:
    """Return what a neighbour would be sent of a path if it had no policy."""
    local_pref = None if is_ebgp(configuration, neighbor) else configuration.default_local_pref
    sent = as_path.on_session(configuration, neighbor, path.attributes.as_path)
    attributes = replace(path.attributes, as_path=sent)
    return Update(attributes, _own_hop(neighbor, path.prefix.version), local_pref)


def _to(
    configuration: Configuration, neighbor: Neighbor, applied: Applied
) -> tuple[Update | str, tuple[Obstacle, ...]]:
    if applied.path is None:
        return applied.reason, ()
    return _send(configuration, neighbor, applied.path)


def _unread(configuration: Configuration) -> Iterator[Obstacle]:
    """Yield the lines that are not understood of lists that are used for what is sent."""
    if not configuration.networks:
        return
    used = lists_used(configuration) if configuration.unread else set()
    for statement, reason in configuration.unread.items():
        listed = kind_of(statement.words)
        if listed is not None and not used.isdisjoint(listed[1][:2]):
            yield Obstacle(statement, reason)


def _send(
    configuration: Configuration, neighbor: Neighbor, path: BgpPath
) -> tuple[Update | str, tuple[Obstacle, ...]]:
    """Return what a neighbour is sent of a path, or why nothing; and what is unclear about it."""
    family = neighbor.families[path.prefix.version]
    ebgp = is_ebgp(configuration, neighbor)
    reason = _kept_back(configuration, neighbor, family, path, ebgp=ebgp)
    if reason:
        return reason, ()
    for item in family.filters:
        passes = configuration.lists.get((_list_kind(item, path.prefix.version), item.name))
        if passes is None:
            return (
                f"{item.statement.where}: {item.kind} {item.name} does not exist, so bgpd sends nothing",
                (),
            )
        if not passes(path):
            return f"denied by {item.statement.where}: {item.kind} {item.name}", ()
    local_pref = configuration.default_local_pref
    path = replace(path, local_pref=local_pref if path.local_pref is None else path.local_pref)

    def policy(path: BgpPath) -> Applied:
        name = None if family.route_map is None else family.route_map.name
        return Applied(path) if name is None else through(configuration, name, path)

    applied = as_path.through_policy(configuration, neighbor, path, policy)
    if applied.path is None:
        return applied.reason, applied.obstacles
    path = applied.path
    attributes = path.attributes
    return Update(
        replace(
            attributes,
            as_path=as_path.on_session(configuration, neighbor, attributes.as_path),
            communities=attributes.communities if family.communities else (),
            large_communities=attributes.large_communities if family.large_communities else (),
            extended_communities=(
                attributes.extended_communities if family.extended_communities else ()
            ),
        ),
        path.next_hop or _own_hop(neighbor, path.prefix.version),
        None if ebgp else path.local_pref,
    ), applied.obstacles


def _kept_back(
    configuration: Configuration,
    neighbor: Neighbor,
    family: FamilySettings,
    path: BgpPath,
    *,
    ebgp: bool,
) -> str:
    """Return why a neighbour is not sent a path, whatever its lists say; or nothing."""
    if neighbor.shutdown:
        return f"{neighbor.address} is shut down"
    if not family.active:
        return f"IPv{path.prefix.version} is not activated for {neighbor.address}"
    if ebgp and configuration.ebgp_requires_policy and not (family.filters or family.route_map):
        return "FRR sends nothing without a policy out (bgp ebgp-requires-policy)"
    given = set(path.attributes.communities)
    if NO_ADVERTISE in given:
        return "bgpd sends no path with no-advertise"
    if ebgp and NO_EXPORT in given:
        return "bgpd sends what has no-export to no other AS"
    if ebgp and LOCAL_AS in given:
        return "bgpd sends what has local-AS to no other AS"
    return ""


def _list_kind(item: Filter, version: int) -> str:
    match item.kind:
        case "prefix-list":
            return "ip prefix-list" if version == 4 else "ipv6 prefix-list"
        case "distribute-list":
            return "access-list" if version == 4 else "ipv6 access-list"
    return "as-path access-list"


def _own_hop(neighbor: Neighbor, version: int) -> IpAddress | Hop:
    """Return the next hop of what bgpd originates: its own address on the session."""
    if neighbor.address.version == version:
        return Hop.SELF
    return neighbor.next_hops.get(version, Hop.INTERFACE)
