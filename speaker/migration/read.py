"""bgpd.conf or frr.conf -> Configuration, with a verdict for every line. No I/O.

Every statement is translated, harmless, or refused with what to do. Refused is not yet fatal:
what is refused and changes what is sent is an obstacle, which the evaluation meets.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from policy.route import Asn
from speaker.migration import lists, neighbors, routemap
from speaker.migration.interfaces import Interfaces
from speaker.migration.lists import number
from speaker.migration.statement import (
    FAMILIES,
    MigrationError,
    Mode,
    ObstacleError,
    Statement,
    is_of_a_block,
    statements,
)
from speaker.migration.top import TOP_HARMLESS, TOP_REFUSED
from speaker.migration.values import (
    Configuration,
    Dialect,
    Network,
    Obstacle,
    Treatment,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.route import Prefix

TRANSLATED = ""


def read(file: str, content: bytes) -> Configuration:
    """Read one bgpd's configuration.

    Args:
        file: its name, for what is said of it.
        content: as it is on the disk.

    Raises:
        MigrationError: there is no BGP in it that can be migrated: no `router bgp`, two of them,
            or one of a VRF or view.
    """
    found = statements(file, content)
    reader = _Reader(file, _dialect(found))
    last_line = content.count(b"\n") + 1  # of which the line end is missing, or which is empty
    for index, statement in enumerate(found):
        if statement.line == last_line and not _is_whole(statement):
            reader.take(statement, _CUT)
        elif _ends_all(statement) and any(after.words not in _LEAVES for after in found[index:]):
            reader.take(statement, _UNREAD)
        else:
            reader.take(statement)
    return reader.finish()


_LEAVES = (("end",), ("exit",), ("quit",))
_WHOLE = (*_LEAVES, ("exit-address-family",), ("line", "vty"))
"""What ends a file, and is not a part of something else."""


def _is_whole(statement: Statement) -> bool:
    """Return whether a line that may be cut short says the same as it stands."""
    return statement.words in _WHOLE or statement.mode in _UNCONCERNED


def _ends_all(statement: Statement) -> bool:
    """Return whether bgpd leaves its configuration there."""
    return statement.words == ("end",) or (
        statement.mode is Mode.TOP and statement.words in _LEAVES
    )


def _dialect(found: tuple[Statement, ...]) -> Dialect:
    """Return whose file it is: FRR's has one of FRR's statements, which FRR writes itself."""
    for statement in found:
        words = statement.words[statement.words[0] == "no" :]
        if words[:1] == ("frr",) or words[:2] in _FRR_ONLY or words[:3] == _IMPORT_CHECK_ON:
            return Dialect.FRR
    return Dialect.QUAGGA


_FRR_ONLY = (("bgp", "ebgp-requires-policy"), ("bgp", "suppress-duplicates"))
_IMPORT_CHECK_ON = ("bgp", "network", "import-check")
_POLICY_SINCE = (7, 4)
"""Since then FRR's default is `bgp ebgp-requires-policy`."""


