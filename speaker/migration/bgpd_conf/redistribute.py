"""`redistribute connected|static|kernel`: which prefixes bgpd announces by it, as far as that can be known.

Theory of operation. What the machine has is not in bgpd's configuration. But where the route-map permits
single prefixes only, nothing else can be announced, and an address that a site announces so is one that
it wants announced: its health is what vip-speaker looks at. Where it permits more, the file's own routes
and addresses are taken, if it has any, and it is said that others are not known. Where nothing is
known, it is an obstacle: no VIP is lost silently.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.route import MAX_MED, AsPath, Attributes, Origin, Prefix
from policy.wording import count
from speaker.migration.bgpd_conf import flow, route_maps
from speaker.migration.bgpd_conf.list_entries import Within
from speaker.migration.bgpd_conf.model import TRANSLATED, BgpPath, Dialect, Network, Obstacle
from speaker.migration.bgpd_conf.routes_here import SOURCES
from speaker.migration.bgpd_conf.statement import UNKNOWN, MigrationError, PassedOverError
from speaker.migration.bgpd_conf.tokens import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from speaker.migration.bgpd_conf.lists import Entries
    from speaker.migration.bgpd_conf.model import RouteMap
    from speaker.migration.bgpd_conf.routes_here import RoutesHere
    from speaker.migration.bgpd_conf.statement import Statement

_OF_OTHERS = frozenset(
    "ospf ospf6 rip ripng isis babel eigrp nhrp openfabric sharp table table-direct vnc vnc-direct".split()
)
_OTHERS = (
    "routes of other protocols are not announced by vip-speaker: keep bgpd for them. A VIP that is announced "
    "so needs a network line, in a copy of the file"
)
UNTOLD = (
    "which prefixes it announces is not in the file. Import it on its machine as DC=@running; or give its route-map a prefix-list of the VIPs, or write a "
    "network line for each VIP, in a copy of the file; where it announces no VIP, remove it there"
)
_LISTED = {
    ("ip", "address", "prefix-list"): "ip prefix-list",
    ("ip", "address"): "access-list",
    ("ipv6", "address", "prefix-list"): "ipv6 prefix-list",
    ("ipv6", "address"): "ipv6 access-list",
}


@dataclass(frozen=True, slots=True)
class Redistribution:
    """A source whose routes bgpd announces. `metric` is their MED; None where each has its own."""

    source: str
    version: int
    statement: Statement
    route_map: str | None = None
    metric: int | None = None


@dataclass(frozen=True, slots=True)
class Redistributed:
    """What redistribution comes to: prefixes, what stands in the way, and what is to be said of lines."""

    networks: Mapping[Prefix, Network] = field(default_factory=dict)
    obstacles: tuple[Obstacle, ...] = ()
    remarks: Mapping[Statement, str] = field(default_factory=dict)


class Redistributions:
    """All `redistribute` lines of a `router bgp` while it is read."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, int], Redistribution] = {}

    def add(self, statement: Statement, rest: Sequence[str], version: int) -> str:
        """Take a `redistribute` line, or the `no` of one; return why it has no effect, or nothing.

        A line that says less than one before leaves what that said, as in bgpd.

        Raises:
            MigrationError: it can't be translated.
            PassedOverError: it is of another protocol.
        """
        source, *options = rest or ("",)
        if not statement.plain:
            return (
                "is off anyway" if self.found.pop((source, version), None) is None else TRANSLATED
            )
        if source in _OF_OTHERS:
            raise PassedOverError(_OTHERS)
        if source not in SOURCES:
            raise MigrationError(UNKNOWN)
        made = self.found.get((source, version)) or Redistribution(source, version, statement)
        made = replace(made, statement=statement)
        words = iter(options)
        for word in words:
            value = next(words, "")
            if word == "route-map" and value:
                made = replace(made, route_map=value)
            elif word == "metric" and value:
                made = replace(made, metric=number(value, MAX_MED))
            else:
                raise MigrationError(f"{word!r} is not translated; remove it")
        self.found[source, version] = made
        return TRANSLATED


@dataclass(frozen=True, slots=True)
class Policy:
    """The route-maps and lists of a file, with the lines that they are made of."""

    maps: Mapping[str, RouteMap]
    drafts: Mapping[str, Mapping[int, route_maps.RouteMapDraft]]
    lists: Mapping[tuple[str, str], Entries]
    dialect: Dialect

    def singles(self, name: str | None, version: int) -> tuple[dict[Prefix, None], bool]:
        """Return the single prefixes that a route-map permits, and whether it permits no others."""
        prefixes: dict[Prefix, None] = {}
        alone = name is not None
        if name is None or name not in self.maps:
            return prefixes, alone
        for draft in self.drafts.get(name, {}).values():
            if not draft.permit:
                continue
            listed = [each for each in map(_listed, draft.statements) if each is not None]
            if not listed:
                alone = False
            for key in listed:
                found = self.lists.get(key)
                for permit, matches in found.entries.values() if found else ():
                    if permit and isinstance(matches, Within):
                        if matches.base.version != version:
                            continue
                        if matches.least == matches.longest == matches.base.prefixlen:
                            prefixes[matches.base] = None
                            continue
                    alone = alone and not permit
        return prefixes, alone


