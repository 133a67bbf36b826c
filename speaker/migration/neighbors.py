"""`neighbor` lines: what each says of a neighbour or of a peer-group, and what a neighbour inherits."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.route import Asn, parse_asn
from speaker.migration.lists import number
from speaker.migration.statement import MigrationError, ObstacleError
from speaker.migration.values import Dialect, FamilySettings, Filter, Neighbor, Obstacle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from speaker.migration.interfaces import Interfaces
    from speaker.migration.statement import Statement

BOTH = (4, 6)
TRANSLATED = ""


@dataclass(slots=True)
class Draft:
    """A neighbour or a peer-group while it is read. A key of `families` settings has its family."""

    name: str
    statement: Statement
    group: Draft | None = None
    bound: set[int] = field(default_factory=set)
    """The families in which it is a member of its group."""
    active: dict[int, bool] = field(default_factory=dict)
    settings: dict[object, object] = field(default_factory=dict)

    def value(self, key: object, default: object = None, version: int | None = None) -> object:
        """Return a setting: its own, else that of its group, else the default."""
        if key in self.settings:
            return self.settings[key]
        inherits = self.group is not None and (version is None or version in self.bound)
        if inherits and self.group is not None and key in self.group.settings:
            return self.group.settings[key]
        return default

    def known(self) -> list[object]:
        """Return the keys of all that is set."""
        inherited = () if self.group is None else self.group.settings
        return list(dict.fromkeys([*self.settings, *inherited]))


class Neighbors:
    """All neighbours and peer-groups of a `router bgp` while it is read, line by line.

    The order counts: `no bgp default ipv4-unicast` holds for the neighbours after it.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._peers: dict[str, Draft] = {}
        self._groups: dict[str, Draft] = {}
        self.default = {4: True, 6: False}
        """Whether a new neighbour is active in a family."""

    def add(self, statement: Statement, version: int) -> str:
        """Take a `neighbor` line, or the `no` of one; return why it has no effect, or nothing.

        Args:
            statement: the line.
            version: 4 or 6: the family of the mode in which it stands.

        Raises:
            MigrationError: it can't be translated.
        """
        words = statement.words
        plain = words[0] != "no"
        name, rest = (words[1], words[2:]) if plain else (words[2], words[3:])
        match rest:
            case ("peer-group",) if plain:
                self._groups.setdefault(name, self._new(name, statement))
                return TRANSLATED
            case ("remote-as", value) if plain:
                self._remote_as(name, statement, value)
                return TRANSLATED
            case ("interface", *_) if not _is_address(name):
                raise ObstacleError(_NO_ADDRESS)
        draft = self._groups.get(name) or self._peers.get(canonical(name))
        match rest:
            case ("peer-group", group) if plain:
                self._bind(name, draft, statement, group, version)
                return TRANSLATED
            case () | ("peer-group" | "remote-as", *_) if not plain:
                raise ObstacleError("takes a neighbour back; remove it, and what it takes back")
            case ():
                raise ObstacleError("says nothing of the neighbour; complete it, or remove it")
        if draft is None:
            raise MigrationError(
                "names no neighbour that the lines before it made; bgpd refuses it as well: "
                "remove it, or put its remote-as before it"
            )
        if rest == ("activate",):
            self._activate(draft, version, active=plain)
            return TRANSLATED
        if self._dialect is Dialect.QUAGGA and version in draft.bound:
            _refuse_policy(rest, plain=plain)
        return _set(draft, statement, rest, version, plain=plain)

    def _new(self, name: str, statement: Statement) -> Draft:
        return Draft(name, statement, active=dict(self.default))

    def _remote_as(self, name: str, statement: Statement, value: str) -> None:
        if value not in ("internal", "external"):
            parse_as(value)
        if name in self._groups:
            group = self._groups[name]
            group.settings["remote-as"] = value
            for member in self._members(group):  # peer_group_remote_as() in bgpd.c
                member.settings.pop("remote-as", None)
            return
        if not _is_address(name):
            raise ObstacleError(_NO_ADDRESS)
        draft = self._peers.setdefault(canonical(name), self._new(name, statement))
        if draft.group is not None and "remote-as" in draft.group.settings:
            raise MigrationError(
                f"is in the peer-group {draft.group.name}, whose remote-as counts; bgpd refuses it as "
                "well: remove it"
            )
        draft.settings["remote-as"] = value

    def _bind(
        self, name: str, draft: Draft | None, statement: Statement, group_name: str, version: int
    ) -> None:
        group = self._groups.get(group_name)
        if group is None:
            raise MigrationError(f"there is no peer-group {group_name} before it; correct it")
        if not _is_address(name):
            raise ObstacleError(_NO_ADDRESS)
        if draft is None:
            if "remote-as" not in group.settings:
                raise MigrationError("has no remote-as, nor has its group; give it one before")
            draft = self._peers.setdefault(canonical(name), self._new(name, statement))
        elif draft.group not in (None, group):
            raise MigrationError("is in another peer-group already; keep one")
        if self._dialect is Dialect.QUAGGA and any(
            isinstance(key, tuple) and key[0] in _OUT and key[-1] == version
            for key in draft.settings
        ):
            raise ObstacleError(_OF_THE_GROUP)
        if "remote-as" in group.settings:
            draft.settings.pop("remote-as", None)
        draft.group = group
        for family in BOTH if self._dialect is Dialect.FRR else (version,):
            draft.bound.add(family)
            draft.active[family] = group.active[family]

    def _activate(self, draft: Draft, version: int, *, active: bool) -> None:
        draft.active[version] = active
        if draft.name in self._groups:
            for member in self._members(draft):
                if version in member.bound:
                    member.active[version] = active

    def _members(self, group: Draft) -> Iterator[Draft]:
        return (peer for peer in self._peers.values() if peer.group is group)

    def finish(
        self, asn: Asn, timers: int, interfaces: Interfaces
    ) -> tuple[tuple[Neighbor, ...], dict[str, tuple[Draft, str]]]:
        """Return the neighbours, and what is wrong with those that can't be one, by name."""
        made: list[Neighbor] = []
        wrong: dict[str, tuple[Draft, str]] = {}
        for draft in self._peers.values():
            value = draft.value("remote-as")
            if value in (None, "external"):
                reason = "has no remote-as" if value is None else "is `external`"
                wrong[draft.name] = draft, f"{reason}; ExaBGP needs its AS: write its number"
                continue
            remote = asn if value == "internal" else parse_as(str(value))
            made.append(_finish(draft, remote, timers, interfaces))
        return tuple(made), wrong