class _Reader:
    def __init__(self, file: str, dialect: Dialect) -> None:
        self._file, self._dialect = file, dialect
        self._verdicts: list[Verdict] = []
        self._instance: Statement | None = None
        self._asn = Asn(1)
        self._router_id: str | None = None
        self._networks: dict[Prefix, Network] = {}
        self._neighbors = neighbors.Neighbors(dialect)
        self._interfaces = Interfaces()
        self._lists = lists.Lists(dialect)
        self._maps: dict[str, dict[int, routemap.Draft]] = {}
        self._obstacles: list[Obstacle] = []
        self._unread: dict[Statement, str] = {}
        """Lines of lists that could not be understood, which count where the list is used."""
        self._hold = 180
        self._local_pref = 100
        self._requires_policy = dialect is Dialect.FRR

    # --- verdicts ----------------------------------------------------------------------------

    def take(self, statement: Statement, fault: str = "") -> None:
        """Take one statement, and note what became of it; with a fault, that it is refused."""
        try:
            if fault:
                raise ObstacleError(fault)  # noqa: TRY301 - like any other line that is refused
            reason = self._take(statement)
        except _FatalError:
            raise
        except ObstacleError as error:
            self._obstacles.append(Obstacle(statement, str(error)))
            self._verdict(statement, Treatment.REFUSED, str(error))
            return
        except MigrationError as error:
            self._verdict(statement, Treatment.REFUSED, str(error))
            return
        self._verdict(statement, Treatment.HARMLESS if reason else Treatment.TRANSLATED, reason)

    def _verdict(self, statement: Statement, treatment: Treatment, reason: str) -> None:
        self._verdicts.append(Verdict(statement, treatment, reason))

    def _take(self, statement: Statement) -> str:
        words = statement.words
        if words in (("exit",), ("end",), ("quit",), ("exit-address-family",)):
            return "ends a block"
        match statement.mode:
            case Mode.TOP:
                return self._top(statement)
            case Mode.BGP | Mode.IPV4 | Mode.IPV6:
                return self._bgp(statement, FAMILIES[statement.mode])
            case Mode.ROUTE_MAP:
                return self._in_map(statement)
            case Mode.OTHER_FAMILY:
                raise MigrationError(
                    "only IPv4 and IPv6 unicast are taken over; remove it, or keep bgpd for it"
                )
            case Mode.INTERFACE:
                self._interfaces.add(statement)
                return "is for zebra"
            case Mode.LINE:
                return "is for bgpd's own terminal"
            case Mode.OTHER:
                return "is for another daemon"

    # --- the top level -----------------------------------------------------------------------

    def _top(self, statement: Statement) -> str:  # noqa: C901, PLR0912 - a table of statements
        words = statement.words
        match words:
            case ("router", "bgp", *rest):
                return self._router(statement, rest)
            case ("route-map", name, "permit" | "deny" as action, sequence):
                try:
                    index = number(sequence, 65535, 1)
                except MigrationError as error:  # bgpd takes what follows for the clause before
                    raise ObstacleError(str(error)) from error
                clauses = self._maps.setdefault(name, {})
                draft = clauses.setdefault(
                    index, routemap.Draft(index, action == "permit", statement)
                )
                if draft.permit != (action == "permit"):
                    raise _FatalError(
                        f"{statement.where}: {statement}: {draft.statement} is there too, in line "
                        f"{draft.statement.line}, and what becomes of its lines depends on the "
                        "version of bgpd; keep one"
                    )
                draft.statements.append(statement)
                return TRANSLATED
            case ("frr", "version", version, *_):
                if _version(version) < _POLICY_SINCE:
                    self._requires_policy = False
                return "tells FRR's defaults"
            case ("frr", "defaults", profile):
                if profile == "datacenter":
                    self._requires_policy = False
                    self._hold = 9
                return "tells FRR's defaults"
            case ("router-id", address) | ("ip", "router-id", address):
                self._router_id = self._router_id or _identifier(address)
                return TRANSLATED
        try:
            if self._lists.add(statement):
                return TRANSLATED
        except MigrationError as error:
            self._unread[statement] = str(error)
            raise
        plain = words[1:] if words[0] == "no" and len(words) > 1 else words
        if words[0] == "no" and (plain[0] in ("router", "route-map") or lists.kind_of(plain)):
            raise _FatalError(f"{statement.where}: {statement}: {_TAKES_BACK}")
        for start, reason in TOP_HARMLESS.items():
            if plain[: len(start)] == start:
                return reason
        for start, remedy in TOP_REFUSED.items():
            if plain[: len(start)] == start:
                raise ObstacleError(remedy)
        if is_of_a_block(plain):
            raise ObstacleError("stands in no block; put it where it belongs, or remove it")
        raise MigrationError("is unknown here; correct it, or remove it")

    def _router(self, statement: Statement, rest: list[str]) -> str:
        match rest:
            case [text] | [text, "as-notation", _]:
                try:
                    asn = neighbors.parse_as(text)
                except MigrationError as error:
                    raise _FatalError(f"{statement.where}: {statement}: {error}") from error
            case [_, "vrf" | "view" as kind, name, *_]:
                raise _FatalError(
                    f"{statement.where}: {statement}: BGP of {kind} {name} is not migrated; "
                    "remove it from a copy of the file, or keep bgpd for it"
                )
            case []:
                raise _FatalError(f"{statement.where}: {statement}: no AS number; name one")
            case _:
                raise _FatalError(
                    f"{statement.where}: {statement}: {' '.join(rest[1:])!r} is unknown; remove it"
                )
        if self._instance is not None and asn != self._asn:
            raise _FatalError(
                f"{statement.where}: {statement}: {self._instance} is there too, in line "
                f"{self._instance.line}; keep one"
            )
        self._instance = self._instance or statement
        self._asn = asn
        return TRANSLATED

    def _in_map(self, statement: Statement) -> str:
        name, _, sequence = statement.block
        if statement.words[0] == "no":
            raise _FatalError(f"{statement.where}: {statement}: {_TAKES_BACK}")
        draft = self._maps.get(name, {}).get(int(sequence) if _DIGITS.fullmatch(sequence) else 0)
        if draft is None:
            raise MigrationError("its route-map was refused; correct that first")
        try:
            return draft.add(statement)
        except MigrationError as error:
            draft.refuse(statement, str(error))
            return TRANSLATED

    # --- router bgp --------------------------------------------------------------------------

    def _bgp(self, statement: Statement, version: int) -> str:  # noqa: C901 - a table likewise
        words = statement.words
        plain = words[0] != "no"
        match words[0 if plain else 1 :]:
            case ("network", *rest):
                return self._network(statement, rest, version, plain=plain)
            case ("ipv6", "bgp", "network", *rest):
                return self._network(statement, rest, 6, plain=plain)
            case ("neighbor", _, *_):
                return self._neighbors.add(statement, version)
            case ("address-family", *family):
                if statement.mode is Mode.BGP and tuple(family) in _UNICAST:
                    return TRANSLATED
                raise MigrationError("only IPv4 and IPv6 unicast are taken over")
            case ("timers", "bgp", _, hold, *_) if plain:
                self._hold = neighbors.hold_time(hold)
                return TRANSLATED
            case ("timers", "bgp", *_):
                return "is the default"
            case ("bgp", *rest) if rest:
                return self._option(tuple(rest), plain=plain)
            case (word, *_) if word in _ROUTER_HARMLESS:
                return _ROUTER_HARMLESS[word]
            case (word, *rest) if word in _ROUTER_REFUSED:
                if not plain:
                    return "is off anyway"
                if word == "aggregate-address" and {"summary-only", "suppress-map"} & set(rest):
                    raise ObstacleError(_AGGREGATE)
                raise MigrationError(_ROUTER_REFUSED[word])
        raise ObstacleError("is unknown here; correct it, or remove it")

    def _option(  # noqa: C901 - a table likewise
        self, rest: tuple[str, ...], *, plain: bool
    ) -> str:
        match rest:
            case ("router-id", address) if plain:
                self._router_id = _identifier(address)
                return TRANSLATED
            case ("default", family) if family in _DEFAULTS:
                self._neighbors.default[_DEFAULTS[family]] = plain
                return TRANSLATED
            case ("default", "show-hostname" | "show-nexthop-hostname", *_):
                return "says nothing of what is sent"
            case ("default", "shutdown") if plain:
                raise ObstacleError(_OPTION_OBSTACLES["shutdown"])
            case ("default", "local-preference", value) if plain:
                self._local_pref = number(value, 2**32 - 1)
                return TRANSLATED
            case ("ebgp-requires-policy",):
                self._requires_policy = plain
                return TRANSLATED
            case ("network", "import-check", *_):
                return _IMPORT_CHECK if plain else TRANSLATED
            case (word, *_) if word in _OPTION_OBSTACLES:
                if not plain:
                    return "is off anyway"
                raise ObstacleError(_OPTION_OBSTACLES[word])
            case (word, *_) if word in _OPTION_REFUSED:
                if not plain:
                    return "is off anyway"
                raise MigrationError(_OPTION_REFUSED[word])
            case (word, *_) if word in _OPTION_HARMLESS:
                return "says nothing of what is sent"
        raise ObstacleError("is unknown here; correct it, or remove it")

    def _network(self, statement: Statement, rest: list[str], version: int, *, plain: bool) -> str:
        if not rest:
            raise MigrationError("names no prefix; complete it, or remove it")
        text, *options = rest
        prefix = None
        match options:
            case ["mask", mask, *others] if "/" not in text and version == 4:
                prefix, options = _masked(text, mask), others
        prefix = prefix or (lists.network(text) if "/" in text else _classful(text))
        if prefix.version != version:
            raise MigrationError(
                f"is of IPv{prefix.version}, and stands where IPv{version} is meant; bgpd refuses "
                f"it as well: move it into address-family ipv{prefix.version}"
            )
        if not plain:
            self._networks.pop(prefix, None)
            return TRANSLATED
        route_map: str | None = None
        match options:
            case []:
                pass
            case ["route-map", route_map]:
                pass
            case ["backdoor"]:
                self._networks.pop(prefix, None)
                return "backdoor: bgpd does not announce it"
            case _:
                raise ObstacleError(f"{' '.join(options)!r} is not translated; remove it")
        before = self._networks.pop(prefix, None)
        self._networks[prefix] = Network(prefix, route_map, statement)
        if before is not None:
            old = before.statement
            self._verdicts = [
                Verdict(old, Treatment.HARMLESS, f"{statement.where} says it again, and counts")
                if verdict.statement is old
                else verdict
                for verdict in self._verdicts
            ]
        return TRANSLATED

    # --- the end -----------------------------------------------------------------------------

    def finish(self) -> Configuration:
        """Return the configuration."""
        if self._instance is None:
            raise MigrationError(
                f"{self._file}: has no `router bgp`; is it the right file, and whole?"
            )
        passes = {key: entries.passes for key, entries in self._lists.found.items()}
        maps = {
            name: routemap.finish(name, drafts.values(), passes)
            for name, drafts in self._maps.items()
        }
        found, wrong = self._neighbors.finish(self._asn, self._hold, self._interfaces)
        if wrong:
            for draft, reason in wrong.values():
                self._obstacles.append(Obstacle(draft.statement, f"the neighbour {reason}"))
            self._verdicts = [self._corrected(verdict, wrong) for verdict in self._verdicts]
        return Configuration(
            self._file,
            self._dialect,
            self._asn,
            self._instance,
            self._router_id,
            self._networks,
            found,
            maps,
            passes,
            self._requires_policy,
            self._local_pref,
            tuple(self._obstacles),
            tuple(self._verdicts),
            self._unread,
        )

    @staticmethod
    def _corrected(verdict: Verdict, wrong: Mapping[str, tuple[neighbors.Draft, str]]) -> Verdict:
        match verdict.statement.words:
            case ("neighbor", name, *_) if neighbors.canonical(name) in wrong:
                reason = f"the neighbour {wrong[neighbors.canonical(name)][1]}"
                return Verdict(verdict.statement, Treatment.REFUSED, reason)
        return verdict


