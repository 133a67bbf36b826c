"""One data centre: what its ExaBGP has to announce so that each neighbour gets what bgpd sent it.

vip-speaker announces each prefix with one set of attributes to all neighbours of a family, and [peer] changes
that for one of them. What bgpd does beyond that is a fault here, with what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.wording import named
from speaker.config.settings import NextHop
from speaker.migration.target import local, next_hops, routes
from speaker.migration.target.local import Own
from speaker.migration.target.site import PlannedSession, Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import Configuration, Neighbor
    from speaker.migration.target.local import Kernel
    from speaker.migration.updates.evaluate import Evaluation
    from speaker.units import IpAddress


_NAMED = 10
"""How many of the networks that are left out for one reason are named."""


def make(
    name: str,
    configuration: Configuration,
    evaluation: Evaluation,
    own: Own | None = None,
    kernel: Kernel | None = None,
) -> Site:
    """Return what a data centre's ExaBGP has to be.

    Args:
        name: the data centre's name.
        configuration: its bgpd's.
        evaluation: what that sends.
        own: what is said of the load balancer's own addresses.
        kernel: of the load balancer, if that is asked for them.
    """
    return _Maker(name, configuration, evaluation, own or Own(), kernel).site()


class _Maker:
    def __init__(
        self,
        name: str,
        configuration: Configuration,
        evaluation: Evaluation,
        own: Own,
        kernel: Kernel | None,
    ) -> None:
        self._name, self._own, self._kernel = name, own, kernel
        self._configuration, self._evaluation = configuration, evaluation
        self._faults: list[str] = []
        self._notes: list[str] = []
        self._told: list[str] = []
        self._lacking: tuple[str, ...] = ()
        self._used: set[int] = set()
        """The families of which the usual address is used."""
        self._said_of: set[tuple[IpAddress, int]] = set()
        """The neighbours, and the families, of which what is said is used."""

    def site(self) -> Site:
        alive = self._alive()
        sessions = self._sessions(alive)
        found = routes.find(self._configuration, self._evaluation, alive)
        self._faults += found.faults
        self._told += found.told
        left_out = {
            prefix: self._why_not(prefix, alive)
            for prefix in self._configuration.networks
            if prefix not in found.routes
        }
        # Where no neighbour is left, that is said once, and not of each network.
        self._note_left_out(left_out if alive else {})
        if not (alive or self._evaluation.obstacles):
            self._fault(
                "each neighbor is left out, see above; keep one in a copy of the file"
                if self._configuration.neighbors
                else "has no neighbor; is it the right file?"
            )
        self._check_said()
        hops = NextHop(*(self._hop(version, sessions) for version in (4, 6)))  # type: ignore[arg-type]
        router_id = self._router_id(alive, sessions)
        self._note_unused()
        return Site(
            self._name,
            self._configuration,
            found.routes,
            left_out,
            hops,
            sessions,
            router_id,
            tuple(self._faults),
            tuple(self._notes),
            tuple(self._told),
            found.rules,
            self._lacking,
        )

    def _note_left_out(self, left_out: Mapping[Prefix, str]) -> None:
        """Note what is left out, each reason once with what it is the reason of."""
        by_reason: dict[str, list[Prefix]] = {}
        for prefix, why in left_out.items():
            by_reason.setdefault(why, []).append(prefix)
        for why, prefixes in by_reason.items():
            where = self._configuration.networks[prefixes[0]].statement.where
            those = f"{named(prefixes, _NAMED)} {'is' if len(prefixes) == 1 else 'are'}"
            self._notes.append(f"{where}: {those} not announced, and left out: {why}")

    def _fault(self, text: str) -> None:
        self._faults.append(f"{self._name}: {self._configuration.file}: {text}")

    # --- own addresses -----------------------------------------------------------------------

    def _check_said(self) -> None:
        """Refuse what is said of a session that there is not."""
        known = {neighbor.address for neighbor in self._configuration.neighbors}
        for address, said in self._own.sessions.items():
            if address not in known:
                word = f"{self._name}:{address}={next(iter(said.values()))}"
                self._fault(f"--local {word}: no neighbor {address} is there; correct it")

    def _note_unused(self) -> None:
        """Name what is said and used for nothing: who says it believes that it is."""
        for version, usual in self._own.usual.items():
            if version not in self._used:
                self._notes.append(
                    f"--local {usual.word}: the file tells from where each session goes, and this is "
                    f"used for none; for another address use --local {self._name}:NEIGHBOR={usual.address}"
                )
        self._notes += [
            f"--local {self._name}:{neighbor}={address}: is used for nothing; the next hop of IPv{version} "
            "is another one, or nothing of it is sent there"
            for neighbor, said in self._own.sessions.items()
            for version, address in said.items()
            if version != neighbor.version and (neighbor, version) not in self._said_of
        ]

    def _hop(self, version: int, sessions: Sequence[PlannedSession]) -> IpAddress | None:
        found = next_hops.find(self._name, version, sessions, self._evaluation, self._own)
        for fault in found.faults:
            self._fault(fault)
        if found.usual:
            self._used.add(version)
        self._said_of |= {(neighbor, version) for neighbor in found.said_of}
        return found.address

    def _usual(self, version: int) -> IpAddress | None:
        usual = self._own.usual.get(version)
        if usual is None:
            return None
        self._used.add(version)
        return usual.address

    # --- sessions ----------------------------------------------------------------------------

    def _alive(self) -> list[Neighbor]:
        """Return the neighbours that are to have a session; note the others."""
        alive = []
        for neighbor in self._configuration.neighbors:
            if not neighbor.shutdown and _active(neighbor):
                alive.append(neighbor)
                continue
            why = "is shut down" if neighbor.shutdown else "has no family"
            self._notes.append(
                f"{neighbor.statement.where}: neighbor {neighbor.address} {why}, and is left out"
            )
        return alive

    def _sessions(self, alive: Sequence[Neighbor]) -> tuple[PlannedSession, ...]:
        found = local.find(self._name, alive, self._own, self._kernel)
        self._told += found.told
        self._used |= found.usual
        self._lacking = local.lacking(self._name, found.unknown)
        for fault in found.faults:
            self._fault(fault)
        return tuple(
            self._session(neighbor, found.addresses[neighbor.address])
            for neighbor in alive
            if neighbor.address in found.addresses
        )

    def _session(self, neighbor: Neighbor, address: IpAddress) -> PlannedSession:
        active, fed = _active(neighbor), self._fed(neighbor)
        reasons = {
            self._evaluation.silent[neighbor.address][prefix]
            for prefix in self._configuration.networks
            if prefix.version in active - fed
        }
        if reasons:
            self._notes.append(
                f"{neighbor.statement.where}: neighbor {neighbor.address} is sent nothing of "
                f"{_families(active - fed)}: {'; '.join(sorted(reasons))}"
            )
        return PlannedSession(neighbor, address, active, fed)

    def _fed(self, neighbor: Neighbor) -> frozenset[int]:
        return frozenset(prefix.version for prefix in self._evaluation.updates[neighbor.address])

    def _router_id(
        self, alive: Iterable[Neighbor], sessions: Iterable[PlannedSession]
    ) -> str | None:
        if self._configuration.router_id is not None:
            return self._configuration.router_id
        known = next((s.local for s in sessions if s.local.version == 4), None) or self._usual(4)
        if known is None and sessions and all(each.address.version != 4 for each in alive):
            self._fault(
                "has no bgp router-id, and no session over IPv4; add one, or use "
                f"--local {self._name}=IPV4-ADDRESS"
            )
        return None if known is None else str(known)

    def _why_not(self, prefix: Prefix, alive: Sequence[Neighbor]) -> str:
        silent = self._evaluation.silent
        # A session without the prefix's family is no reason where another one has it.
        meant = [each.address for each in alive if prefix.version in _active(each)] or [*silent]
        reasons = {said[prefix]: None for each in meant if prefix in (said := silent[each])}
        return "; ".join(reasons) or "there is no neighbour"


def _active(neighbor: Neighbor) -> frozenset[int]:
    """Return the families of which a neighbour is to be told."""
    return frozenset(v for v, family in neighbor.families.items() if family.active)


def _families(versions: Iterable[int]) -> str:
    return " and ".join(f"IPv{version}" for version in sorted(versions))
