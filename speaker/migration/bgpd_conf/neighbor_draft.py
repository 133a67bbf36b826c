"""A neighbour or a peer-group while it is read, and the Neighbor that it becomes with what it inherits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from speaker.migration.bgpd_conf import neighbor_as
from speaker.migration.bgpd_conf.graceful_restart import RESTART
from speaker.migration.bgpd_conf.model import (
    FamilySettings,
    Filter,
    LocalAs,
    Neighbor,
    Obstacle,
    RemovePrivate,
)
from speaker.migration.bgpd_conf.tokens import is_address

if TYPE_CHECKING:
    from policy.route import Asn
    from speaker.migration.bgpd_conf.graceful_restart import GracefulRestart
    from speaker.migration.bgpd_conf.interfaces import Interfaces
    from speaker.migration.bgpd_conf.model import Dialect
    from speaker.migration.bgpd_conf.statement import Statement
    from speaker.units import IpAddress

BOTH = (4, 6)
_FILTERS = ("distribute-list", "prefix-list", "filter-list")
"""The lists that a neighbour's routes must pass, in the order in which bgpd asks them."""


@dataclass(slots=True)
class NeighborDraft:
    """A neighbour or a peer-group while it is read. A key of `families` settings has its family."""

    name: str
    statement: Statement
    group: NeighborDraft | None = None
    members: list[NeighborDraft] = field(default_factory=list)
    """Of a group, in the order in which they joined it."""
    bound: set[int] = field(default_factory=set)
    """The families in which it is a member of its group."""
    active: dict[int, tuple[int, bool]] = field(default_factory=dict)
    """By family the line that says whether it is, and what: of a member, the later of its own and its group's counts."""
    with_as: list[NeighborDraft] = field(default_factory=list)
    """Of a group, the members that may have an AS of their own."""
    settings: dict[object, object] = field(default_factory=dict)
    interface: bool = False
    """Whether its name is an interface's, and its address unknown to the file."""

    def value(self, key: object, default: object = None, version: int | None = None) -> object:
        """Return a setting: its own, else that of its group, else the default."""
        if key in self.settings:
            return self.settings[key]
        inherits = self.group is not None and (version is None or version in self.bound)
        if inherits and self.group is not None and key in self.group.settings:
            return self.group.settings[key]
        return default

    def is_active(self, version: int) -> bool:
        """Tell whether it is activated in a family."""
        own = self.active[version]
        if self.group is None or version not in self.bound:
            return own[1]
        return max(own, self.group.active[version])[1]

    def known(self) -> list[object]:
        """Return the keys of all that is set."""
        inherited = () if self.group is None else self.group.settings
        return list(dict.fromkeys([*self.settings, *inherited]))


class OfRouter(NamedTuple):
    """What holds for all neighbours of a router: its AS, its hold time in seconds, whose bgpd it is, its restarts."""

    asn: Asn
    hold: int
    dialect: Dialect
    graceful_restart: GracefulRestart


def finish(
    draft: NeighborDraft, address: IpAddress, asn: Asn, router: OfRouter, interfaces: Interfaces
) -> Neighbor:
    """Return the neighbour that a draft is.

    Args:
        draft: of a neighbour, not of a group.
        address: its address.
        asn: its AS.
        router: what holds for all of its neighbours.
        interfaces: for the session's own addresses.
    """
    source = _text(draft.value("update-source"))
    local, hops = interfaces.session(address, source)
    hold = draft.value("timers")
    obstacles = [
        value
        for key in draft.known()
        if isinstance(key, tuple) and key[0] == "obstacle"
        if isinstance(value := draft.value(key), Obstacle)
    ]
    return Neighbor(
        address,
        asn,
        draft.statement,
        {version: _family(draft, version) for version in BOTH},
        None if draft.group is None else draft.group.name,
        _text(draft.value("description")),
        _text(draft.value("password")),
        hold if isinstance(hold, int) else router.hold,
        local,
        None if source is None or is_address(source) else source,
        hops,
        _int(draft.value("ebgp-multihop")),
        _int(draft.value("ttl-security")),
        _int(draft.value("port")),
        shutdown=bool(draft.value("shutdown")),
        local_as=local_as if isinstance(local_as := draft.value("local-as"), LocalAs) else None,
        graceful_restart=router.graceful_restart.of(draft.settings.get(RESTART)),
        is_inferred=local is not None and source is None,
        obstacles=(*obstacles, *neighbor_as.obstacles(draft, asn, router.asn, router.dialect)),
    )


def _family(draft: NeighborDraft, version: int) -> FamilySettings:
    found = [draft.value((kind, version), None, version) for kind in _FILTERS]
    route_map = draft.value(("route-map", version), None, version)
    remove = draft.value((neighbor_as.REMOVE, version), None, version)

    def sends(kind: str) -> bool:
        return bool(draft.value(("send-community", kind, version), default=True, version=version))

    return FamilySettings(
        draft.is_active(version),
        tuple(item for item in found if isinstance(item, Filter)),
        route_map if isinstance(route_map, Filter) else None,
        sends("standard"),
        sends("large"),
        remove if isinstance(remove, RemovePrivate) else None,
        sends("extended"),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None