class _FatalError(MigrationError):
    """Nothing of the file can be migrated."""


_DIGITS = re.compile("[0-9]+")
_UNCONCERNED = (Mode.LINE, Mode.INTERFACE, Mode.OTHER)
_CUT = "the file ends without a line end: it may be cut short; add a line end if it is whole"
_UNREAD = "bgpd reads nothing that stands after it; remove it, or what stands after it"
_TAKES_BACK = "takes back what other lines say; remove it, and those"
_UNICAST = (("ipv4",), ("ipv4", "unicast"), ("ipv6",), ("ipv6", "unicast"))
_DEFAULTS = {"ipv4-unicast": 4, "ipv6-unicast": 6}
_ROUTER_HARMLESS = {
    "auto-summary": "bgpd has none",
    "synchronization": "bgpd has none",
    "distance": "is for routes received",
    "maximum-paths": "is for routes received",
    "table-map": "is for routes received",
    "coalesce-time": "is how soon bgpd sends",
    "read-quanta": "is how bgpd works",
    "write-quanta": "is how bgpd works",
    "update-delay": "is how soon bgpd sends",
    "use-underlays-nexthop-weight": "is for routes received",
}
_ROUTER_REFUSED = {
    "redistribute": "routes of other sources are not announced by vip-speaker; keep bgpd for them, "
    "or remove the line if nothing but VIPs is meant",
    "aggregate-address": "aggregates are not announced by vip-speaker; announce it elsewhere, or as "
    "a VIP of its own with prefix_length",
    "segment-routing": "is not taken over; keep bgpd for it",
    "vnc": "is not taken over; keep bgpd for it",
    "timers": "is unknown, or incomplete; correct it, or remove it",
    "import": "leaking of routes is not taken over; keep bgpd for it",
    "export": "leaking of routes is not taken over; keep bgpd for it",
    "rd": "VPNs are not taken over; keep bgpd for it",
    "rt": "VPNs are not taken over; keep bgpd for it",
    "label": "labels are not taken over; keep bgpd for it",
    "sid": "is not taken over; keep bgpd for it",
}
_IMPORT_CHECK = "which networks the machine has is not in the file; vip_watchdog --shadow tells"
_AGGREGATE = "it keeps back what lies in it; remove it, and the networks that it keeps back"
_OPTION_OBSTACLES = {
    "listen": "neighbours by range are not translated; write one for each router",
    "confederation": "confederations are not translated; they change AS_PATH",
    "graceful-shutdown": "a maintenance is under way: everything has the community 65535:0; end it",
    "shutdown": "everything is shut down: nothing is announced; remove the line, or the file",
}
_OPTION_REFUSED = {
    "graceful-restart": "put `capability { graceful-restart SECONDS; }` into exabgp-DC.conf, and see "
    "what it means for drains in docs/exabgp.md",
    "graceful-restart-disable": "ExaBGP has none anyway; remove the line",
}
_OPTION_HARMLESS = frozenset(
    "log-neighbor-changes bestpath always-compare-med deterministic-med dampening cluster-id "
    "client-to-client fast-external-failover enforce-first-as scan-time reject-as-sets "
    "suppress-duplicates suppress-fib-pending route-map-delay-timer update-delay "
    "labeled-unicast minimum-holdtime network route-reflector "
    "disable-ebgp-connected-route-check hard-administrative-reset fast-convergence "
    "graceful-notification lu-ipv4 default-originate snmp session-dscp".split()
)


