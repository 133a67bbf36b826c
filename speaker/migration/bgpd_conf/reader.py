"""bgpd.conf or frr.conf -> Configuration, with a verdict for every line. No I/O.

Every statement is translated, harmless, or refused with what to do. What is refused is an obstacle,
which the evaluation meets, except lines that are known to change nothing of VIPs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf import ends, graceful_restart, lists, route_maps, stray
from speaker.migration.bgpd_conf.dialect import decide
from speaker.migration.bgpd_conf.interfaces import Interfaces
from speaker.migration.bgpd_conf.model import (
    TRANSLATED,
    Configuration,
    Dialect,
    LineVerdict,
    Obstacle,
    Treatment,
)
from speaker.migration.bgpd_conf.neighbor_draft import OfRouter
from speaker.migration.bgpd_conf.placing import statements
from speaker.migration.bgpd_conf.redistribute import Policy, expand
from speaker.migration.bgpd_conf.router import OF_ANOTHER_VRF, Router, why_passed_over
from speaker.migration.bgpd_conf.routes_here import RoutesHere
from speaker.migration.bgpd_conf.statement import (
    FAMILIES,
    CommandMode,
    FatalError,
    MigrationError,
    PassedOverError,
)
from speaker.migration.bgpd_conf.tokens import canonical, identifier, number
from speaker.migration.bgpd_conf.top_level import of_others

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speaker.migration.bgpd_conf.answers import Answers
    from speaker.migration.bgpd_conf.model import Taken
    from speaker.migration.bgpd_conf.neighbor_draft import NeighborDraft
    from speaker.migration.bgpd_conf.redistribute import Redistributed
    from speaker.migration.bgpd_conf.statement import Statement


def read(
    file: str, content: bytes, said: Dialect | None = None, answers: Answers | None = None
) -> Configuration:
    """Read one bgpd's configuration.

    Args:
        file: its name, for what is said of it.
        content: as it is on the disk.
        said: whose it is, for a file that does not tell.
        answers: what else it does not tell.

    Raises:
        MigrationError: there is no BGP in it that can be migrated: no `router bgp`, two of them,
            or one of a VRF or view; or nothing tells whose it is.
    """
    found = statements(file, content)
    if not any(statement.words[:2] == ("router", "bgp") for statement in found):
        for statement in found:
            if stray.abbreviated(statement) == "router bgp":
                raise MigrationError(f"{statement.where}: {statement}: {stray.fault(statement)}")
        raise MigrationError(f"{file}: has no `router bgp`; is it the right file, and complete?")
    reader = _Reader(file, decide(file, found, said), answers)
    for statement, fault in ends.with_faults(found, content):
        reader.take(statement, fault)
    return reader.finish()


_POLICY_SINCE = (7, 4)
"""Since then FRR's default is `bgp ebgp-requires-policy`."""
_HALVES_SINCE = (9, 0)
"""Since then FRR takes an AS number as `1.10`, too."""
_NO_IP_SINCE = (8, 0)
"""Since then FRR refuses `ip as-path access-list` and `ip community-list`."""


