"""`router bgp`: its AS, identifier, networks, neighbours, and the options that change what is sent."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from policy.route import Asn
from speaker.migration.bgpd_conf.aggregates import AggregateLines
from speaker.migration.bgpd_conf.graceful_restart import GracefulRestart
from speaker.migration.bgpd_conf.model import TRANSLATED, Dialect
from speaker.migration.bgpd_conf.neighbors import NeighborsReader
from speaker.migration.bgpd_conf.networks import Networks
from speaker.migration.bgpd_conf.placing import family_mode
from speaker.migration.bgpd_conf.redistribute import Redistributions
from speaker.migration.bgpd_conf.statement import (
    UNKNOWN,
    CommandMode,
    FatalError,
    MigrationError,
    PassedOverError,
)
from speaker.migration.bgpd_conf.tokens import hold_time, identifier, number, parse_as

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from speaker.migration.bgpd_conf.answers import Answers
    from speaker.migration.bgpd_conf.statement import Statement


class Router:
    """A `router bgp` while it is read, line by line; `instance` is its first line."""

    def __init__(self, dialect: Dialect, answers: Answers | None = None) -> None:
        self.instance: Statement | None = None
        self._dialect = dialect
        self._vrf = None if answers is None else answers.vrf
        self.is_another = False
        """Whether what is read now is of another VRF than the one that is meant."""
        self.asn = Asn(1)
        self.router_id: str | None = None
        self.networks = Networks()
        self.aggregates = AggregateLines()
        self.redistributions = Redistributions()
        self.neighbors = NeighborsReader(dialect, answers)
        self.graceful_restart = GracefulRestart()
        self._usual_hold = 180
        self.hold = self._usual_hold
        self.local_pref = 100
        self.requires_policy = dialect is Dialect.FRR

    def defaults_of_datacenter(self) -> None:
        """Take over what `frr defaults datacenter` says."""
        self.requires_policy = False
        self.hold = self._usual_hold = 9

    @property
    def replaced(self) -> dict[Statement, Statement]:
        """Return the lines that another one says again."""
        return self.networks.replaced | self.aggregates.replaced

    def begin(self, statement: Statement, rest: Sequence[str]) -> str:
        """Take `router bgp`, of which `rest` is what follows.

        Raises:
            FatalError: it is not one that can be migrated, or another one than before.
        """
        match rest:
            case [_, "vrf", name, *_] if self._vrf is not None and name != self._vrf:
                return self._pass_over()
            case [_] | [_, "as-notation", _] if self._vrf not in (None, "default"):
                return self._pass_over()
            case [text] | [text, "as-notation", _] | [text, "vrf", _] if (
                "vrf" not in rest or self._vrf is not None
            ):
                try:
                    asn = parse_as(text)
                except MigrationError as error:
                    raise FatalError(str(error)) from error
            case [_, "vrf" | "view" as kind, name, *_]:
                use = f", or use --vrf {name} for it alone, or --vrf default for what has none"
                raise FatalError(
                    f"BGP of {kind} {name} is not migrated; remove it from a copy of the file, or keep "
                    f"bgpd for it{use if kind == 'vrf' else ''}"
                )
            case []:
                raise FatalError("no AS number; name one")
            case [_, comment, *_] if comment[0] in "!#":
                raise FatalError(
                    "bgpd refuses a comment behind a line; put it on a line of its own"
                )
            case _:
                raise FatalError(f"{' '.join(rest[1:])!r} is unknown; remove it")
        if self.instance is not None and asn != self.asn:
            raise FatalError(
                f"{self.instance} is there too, in line {self.instance.line}; keep one"
            )
        self.is_another = False
        self.instance = self.instance or statement
        self.asn = self.neighbors.asn = asn
        return TRANSLATED

    def _pass_over(self) -> str:
        self.is_another = True
        return OF_ANOTHER_VRF

    def add(self, statement: Statement, version: int) -> str:  # noqa: C901, PLR0912 - a table of statements
        """Take a line of `router bgp`; return why it has no effect, or nothing.

        Args:
            statement: the line.
            version: 4 or 6: the family of the mode in which it stands.

        Raises:
            MigrationError: it can't be translated.
        """
        plain = statement.plain
        match statement.said:
            case ("network", *rest):
                return self.networks.add(statement, rest, version)
            case ("ipv6", "bgp", "network", *rest):
                return self.networks.add(statement, rest, 6)
            case ("aggregate-address", *rest):
                return self.aggregates.add(statement, rest, version)
            case ("redistribute", *rest):
                return self.redistributions.add(statement, rest, version)
            case ("neighbor", _, *_):
                return self.neighbors.add(statement, version)
            case ("address-family", *family):
                match family_mode(family):
                    case None:
                        raise MigrationError(UNKNOWN)
                    case CommandMode.OTHER_FAMILY:
                        raise self._passed_over(family)
                return TRANSLATED
            case ("timers", "bgp", _, hold, *_) if plain:
                self.hold = hold_time(hold)
                return TRANSLATED
            case ("timers", "bgp", *_):
                self.hold = self._usual_hold
                return "is the default"
            case ("bgp", *rest) if rest:
                return self._option(tuple(rest), plain=plain)
            case (word, *_) if word in _ROUTER_HARMLESS:
                return _ROUTER_HARMLESS[word]
            case (word, *_) if word in _ROUTER_REFUSED:
                if not plain:
                    return "is off anyway"
                raise PassedOverError(_ROUTER_REFUSED[word])
        raise MigrationError(UNKNOWN)

    def _passed_over(self, family: Sequence[str]) -> MigrationError:
        """Return what to say of another address family, which bgpd may refuse: what is in it counts then."""
        if tuple(family) not in _FAMILIES_OF[self._dialect]:
            return MigrationError(
                f"{self._dialect.brand} refuses it, and reads what stands in it as IPv4 unicast's: remove it, "
                "and of its lines those that are not meant so"
            )
        return PassedOverError(_OTHER_FAMILY)

    def _option(  # noqa: C901, PLR0912 - a table of options
        self, rest: tuple[str, ...], *, plain: bool
    ) -> str:
        match rest:
            case ("router-id", address) if plain:
                self.router_id = identifier(address)
                return TRANSLATED
            case ("default", family) if family in _DEFAULTS:
                self.neighbors.default[_DEFAULTS[family]] = plain
                return TRANSLATED
            case ("default", word, *_) if word in _DEFAULTS_HARMLESS:
                return "says nothing of what is sent"
            case ("default", "shutdown") if plain:
                raise MigrationError(_OPTION_OBSTACLES["shutdown"])
            case ("default", "local-preference", value) if plain:
                self.local_pref = number(value, 2**32 - 1)
                return TRANSLATED
            case ("ebgp-requires-policy",):
                self.requires_policy = plain
                return TRANSLATED
            case ("network", "import-check", *_):
                return _IMPORT_CHECK if plain else TRANSLATED
            case (("graceful-restart" | "graceful-restart-disable"), *_):
                return self.graceful_restart.add(rest, plain=plain)
            case ("listen", "limit", *_):
                return "is for neighbours by range, of which there are none"
            case (word, *_) if word in _OPTION_OBSTACLES:
                if not plain:
                    return "is off anyway"
                raise MigrationError(_OPTION_OBSTACLES[word])
            case (word, *_) if word in _OPTION_REFUSED:
                if not plain:
                    return "is off anyway"
                raise PassedOverError(_OPTION_REFUSED[word])
            case (word, *_) if word in _OPTION_HARMLESS:
                return "says nothing of what is sent"
        raise MigrationError(UNKNOWN)


def why_passed_over(block: Sequence[str]) -> str:
    """Return why what stands in a block of `router bgp` is passed over, and what to do.

    Args:
        block: the line that opened it: an address family, or what else bgpd has there.
    """
    return _ROUTER_REFUSED.get(block[0], _OTHER_FAMILY)


OF_ANOTHER_VRF = "is of another VRF"
_OTHER_FAMILY = "only IPv4 and IPv6 unicast are taken over; remove it, or keep bgpd for it"
GRACEFUL_SHUTDOWN = (
    "a maintenance is under way: bgpd adds the community 65535:0 (RFC 8326) to every UPDATE while it "
    "stands; end it, and import then"
)
_FAMILIES_OF: Mapping[Dialect, set[tuple[str, ...]]] = {
    Dialect.FRR: {
        *product(("ipv4", "ipv6"), ("multicast", "vpn", "labeled-unicast", "flowspec")),
        ("l2vpn", "evpn"),
    },
    Dialect.QUAGGA: {
        *product(("ipv4", "ipv6"), ("multicast", "vpn", "encap")),
        *((word,) for word in ("vpnv4", "vpnv6", "encap", "encapv4", "encapv6")),
        *product(("vpnv4", "vpnv6"), ("unicast",)),
    },
}
"""Those that each daemon takes, besides IPv4 and IPv6 unicast."""
_DEFAULTS = {"ipv4-unicast": 4, "ipv6-unicast": 6}
_DEFAULTS_HARMLESS = frozenset((
    *("show-hostname", "show-nexthop-hostname", "subgroup-pkt-queue-max"),
    *("dynamic-capability", "software-version-capability"),
    *("-".join(family) for family in _FAMILIES_OF[Dialect.FRR]),
))  # fmt: skip
"""What is shown, how bgpd works, what it tells of itself, and other address families."""
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
    "segment-routing": "is not taken over; keep bgpd for it",
    "bmp": "reports to a station are not taken over; ExaBGP has none",
    "vnc": "is not taken over; keep bgpd for it",
    "timers": UNKNOWN,
    "import": "leaking of routes is not taken over; keep bgpd for it",
    "export": "leaking of routes is not taken over; keep bgpd for it",
    "rd": "VPNs are not taken over; keep bgpd for it",
    "rt": "VPNs are not taken over; keep bgpd for it",
    "label": "labels are not taken over; keep bgpd for it",
    "sid": "is not taken over; keep bgpd for it",
}
_IMPORT_CHECK = "which networks the machine has is not in the file; vip_watchdog --shadow tells"
_OPTION_OBSTACLES = {
    "listen": "neighbours by range are not translated; write one for each router",
    "confederation": "confederations are not translated; they change AS_PATH",
    "graceful-shutdown": GRACEFUL_SHUTDOWN,
    "shutdown": "everything is shut down: nothing is announced; remove the line, or the file",
}
_OPTION_REFUSED = {
    "long-lived-graceful-restart": "ExaBGP has none (RFC 9494), see docs/restart.md; remove the line",
}
_OPTION_HARMLESS = frozenset(
    "log-neighbor-changes bestpath always-compare-med deterministic-med dampening cluster-id "
    "client-to-client fast-external-failover enforce-first-as scan-time reject-as-sets "
    "suppress-duplicates suppress-fib-pending route-map-delay-timer update-delay "
    "labeled-unicast minimum-holdtime network route-reflector "
    "disable-ebgp-connected-route-check hard-administrative-reset fast-convergence "
    "graceful-notification lu-ipv4 default-originate snmp tcp-keepalive allow-martian-nexthop conditional-advertisement "
    "per-src-nhg retain".split()
)