_NO_ADDRESS = (
    "is a neighbour without an address of its own (interface, or a range); ExaBGP needs one "
    "address for each: write one for each router"
)


def _is_address(text: str) -> bool:
    try:
        return ip_address(text) is not None
    except ValueError:
        return False


def canonical(text: str) -> str:
    """Return an address as it is usually written, and anything else as it is."""
    return str(ip_address(text)) if _is_address(text) else text


def parse_as(text: str) -> Asn:
    """Parse an AS number, plain or as `1.10` (RFC 5396).

    Raises:
        MigrationError: it is none.
    """
    high, dot, low = text.partition(".")
    if dot:  # asdot, RFC 5396
        return parse_as(str(number(high, 65535) * 65536 + number(low, 65535)))
    try:
        return parse_asn(text)
    except PolicyError as error:
        raise MigrationError(f"{error}; correct it") from error


# --- lines of a neighbour ------------------------------------------------------------------------

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
    "rpki": "is for routes received",
}
_REFUSED = {
    "bfd": "ExaBGP has no BFD; a failure is noticed by the hold time: lower `timers` at both sides",
    "graceful-restart": "put `capability { graceful-restart SECONDS; }` into exabgp-DC.conf",
    "graceful-restart-helper": "put `capability { graceful-restart SECONDS; }` into exabgp-DC.conf",
    "graceful-restart-disable": "ExaBGP has none anyway; remove the line",
    "graceful-shutdown": "remove the line where no maintenance is under way",
    "default-originate": "a default route is not taken over; announce it elsewhere",
    "dont-capability-negotiate": "ExaBGP negotiates capabilities; ask whether the router can now",
    "override-capability": "ExaBGP negotiates capabilities; ask whether the router can now",
    "passive": "put `passive true;` into exabgp-DC.conf, and let ExaBGP listen (exabgp.tcp.bind)",
    "interface": "put the interface's address into exabgp-DC.conf as local-address",
    "unsuppress-map": "is for aggregates, which are not taken over",
}
_OBSTACLES = {
    "local-as": "another AS for one neighbour is not translated",
    "remove-private-AS": "it takes prepends of a private AS away",
    "attribute-unchanged": "it changes what eBGP does to the path",
    "route-server-client": "it sends paths without the own AS",
    "transparent-as": "it sends paths without the own AS",
    "transparent-nexthop": "it changes NEXT_HOP",
    "advertise-map": "announcing on a condition is not translated",
    "maximum-prefix-out": "it limits what is sent",
    "capability": "it changes what the session carries",
    "local-role": "it changes what the session carries",
}
_OUT = ("distribute-list", "prefix-list", "filter-list", "route-map", "send-community")
_OF_THE_GROUP = (
    "Quagga's members of a peer-group are sent what the group is, whatever is said of them; say it "
    "of the group, or take the neighbour out of it"
)
_FILTERS = {"distribute-list": 0, "prefix-list": 1, "filter-list": 2}
"""The lists that a neighbour's routes must pass, in the order in which bgpd asks them."""
_HARMLESS_CAPABILITIES = frozenset(("dynamic", "software-version", "fqdn", "enhanced-he"))


