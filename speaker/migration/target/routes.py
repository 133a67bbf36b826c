"""What a data centre announces: one route for each prefix, out of what each neighbour is sent. Pure.

It does not depend on from where the sessions go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.route import MAX_PREPENDS, AsPath, Route
from speaker.migration.target import covering
from speaker.migration.target.no_vip import no_vip
from speaker.migration.updates.as_path import is_ebgp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Asn, Attributes, Prefix
    from speaker.migration.bgpd_conf.model import Configuration, LocalAs, Neighbor, Network
    from speaker.migration.updates.evaluate import Evaluation, Update

LOCAL_PREF = 100
"""What ExaBGP sends to iBGP neighbours where it is not told otherwise."""


@dataclass(slots=True)
class Routes:
    """The routes as eBGP neighbours see them, what can't be had, and what is only to be said."""

    routes: dict[Prefix, Route] = field(default_factory=dict)
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
        self._audience = {
            version: [each for each in neighbors if version in self._fed(each)]
            for version in (4, 6)
        }
        self._found = Routes()

    def found(self) -> Routes:
        for prefix, network in self._configuration.networks.items():
            attributes = self._kept_back(prefix) or self._sent(prefix, network)
            if attributes is None:
                continue
            where = network.statement.where
            if unfit := no_vip(prefix):
                self._found.faults.append(f"{where}: {prefix} {unfit}")
            if len(attributes.as_path) > MAX_PREPENDS + 1:
                self._found.faults.append(
                    f"{where}: {prefix} has {len(attributes.as_path) - 1} prepends; vip-speaker "
                    f"sends {MAX_PREPENDS} at most: take fewer"
                )
            self._found.routes[prefix] = Route(prefix, attributes)
        looked_at = covering.look_at(self._found.routes, self._configuration.networks)
        self._found.told += looked_at.told
        self._found.faults += looked_at.faults
        return self._found

    def _fed(self, neighbor: Neighbor) -> frozenset[int]:
        return frozenset(prefix.version for prefix in self._evaluation.updates[neighbor.address])

    def _kept_back(self, prefix: Prefix) -> Attributes | None:
        """Return the attributes of what an aggregate keeps back, of which no neighbour ever sees any."""
        for neighbor in self._audience[prefix.version]:
            update = self._evaluation.kept_back[neighbor.address].get(prefix)
            if update is not None:
                return self._as_ebgp(neighbor, update)
        return None

    def _sent(self, prefix: Prefix, network: Network) -> Attributes | None:
        """Return the attributes that all neighbours are sent, None where none is sent any."""
        where = network.statement.where
        found: dict[Attributes, Neighbor] = {}
        without = []
        for neighbor in self._audience[prefix.version]:
            update = self._evaluation.updates[neighbor.address].get(prefix)
            if update is None:
                without.append(neighbor)
                continue
            self._check_preference(where, prefix, neighbor, update)
            found.setdefault(self._as_ebgp(neighbor, update), neighbor)
        if not found:
            return None
        (attributes, first), *others = found.items()
        for other, neighbor in others:
            self._found.faults.append(
                f"{where}: {prefix} is sent to {first.address} with {attributes}, and to "
                f"{neighbor.address} with {other}; vip-speaker sends the same to all: make "
                "their route-maps alike in a copy of the file, and apply the rest at the router"
            )
        for neighbor in without:
            why = self._evaluation.silent[neighbor.address][prefix]
            self._found.faults.append(
                f"{where}: {prefix} is sent to {first.address}, and not to {neighbor.address} "
                f"({why}); vip-speaker sends the same to all: filter it at the router, or "
                "remove it from a copy of the file"
            )
        return attributes

    def _check_preference(
        self, where: str, prefix: Prefix, neighbor: Neighbor, update: Update
    ) -> None:
        if update.local_pref not in (None, LOCAL_PREF):
            self._found.faults.append(
                f"{where}: {prefix} is sent to {neighbor.address} (iBGP) with LOCAL_PREF "
                f"{update.local_pref}; vip-speaker sends {LOCAL_PREF}: set it at the router"
            )

    def _as_ebgp(self, neighbor: Neighbor, update: Update) -> Attributes:
        path = update.attributes.as_path.asns
        own = self._configuration.asn
        if not is_ebgp(self._configuration, neighbor):
            return replace(update.attributes, as_path=AsPath((own, *path)))
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
