"""Route-maps: the match and set lines that are understood, and what a map does to a path."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from policy.asn import parse_asn
from policy.errors import PolicyError
from policy.route import MAX_MED, Asn, AsPath, LargeCommunity
from speaker.migration.bgpd_conf.clause_index import ClauseIndex
from speaker.migration.bgpd_conf.extended_sets import extended_set
from speaker.migration.bgpd_conf.match_lines import LISTED, parse_match, parse_origin
from speaker.migration.bgpd_conf.model import Clause, Obstacle, RouteMap
from speaker.migration.bgpd_conf.statement import UNKNOWN, MigrationError
from speaker.migration.bgpd_conf.tokens import community, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.clause_index import ListKey
    from speaker.migration.bgpd_conf.match_lines import Lists, Match
    from speaker.migration.bgpd_conf.model import BgpPath
    from speaker.migration.bgpd_conf.statement import Statement

    Set = Callable[[BgpPath], BgpPath]


@dataclass(slots=True)
class RouteMapDraft:
    """A clause while it is read. A line of the same command replaces the one before, as in bgpd."""

    sequence: int
    permit: bool
    statement: Statement
    matches: dict[str, Match] = field(default_factory=dict)
    sets: dict[str, Set] = field(default_factory=dict)
    obstacles: dict[str, Obstacle] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    lists: dict[str, ListKey] = field(default_factory=dict)
    """The lists of prefixes that it matches, by the command."""
    goes_on: int | None = None
    calls: str | None = None

    def add(self, statement: Statement) -> str:  # noqa: C901 - a table of lines
        """Take a line of the clause; return why it has no effect on what is sent, or nothing.

        What can't be translated becomes an obstacle, which counts if a VIP meets the clause.

        Raises:
            MigrationError: it can't be understood.
        """
        self.statements.append(statement)
        words = statement.words
        match words:
            case ("description" | "optimization", *_):
                return "says nothing of routes"
            case ("match", *rest):
                key, match = parse_match(rest)
                if match is None:
                    return self._refuse(
                        key, statement, "this match is not translated, or abbreviated"
                    )
                self.matches[key] = match
                self.lists |= {key: (LISTED[key], words[-1])} if key in LISTED else {}
                self.obstacles.pop(key, None)
            case ("set", "extcommunity", *rest):
                return self._extended(statement, rest)
            case ("set", *rest):
                key, change, reason = _set(rest)
                if reason:
                    return reason
                if change is None:
                    return self._refuse(
                        key, statement, "this set is not translated, or abbreviated"
                    )
                self.sets[key] = change
                self.obstacles.pop(key, None)
            case ("on-match", "next"):
                self.goes_on = self.sequence + 1
            case ("on-match", "goto", text) | ("continue", text):
                self.goes_on = number(text, 65535, self.sequence + 1)
            case ("call", name):
                self.calls = name
            case ("on-match" | "continue" | "call", *_):
                return self._refuse(
                    words[0],
                    statement,
                    "is unknown, incomplete, or abbreviated, which bgpd may take",
                )
            case _:
                raise MigrationError(UNKNOWN)
        return ""

    def _extended(self, statement: Statement, words: Sequence[str]) -> str:
        key, change, reason = extended_set(words, (*self.sets, *self.obstacles))
        if change is None:
            return self._refuse(key, statement, reason)
        self.sets[key] = change
        self.obstacles.pop(key, None)
        return ""

    def refuse(self, statement: Statement, reason: str) -> None:
        """Take a line that can't be understood: it counts if a VIP meets the clause."""
        self.obstacles[str(statement)] = Obstacle(statement, reason)

    def _refuse(self, key: str, statement: Statement, reason: str) -> str:
        self.obstacles[key] = Obstacle(statement, f"{reason}; rewrite or remove the line")
        return ""

    def clause(self, lists: Lists) -> Clause:
        """Return the finished clause."""
        return Clause(
            self.sequence,
            self.permit,
            self.statement,
            tuple(_asked(match, lists) for match in self.matches.values()),
            tuple(self.sets.values()),
            tuple(self.obstacles.values()),
            self.goes_on,
            self.calls,
        )


def _asked(match: Match, lists: Lists) -> Callable[[BgpPath], bool]:
    return lambda path: match(path, lists)


_NO_EFFECT = {
    "weight": "counts in bgpd alone; ExaBGP chooses no routes",
    "tag": "is for other daemons",
    "metric-type": "is for OSPF",
    "forwarding-address": "is for OSPF",
    "src": "is for zebra",
    "table": "is for zebra",
}


