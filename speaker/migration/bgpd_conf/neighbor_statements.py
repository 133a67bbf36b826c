"""What a line says of a neighbour or of a peer-group by itself: a setting, nothing of concern, or an obstacle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf import graceful_restart, neighbor_as
from speaker.migration.bgpd_conf.model import TRANSLATED, Filter, Obstacle
from speaker.migration.bgpd_conf.statement import UNKNOWN, MigrationError, PassedOverError
from speaker.migration.bgpd_conf.tokens import hold_time, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.migration.bgpd_conf.neighbor_draft import NeighborDraft
    from speaker.migration.bgpd_conf.statement import Statement

_HARMLESS = {
    "advertisement-interval": "ExaBGP sends at once",
    "soft-reconfiguration": "is for routes received",
    "maximum-prefix": "is for routes received",
    "allowas-in": "is for routes received",
    "weight": "is for routes received",
    "version": "both speak BGP-4",
    "disable-connected-check": "ExaBGP does not check that",
    "enforce-multihop": "ExaBGP does not check that",
    "enforce-first-as": "is for routes received",
    "strict-capability-match": "is for what the neighbour can do",
    "route-reflector-client": "is for routes received, and these are not reflected",
    "next-hop-self": "VIPs have this next hop anyway",
    "as-override": "is for paths with the neighbour's AS, which VIPs have not",
    "addpath-tx-all-paths": "there is one path for each VIP",
    "addpath-tx-bestpath-per-AS": "there is one path for each VIP",
    "nexthop-local": "is for link-local next hops",
    "solo": "is for update groups",
    "tcp-mss": "ExaBGP leaves it to the kernel",
    "extended-optional-parameters": "ExaBGP's OPEN is short",
    "long-lived-graceful-restart": "is for routes received",
    "interface": "ExaBGP is told the session's address instead",
    "rpki": "is for routes received",
}
_REFUSED = {
    "bfd": "ExaBGP has no BFD; a failure is noticed by the hold time: lower `timers` at both sides",
    "default-originate": "a default route is not taken over; announce it elsewhere",
    "override-capability": "ExaBGP negotiates capabilities; ask whether the router can now",
    "passive": "put `passive true;` into exabgp-DC.conf, and let ExaBGP listen (exabgp.tcp.bind)",
}
_OBSTACLES = {
    "dont-capability-negotiate": "it keeps IPv6 from the session; ask whether the router can now",
    "graceful-shutdown": "a maintenance is under way: it is sent the community 65535:0; end it",
    "attribute-unchanged": "it changes what eBGP does to the path",
    "route-server-client": "it sends paths without the own AS",
    "transparent-as": "it sends paths without the own AS",
    "transparent-nexthop": "it changes NEXT_HOP",
    "advertise-map": "announcing on a condition is not translated",
    "unsuppress-map": "it announces what summary-only keeps back; vip.toml keeps it from all neighbours",
    "maximum-prefix-out": "it limits what is sent",
    "capability": "it changes what the session carries",
    "local-role": "it adds ONLY_TO_CUSTOMER to what is sent (RFC 9234), which ExaBGP does not",
}
_SETTINGS = frozenset(
    "description password timers ebgp-multihop ttl-security update-source shutdown port local-as".split()
)
_NOT_BESIDE = {"prefix-list": "distribute-list", "distribute-list": "prefix-list"}
OUT = ("distribute-list", "prefix-list", "filter-list", "route-map", "send-community")
OF_THE_GROUP = (
    "Quagga's members of a peer-group are sent what the group is, whatever is set for them; set it "
    "for the group, or take the neighbour out of it"
)
_HARMLESS_CAPABILITIES = frozenset(("dynamic", "software-version", "fqdn", "enhanced-he"))


def refuse_policy(rest: Sequence[str], *, plain: bool) -> None:
    """Refuse policy out that is said of a member of a group, and not of the group."""
    match rest:
        case ("send-community", *_):
            raise MigrationError(OF_THE_GROUP)
        case (word, _, "out") if plain and word in OUT:
            raise MigrationError(OF_THE_GROUP)


def set_line(  # noqa: C901, PLR0912 - a table of what can be said
    draft: NeighborDraft, statement: Statement, rest: Sequence[str], version: int
) -> str:
    """Take what a line says of a neighbour; return why it has no effect, or nothing."""
    plain = statement.plain
    word, *words = rest
    settings = draft.settings
    key = (word, version)
    match word, words:
        case "capability", [what, *_] if what in _HARMLESS_CAPABILITIES:
            return "says nothing of routes"
        case _ if word in _HARMLESS:
            return _HARMLESS[word]
        case _ if refused := _refused(word, words):
            if plain:
                raise PassedOverError(refused)
            return "is off anyway"
        case _ if word in _OBSTACLES:
            settings[("obstacle", word)] = Obstacle(statement, _OBSTACLES[word]) if plain else None
        case (("route-map" | "prefix-list" | "filter-list" | "distribute-list"), [name, direction]):
            if direction == "in":
                return "is for routes received"
            if direction in ("import", "export"):
                raise MigrationError("is for route servers; not translated")
            if direction != "out":
                raise MigrationError(UNKNOWN)
            other = _NOT_BESIDE.get(word)
            if plain and draft.value((other, version), version=version) is not None:
                raise MigrationError(f"bgpd refuses it beside a {other}; keep one of them")
            if plain:
                settings[key] = Filter(word, name, statement)
            else:
                settings.pop(key, None)
        case "remove-private-AS", _:
            neighbor_as.remove_private(draft, words, statement, version)
        case "local-as", _ if plain:
            settings[word] = neighbor_as.local_as(words, statement)
        case "send-community", _:
            for kind in _kinds(words):
                settings["send-community", kind, version] = plain
        case _, [] if word in graceful_restart.LINES:
            graceful_restart.keep(settings, word, plain=plain)
        case "timers", ["connect" | "delayopen", *_]:
            return "is how soon it is tried again; ExaBGP has a time of its own"
        case _ if plain:
            settings[word] = _value(word, words)
        case _ if word in _SETTINGS:
            _take_back(settings, word, words, statement)
        case _:
            raise MigrationError(UNKNOWN)
    return TRANSLATED


def _take_back(
    settings: dict[object, object], word: str, words: Sequence[str], statement: Statement
) -> None:
    """Take back a setting. With a value that is none bgpd refuses the line, and keeps what is set."""
    if word == "local-as" and words:
        neighbor_as.local_as(words, statement)
    elif words or word == "ttl-security":
        _value(word, words)
    settings.pop(word, None)


def _refused(word: str, words: Sequence[str]) -> str:
    """Return what to do about a line that changes no UPDATE, and that ExaBGP does not do; or nothing."""
    if word == "local-role" and words[:1] in (["customer"], ["rs-client"]):
        return "ExaBGP tells no role (RFC 9234), and it changes no UPDATE; ask whether the router insists"
    return _REFUSED.get(word, "")


def _kinds(words: Sequence[str]) -> tuple[str, ...]:
    match words:
        case []:
            return ("standard",)
        case ["both"]:
            return ("standard", "extended")
        case ["all"]:
            return ("standard", "extended", "large")
        case [("standard" | "extended" | "large") as kind]:
            return (kind,)
    raise MigrationError(f"{' '.join(words)!r} is not standard, extended, large, both or all")


def _value(word: str, words: Sequence[str]) -> object:
    """Return the value of a setting that is outside of address families."""
    match word, words:
        case (("description" | "password"), [_, *_]):
            return " ".join(words)
        case "timers", [keepalive, hold]:
            number(keepalive, 65535)
            return hold_time(hold)
        case "ebgp-multihop", []:
            return 255
        case "ebgp-multihop", [hops]:
            return number(hops, 255, 1)
        case "ttl-security", ["hops", hops]:
            return number(hops, 254, 1)
        case "update-source", [source] if "/" not in source:
            return source
        case "shutdown", [] | ["message", _, *_]:
            return True
        case "shutdown", ["rtt", *_]:
            raise MigrationError("ExaBGP does not measure how slow a session is; remove it")
        case "port", [port]:
            return number(port, 65535, 1)
    raise MigrationError(UNKNOWN)