class _Reader:
    def __init__(self, file: str, taken: Taken, answers: Answers | None) -> None:
        self._file, self._taken = file, taken
        self._vrf = None if answers is None else answers.vrf
        self._now = None if answers is None else answers.now
        dialect = taken.dialect
        self._takes_halves = dialect is Dialect.FRR
        """Whether it takes an AS number such as `1.10`."""
        self._verdicts: list[LineVerdict] = []
        self._router = Router(dialect, answers)
        self._interfaces = Interfaces(self._vrf)
        self._routes = RoutesHere()
        self._lists = lists.Lists(dialect)
        self._maps: dict[str, dict[int, route_maps.RouteMapDraft]] = {}
        self._obstacles: list[Obstacle] = []
        self._unread: dict[Statement, str] = {}
        """Lines of lists that could not be understood, which count where the list is used."""

    # --- verdicts ----------------------------------------------------------------------------

    def take(self, statement: Statement, fault: str = "") -> None:
        """Take one statement, and note what became of it; with a fault, that it is refused."""
        try:
            if fault := fault or stray.fault(statement):
                raise MigrationError(fault)  # noqa: TRY301 - like any other line that is refused
            reason = self._take(statement)
        except FatalError as error:
            raise MigrationError(f"{statement.where}: {statement}: {error}") from error
        except PassedOverError as error:
            self._verdict(statement, Treatment.REFUSED, str(error))
            return
        except MigrationError as error:
            self._obstacles.append(Obstacle(statement, str(error)))
            self._verdict(statement, Treatment.REFUSED, str(error))
            return
        self._verdict(statement, Treatment.HARMLESS if reason else Treatment.TRANSLATED, reason)

    def _refuse_by_version(self, statement: Statement) -> None:
        """Refuse a line that not every version of this bgpd takes."""
        if fault := stray.by_version(statement, self._taken.dialect, halves=self._takes_halves):
            raise (FatalError if statement.words[0] == "router" else MigrationError)(fault)

    def _verdict(self, statement: Statement, treatment: Treatment, reason: str) -> None:
        self._verdicts.append(LineVerdict(statement, treatment, reason))

    def _take(self, statement: Statement) -> str:
        if ends.ends_block(statement):
            return "ends a block"
        if self._router.is_another and statement.mode in _OF_ROUTER:
            return OF_ANOTHER_VRF
        match statement.mode:
            case CommandMode.TOP:
                return self._top(statement)
            case CommandMode.BGP | CommandMode.IPV4 | CommandMode.IPV6:
                self._refuse_by_version(statement)
                return self._router.add(statement, FAMILIES[statement.mode])
            case CommandMode.ROUTE_MAP:
                return self._in_map(statement)
            case CommandMode.OTHER_FAMILY:
                raise PassedOverError(why_passed_over(statement.block))
            case CommandMode.INTERFACE:
                self._interfaces.add(statement)
                return "is for zebra"
            case CommandMode.LINE:
                return "is for bgpd's own terminal"
            case CommandMode.OTHER:
                return "is for another daemon"

    # --- the top level -----------------------------------------------------------------------

    def _top(self, statement: Statement) -> str:  # noqa: C901 - a table of statements
        words = statement.words
        match words:
            case ("router", "bgp", *rest):
                self._refuse_by_version(statement)
                return self._router.begin(statement, rest)
            case ("route-map", name, "permit" | "deny" as action, sequence):
                index = number(sequence, 65535, 1)
                clauses = self._maps.setdefault(name, {})
                draft = clauses.setdefault(
                    index, route_maps.RouteMapDraft(index, action == "permit", statement)
                )
                if draft.permit != (action == "permit"):
                    raise FatalError(
                        f"{draft.statement} is there too, in line {draft.statement.line}, and how "
                        "its lines are read depends on the version of bgpd; keep one"
                    )
                draft.statements.append(statement)
                return TRANSLATED
            case ("frr", "version", version, *_):
                if _version(version) < _POLICY_SINCE:
                    self._router.requires_policy = False
                self._takes_halves = _version(version) >= _HALVES_SINCE
                self._lists.takes_ip = _version(version) < _NO_IP_SINCE
                return "tells FRR's defaults"
            case ("frr", "defaults", profile):
                if profile == "datacenter":
                    self._router.defaults_of_datacenter()
                return "tells FRR's defaults"
            case ("router-id", address) | ("ip", "router-id", address):
                self._router.router_id = self._router.router_id or identifier(address)
                return TRANSLATED
        try:
            self._refuse_by_version(statement)
            if self._lists.add(statement):
                return TRANSLATED
        except MigrationError as error:
            self._unread[statement] = str(error)
            raise PassedOverError(str(error)) from error
        if words[1:2] == ("route",):
            self._routes.add(statement)
        return self._no_list(statement)

    def _no_list(self, statement: Statement) -> str:
        plain = statement.said or statement.words
        if plain[0] == "bgp" and plain[1:2] and plain[1] in graceful_restart.LINES:
            return self._router.graceful_restart.add(plain[1:], plain=statement.plain)
        if not statement.plain and (plain[0] in ("router", "route-map") or lists.kind_of(plain)):
            raise FatalError(_TAKES_BACK)
        return of_others(statement)

    def _in_map(self, statement: Statement) -> str:
        name, _, sequence = statement.block
        if not statement.plain:
            raise FatalError(_TAKES_BACK)
        draft = self._maps.get(name, {}).get(int(sequence) if _DIGITS.fullmatch(sequence) else 0)
        if draft is None:
            raise MigrationError("its route-map was refused; correct that first")
        try:
            self._refuse_by_version(statement)
            return draft.add(statement)
        except MigrationError as error:
            draft.refuse(statement, str(error))
            return TRANSLATED

    # --- the end -----------------------------------------------------------------------------

    def finish(self) -> Configuration:
        """Return the configuration."""
        router = self._router
        if router.instance is None:
            which = "" if self._vrf is None else f" of VRF {self._vrf}"
            raise MigrationError(
                f"{self._file}: has no `router bgp`{which}; is it the right file, and complete?"
            )
        passes = {key: entries.passes for key, entries in self._lists.found.items()}
        reaches = {key: entries.reach() for key, entries in self._lists.found.items()}
        reach = {key: found for key, found in reaches.items() if found is not None}
        maps = {
            name: route_maps.finish(name, drafts.values(), passes, reach)
            for name, drafts in self._maps.items()
        }
        if self._now is not None:
            self._routes.are_now(self._now)
            self._interfaces.are_of(self._now.addresses)
        self._routes.are_connected(self._interfaces.networks())
        others = expand(
            router.redistributions.found.values(),
            self._routes,
            Policy(maps, self._maps, self._lists.found, self._taken.dialect),
            router.networks.found,
        )
        networks = {**others.networks, **router.networks.found}
        self._obstacles += (*others.obstacles, *router.aggregates.obstacles(networks))
        found, wrong = router.neighbors.finish(
            OfRouter(router.asn, router.hold, self._taken.dialect, router.graceful_restart),
            self._interfaces,
        )
        for draft, reason in wrong.values():
            self._obstacles.append(Obstacle(draft.statement, f"the neighbour {reason}"))
        return Configuration(
            self._file,
            self._taken,
            router.asn,
            router.instance,
            router.router_id,
            {**router.aggregates.found, **networks},
            found,
            maps,
            passes,
            router.requires_policy,
            router.local_pref,
            tuple(self._obstacles),
            tuple(self._corrected(verdict, wrong, others) for verdict in self._verdicts),
            self._unread,
        )

    def _corrected(
        self,
        verdict: LineVerdict,
        wrong: Mapping[str, tuple[NeighborDraft, str]],
        others: Redistributed,
    ) -> LineVerdict:
        """Return what becomes of a line by what stands after it."""
        again = self._router.replaced.get(verdict.statement)
        if again is not None:
            reason = f"{again.where} says it again, and counts"
            return LineVerdict(verdict.statement, Treatment.HARMLESS, reason)
        if (remark := others.remarks.get(verdict.statement)) is not None:
            return LineVerdict(verdict.statement, Treatment.REFUSED, remark)
        match verdict.statement.words:
            case ("neighbor", name, *_) if canonical(name) in wrong:
                draft, reason = wrong[canonical(name)]
                if draft.statement is verdict.statement:
                    reason = f"the neighbour {reason}"
                    return LineVerdict(verdict.statement, Treatment.REFUSED, reason)
        return verdict


_OF_ROUTER = (CommandMode.BGP, CommandMode.IPV4, CommandMode.IPV6, CommandMode.OTHER_FAMILY)
_DIGITS = re.compile("[0-9]{1,5}")
_TAKES_BACK = "takes back what other lines say; remove it, and those"


def _version(text: str) -> tuple[int, ...]:
    """Return `8.4.4` or `8.4.4-1.1~deb12u1` as numbers; what is none is taken for a new one."""
    match = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", text)
    return tuple(map(int, match.groups())) if match else _HALVES_SINCE