def _set(  # noqa: C901, PLR0912 - a table of what can be set
    words: Sequence[str],
) -> tuple[str, Set | None, str]:
    """Return the command, its change, None where it is not translated, and why it has no effect."""
    match words:
        case ["as-path", "prepend", "last-as", count]:
            return "as-path prepend", _prepend_last(number(count, 10, 1)), ""
        case ["as-path", "prepend", *asns] if asns:
            return "as-path prepend", _prepend(asns), ""
        case ["metric", value] if value.isascii() and value.isdigit():
            med = number(value, MAX_MED)
            return "metric", lambda path: _with(path, med=med), ""
        case ["metric", value] if (
            (more := value[1:]).isascii() and value[:1] in ("+", "-") and more.isdigit()
        ):
            return "metric", _add_metric(value[0], number(more, MAX_MED)), ""
        case ["community", "none"]:
            return "community", lambda path: _with(path, communities=()), ""
        case ["community", *names] if names:
            return "community", _communities(names), ""
        case ["large-community", "none"]:
            return "large-community", lambda path: _with(path, large_communities=()), ""
        case ["large-community", *names] if names:
            return "large-community", _large_communities(names), ""
        case ["origin", value]:
            given = parse_origin(value)
            return "origin", lambda path: _with(path, origin=given), ""
        case ["local-preference", value] if value.isascii() and value.isdigit():
            local_pref = number(value, 2**32 - 1)
            return "local-preference", lambda path: replace(path, local_pref=local_pref), ""
        case ["ip", "next-hop", address] if _is_address(address, 4):
            return "ip next-hop", _hop(4, IPv4Address(address)), ""
        case ["ipv6", "next-hop", "global", address] if _is_address(address, 6):
            return "ipv6 next-hop global", _hop(6, IPv6Address(address)), ""
        case ["ipv6", "next-hop", "prefer-global"]:
            return "", None, "is for routes received"
        case [word, *_] if word in _NO_EFFECT:
            return word, None, _NO_EFFECT[word]
        case []:
            raise MigrationError("sets nothing; complete it, or remove it")
    return " ".join(words[:2]), None, ""


def _with(path: BgpPath, **changes: object) -> BgpPath:
    return replace(path, attributes=replace(path.attributes, **changes))  # type: ignore[arg-type]


def _prepend(words: Sequence[str]) -> Set:
    try:
        asns: tuple[Asn, ...] = tuple(map(parse_asn, words))
    except PolicyError as error:
        raise MigrationError(f"{error}; correct it") from error
    return lambda path: _with(path, as_path=AsPath(asns + path.attributes.as_path.asns))


def _prepend_last(count: int) -> Set:
    """Repeat the leftmost AS of the path, where it has one: bgpd adds its own to it later."""

    def prepend(path: BgpPath) -> BgpPath:
        asns = path.attributes.as_path.asns
        return _with(path, as_path=AsPath(asns[:1] * count + asns))

    return prepend


def _add_metric(sign: str, value: int) -> Set:
    """Add to MED, or take from it, within its bounds, as route_value_adjust() does."""

    def add(path: BgpPath) -> BgpPath:
        med = (path.attributes.med or 0) + (value if sign == "+" else -value)
        return _with(path, med=min(max(med, 0), MAX_MED))

    return add


def _communities(words: Sequence[str]) -> Set:
    additive = words[-1] == "additive"
    given = tuple(map(community, words[:-1] if additive else words))
    return lambda path: _with(
        path, communities=given + (path.attributes.communities if additive else ())
    )


def _large_communities(words: Sequence[str]) -> Set:
    additive = words[-1] == "additive"
    try:
        given = tuple(map(LargeCommunity.parse, words[:-1] if additive else words))
    except PolicyError as error:
        raise MigrationError(f"{error}; correct it") from error
    return lambda path: _with(
        path, large_communities=given + (path.attributes.large_communities if additive else ())
    )


def _is_address(text: str, version: int) -> bool:
    try:
        (IPv4Address if version == 4 else IPv6Address)(text)
    except ValueError:
        return False
    return True


def _hop(version: int, address: IPv4Address | IPv6Address) -> Set:
    return lambda path: replace(path, next_hop=address) if path.prefix.version == version else path


def finish(
    name: str,
    drafts: Iterable[RouteMapDraft],
    lists: Lists,
    reach: Mapping[ListKey, Sequence[Prefix]],
) -> RouteMap:
    """Return a route-map of its clauses.

    Args:
        name: its own.
        drafts: of its clauses.
        lists: answer whether a path passes.
        reach: see ClauseIndex; a list that does not exist permits nothing.
    """
    ordered = sorted(drafts, key=lambda draft: draft.sequence)
    clauses = tuple(draft.clause(lists) for draft in ordered)
    limits = [next(iter(draft.lists.values()), None) for draft in ordered]
    known = {
        key: reach.get(key, ())
        for key in limits
        if key is not None and (key in reach or key not in lists)
    }
    return RouteMap(name, clauses, ClauseIndex(clauses, limits, known))