def _version(text: str) -> tuple[int, ...]:
    """Return `8.4.4` or `8.4.4-1.1~deb12u1` as numbers."""
    match = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", text)
    return tuple(map(int, match.groups())) if match else _POLICY_SINCE


def _identifier(text: str) -> str:
    """Return a BGP identifier, which is written as an IPv4 address (RFC 4271 §4.2)."""
    try:
        return str(IPv4Address(text))
    except ValueError as error:
        raise MigrationError(
            f"{error}; bgpd refuses it as well: write one like 192.0.2.1"
        ) from error


def _classful(text: str) -> Prefix:
    """Return what bgpd makes of an IPv4 network without a mask: its class's (A, B, C)."""
    host = lists.network(text)
    if host.version == 6:
        raise MigrationError(f"{text!r} has no length; bgpd refuses it as well: write /128")
    first = int(host.network_address) >> 24
    length = 8 if first < 128 else 16 if first < 192 else 24
    return lists.network(f"{text}/{length}")


def _masked(address: str, mask: str) -> Prefix:
    try:
        bits = int(IPv4Address(mask))
    except ValueError as error:
        raise MigrationError(f"{mask!r} is no mask; correct it") from error
    length = bits.bit_count()
    if bits != (2**length - 1) << (32 - length):
        raise MigrationError(f"{mask!r} is no mask; correct it")
    return lists.network(f"{address}/{length}")