def _refuse_policy(rest: Sequence[str], *, plain: bool) -> None:
    """Refuse policy out that is said of a member of a group, and not of the group."""
    match rest:
        case ("send-community", *_):
            raise ObstacleError(_OF_THE_GROUP)
        case (word, _, "out") if plain and word in _OUT:
            raise ObstacleError(_OF_THE_GROUP)


def _set(  # noqa: C901, PLR0912 - a table of what can be said
    draft: Draft, statement: Statement, rest: Sequence[str], version: int, *, plain: bool
) -> str:
    """Take what a line says of a neighbour; return why it has no effect, or nothing."""
    word, *words = rest
    settings = draft.settings
    key = (word, version)
    match word, words:
        case "capability", [what, *_] if what in _HARMLESS_CAPABILITIES:
            return "says nothing of routes"
        case _ if word in _HARMLESS:
            return _HARMLESS[word]
        case _ if word in _REFUSED:
            if plain:
                raise MigrationError(_REFUSED[word])
            return "is off anyway"
        case _ if word in _OBSTACLES:
            settings[("obstacle", word)] = Obstacle(statement, _OBSTACLES[word]) if plain else None
        case (("route-map" | "prefix-list" | "filter-list" | "distribute-list"), [name, direction]):
            if direction == "in":
                return "is for routes received"
            if direction != "out":
                raise ObstacleError("is for route servers; not translated")
            if plain:
                settings[key] = Filter(word, name, statement)
            else:
                settings.pop(key, None)
        case "send-community", _:
            for kind in _kinds(words):
                settings["send-community", kind, version] = plain
        case "timers", ["connect" | "delayopen", *_]:
            return "is how soon it is tried again; ExaBGP has a time of its own"
        case _ if plain:
            settings[word] = _value(word, words)
        case _:
            settings.pop(word, None)
    return TRANSLATED


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
        case "timers", [_, hold]:
            return hold_time(hold)
        case "ebgp-multihop", []:
            return 255
        case "ebgp-multihop", [hops]:
            return number(hops, 255, 1)
        case "ttl-security", ["hops", hops]:
            return number(hops, 254, 1)
        case "update-source", [source]:
            return source
        case "shutdown", _:
            return True
        case "port", [port]:
            return number(port, 65535, 1)
    raise ObstacleError("is unknown, or incomplete; correct it, or remove it")


def hold_time(text: str) -> int:
    """Parse a hold time in seconds.

    Raises:
        MigrationError: it is none.
    """
    hold = number(text, 65535)
    if hold in (1, 2):
        raise MigrationError(f"{hold} s is no hold time (RFC 4271 §4.2); bgpd refuses it as well")
    return hold


def _finish(draft: Draft, asn: Asn, timers: int, interfaces: Interfaces) -> Neighbor:
    address = ip_address(draft.name)
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
        hold if isinstance(hold, int) else timers,
        local,
        hops,
        _int(draft.value("ebgp-multihop")),
        _int(draft.value("ttl-security")),
        _int(draft.value("port")),
        shutdown=bool(draft.value("shutdown")),
        obstacles=tuple(obstacles),
    )


def _family(draft: Draft, version: int) -> FamilySettings:
    found = [draft.value((kind, version), None, version) for kind in _FILTERS]
    route_map = draft.value(("route-map", version), None, version)

    def sends(kind: str) -> bool:
        return bool(draft.value(("send-community", kind, version), default=True, version=version))

    return FamilySettings(
        draft.active[version],
        tuple(item for item in found if isinstance(item, Filter)),
        route_map if isinstance(route_map, Filter) else None,
        sends("standard"),
        sends("large"),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None