def _listed(statement: Statement) -> tuple[str, str] | None:
    match statement.words:
        case ("match", *what, name) if tuple(what) in _LISTED:
            return _LISTED[tuple(what)], name
    return None


def expand(
    found: Iterable[Redistribution],
    routes: RoutesHere,
    policy: Policy,
    stated: Mapping[Prefix, Network],
) -> Redistributed:
    """Return the prefixes that are announced by redistribution.

    Args:
        found: the lines.
        routes: what the file itself has.
        policy: its route-maps and lists.
        stated: the network lines, by prefix: bgpd prefers those, for their ORIGIN.
    """
    networks: dict[Prefix, Network] = {}
    obstacles: list[Obstacle] = []
    remarks: dict[Statement, str] = {}
    for line in found:
        singles, alone = policy.singles(line.route_map, line.version)
        taken = 0
        for prefix in routes.candidates(line, singles):
            network = Network(
                prefix, line.route_map, line.statement, Origin.INCOMPLETE, line.metric or 0
            )
            if not _is_announced(network, policy):
                continue
            taken += 1
            obstacles += _doubts(network, line, routes, policy)
            obstacles += _rivals(network, networks.get(prefix) or stated.get(prefix), policy)
            if prefix not in stated:
                networks.setdefault(prefix, network)
        if routes.knows(line.source):
            if not alone:
                remarks[line.statement] = (
                    f"taken over: {count(taken, 'prefix')} that this machine has now; those that come later are not: write "
                    "a network line for each that is missing"
                )
        elif not alone and not taken:
            obstacles.append(Obstacle(line.statement, UNTOLD))
        elif not alone:
            remarks[line.statement] = (
                f"taken over: {count(taken, 'prefix')} of the file; which others the machine has is not known: "
                "import it on its machine as DC=@running, give its route-map a prefix-list of the VIPs, or write a network line for each that is missing"
            )
    remarks |= {obstacle.statement: obstacle.reason for obstacle in obstacles}
    return Redistributed(networks, tuple(obstacles), remarks)


def path_of(network: Network) -> BgpPath:
    """Return the path that bgpd makes of what it originates, before any route-map."""
    return BgpPath(network.prefix, Attributes(AsPath(), network.med, network.origin))


def _applied(network: Network, policy: Policy) -> flow.Applied:
    path = path_of(network)
    if network.route_map is None:
        return flow.Applied(path)
    route_map = policy.maps.get(network.route_map)
    if route_map is None:
        return flow.Applied(None)
    return flow.apply(route_map, path, policy.maps, policy.dialect)


def _is_announced(network: Network, policy: Policy) -> bool:
    """Tell whether its route-map lets it pass, or may: what is not understood may."""
    applied = _applied(network, policy)
    return applied.path is not None or bool(applied.obstacles)


def _doubts(
    network: Network,
    line: Redistribution,
    routes: RoutesHere,
    policy: Policy,
) -> Iterator[Obstacle]:
    """Yield what can't be told of one prefix."""
    prefix = network.prefix
    if line.source == "static" and (gateway := routes.gateway_of(prefix, line)) is not None:
        yield Obstacle(
            gateway,
            f"bgpd sends the gateway as next hop of {prefix} where it redistributes that; in a copy of the "
            "file, make it a route to Null0, or write a network line in place of it",
        )
    path = _applied(network, policy).path
    if path is None:
        return
    if line.source == "kernel" and line.metric is None:
        other = _applied(replace(network, med=1), policy).path
        if other is not None and other.attributes.med != path.attributes.med:
            yield Obstacle(
                line.statement,
                f"MED of {prefix} is the metric that the kernel has; add `metric N`, as it is",
            )


def _rivals(network: Network, before: Network | None, policy: Policy) -> Iterator[Obstacle]:
    """Yield that two lines announce a prefix, where it is not plain that the one before counts."""
    if before is None:
        return
    one, other = _applied(before, policy).path, _applied(network, policy).path
    if one is None or other is None or one == other or _key(one) < _key(other):
        return
    yield Obstacle(
        network.statement,
        f"{network.prefix} may come by {before.statement.where} too, with other attributes; in a copy of "
        "the file, keep it in one of the two",
    )


def _key(path: BgpPath) -> tuple[int, int]:
    """Return by what bgpd prefers a path of its own: the length of AS_PATH, then ORIGIN."""
    return len(path.attributes.as_path), [*Origin].index(path.attributes.origin)
