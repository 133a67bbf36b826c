"""What a data centre announces: one route for each prefix, out of what each neighbour is sent. Pure.

It does not depend on from where the sessions go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.peers import USUAL_PREFERENCE, PeerPolicy
from policy.route import MAX_PREPENDS, AsPath, Route
from speaker.migration.target import covering, per_neighbor
from speaker.migration.target.no_vip import no_vip
from speaker.migration.target.site import NeighborRule
from speaker.migration.updates.as_path import is_ebgp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from policy.route import Asn, Attributes, Prefix
    from speaker.migration.bgpd_conf.model import Configuration, LocalAs, Neighbor, Network
    from speaker.migration.target.per_neighbor import ForAll
    from speaker.migration.updates.evaluate import Evaluation, Update
    from speaker.units import IpAddress


@dataclass(slots=True)
class Routes:
    """The routes as eBGP neighbours see them, what can't be had, and what is only to be said.

    `rules` are of those neighbours that get something else.
    """

    routes: dict[Prefix, Route] = field(default_factory=dict)
    rules: tuple[NeighborRule, ...] = ()
    faults: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def find(
    configuration: Configuration, evaluation: Evaluation, neighbors: Sequence[Neighbor]
) -> Routes:
    """Find what is announced.

    Args:
        configuration: bgpd's.
        evaluation: what that sends.
        neighbors: those that are to have a session.
    """
    return _Finder(configuration, evaluation, neighbors).found()


class _Finder:
    def __init__(
        self, configuration: Configuration, evaluation: Evaluation, neighbors: Sequence[Neighbor]
    ) -> None:
        self._configuration, self._evaluation = configuration, evaluation
        self._fed = {
            neighbor.address: frozenset(p.version for p in evaluation.updates[neighbor.address])
            for neighbor in neighbors
        }
        self._neighbors = {each.address: each for each in neighbors if self._fed[each.address]}
        self._found = Routes()

    def found(self) -> Routes:
        gets = {
            address: {
                prefix: self._as_ebgp(neighbor, update)
                for prefix, update in self._evaluation.updates[address].items()
            }
            for address, neighbor in self._neighbors.items()
        }
        split = per_neighbor.split(gets)
        self._found.faults += [self._unsaid(prefix, gets) for prefix in split.unsaid]
        kept: set[Prefix] = set()
        for prefix, network in self._configuration.networks.items():
            attributes = self._kept_back(prefix)
            if attributes is not None:
                kept.add(prefix)
            attributes = attributes or split.base.get(prefix)
            if attributes is not None:
                self._add(network, attributes)
        if not split.unsaid:
            self._found.rules = tuple(self._rules(split, gets, kept))
        self._found.told += covering.told(self._found.routes, self._configuration.networks)
        return self._found

    def _add(self, network: Network, attributes: Attributes) -> None:
        where, prefix = network.statement.where, network.prefix
        if unfit := no_vip(prefix):
            self._found.faults.append(f"{where}: {prefix} {unfit}")
        if len(attributes.as_path) > MAX_PREPENDS + 1:
            self._found.faults.append(
                f"{where}: {prefix} has {len(attributes.as_path) - 1} prepends; vip-speaker "
                f"sends {MAX_PREPENDS} at most: take fewer"
            )
        self._found.routes[prefix] = Route(prefix, attributes)

    def _rules(
        self,
        split: ForAll,
        gets: Mapping[IpAddress, Mapping[Prefix, Attributes]],
        kept: set[Prefix],
    ) -> Iterator[NeighborRule]:
        """Yield what is to be said of single neighbours."""
        for address, mine in gets.items():
            families = self._fed[address]
            withheld = frozenset(
                prefix
                for prefix in self._found.routes
                if prefix.version in families and prefix not in mine and prefix not in kept
            )
            policy = split.policies.get(address, PeerPolicy())
            if withheld or policy != PeerPolicy():
                yield NeighborRule(address, families, policy, withheld)

    def _kept_back(self, prefix: Prefix) -> Attributes | None:
        """Return the attributes of what an aggregate keeps back, of which no neighbour ever sees any."""
        for address, neighbor in self._neighbors.items():
            update = self._evaluation.kept_back[address].get(prefix)
            if update is not None and prefix.version in self._fed[address]:
                return replace(self._as_ebgp(neighbor, update), local_preference=None)
        return None

    def _unsaid(self, prefix: Prefix, gets: Mapping[IpAddress, Mapping[Prefix, Attributes]]) -> str:
        """Say what two neighbours are sent of a prefix that no [peer] can say."""
        where = self._configuration.networks[prefix].statement.where
        having = {address: mine[prefix] for address, mine in gets.items() if prefix in mine}
        (first, attributes), *others = having.items()
        other = next(((a, what) for a, what in others if what != attributes), None)
        beside = f", and to {other[0]} with {other[1]}" if other else ""
        return (
            f"{where}: {prefix} is sent to {first} with {attributes}{beside}; [peer] of vip.toml changes all VIPs of a "
            "neighbor alike, and adds prepends, communities, one MED, and one LOCAL_PREF for iBGP: make their "
            "route-maps so in a copy of the file, and apply the rest at the router"
        )

    def _as_ebgp(self, neighbor: Neighbor, update: Update) -> Attributes:
        """Return attributes with the router's own AS before them; LOCAL_PREF None for the usual."""
        path = update.attributes.as_path.asns
        own = self._configuration.asn
        if not is_ebgp(self._configuration, neighbor):
            preference = None if update.local_pref == USUAL_PREFERENCE else update.local_pref
            return replace(
                update.attributes, as_path=AsPath((own, *path)), local_preference=preference
            )
        if neighbor.local_as is None:
            return update.attributes
        if {*path} != {neighbor.local_as.asn}:
            self._other_as(neighbor.local_as, neighbor, path)
        return replace(update.attributes, as_path=AsPath((own,) * len(path)))

    def _other_as(self, said: LocalAs, neighbor: Neighbor, path: tuple[Asn, ...]) -> None:
        """Refuse an AS_PATH of more than the AS of its session, which is all that vip-speaker puts there."""
        fault = (
            f"{said.statement.where}: {said.statement}: {neighbor.address} is sent AS_PATH "
            f"{' '.join(map(str, path))}, and vip-speaker sends copies of the session's AS alone, {said.asn}: "
            "add no-prepend replace-as in a copy of the file, and prepend that AS"
        )
        if fault not in self._found.faults:
            self._found.faults.append(fault)
