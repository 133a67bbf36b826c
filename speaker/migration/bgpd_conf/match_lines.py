"""The `match` lines of route-maps: each as a question to a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.route import MAX_MED, Origin
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.bgpd_conf.tokens import number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from speaker.migration.bgpd_conf.model import BgpPath

    Lists = Mapping[tuple[str, str], Callable[[BgpPath], bool]]
    Match = Callable[[BgpPath, Lists], bool]

LISTED = {
    "ip address prefix-list": "ip prefix-list",
    "ip address": "access-list",
    "ipv6 address prefix-list": "ipv6 prefix-list",
    "ipv6 address": "ipv6 access-list",
}
"""Kinds of lists of prefixes, by the command that matches them."""

_NAMED = {
    "as-path": "as-path access-list",
    "community": "community-list",
    "large-community": "large-community-list",
}
"""Other kinds of lists, by the command that matches them."""


def parse_match(words: Sequence[str]) -> tuple[str, Match | None]:
    """Return the command, and its match, None where it is not translated.

    Raises:
        MigrationError: it can't be understood.
    """
    match words:
        case ["ip", "address", "prefix-list", name]:
            return "ip address prefix-list", _by_list("ip prefix-list", name, 4)
        case ["ip" | "ipv6", "address", "prefix-list"]:
            raise MigrationError("names no list; complete it, or remove it")
        case ["ip", "address", name]:
            return "ip address", _by_list("access-list", name, 4)
        case ["ipv6", "address", "prefix-list", name]:
            return "ipv6 address prefix-list", _by_list("ipv6 prefix-list", name, 6)
        case ["ipv6", "address", name]:
            return "ipv6 address", _by_list("ipv6 access-list", name, 6)
        case [word, name] if word in _NAMED:
            return word, _by_list(_NAMED[word], name)
        case ["metric", value] if value.strip("0"):
            # Not 0, by which FRR 8.4 means any.
            wanted = number(value, MAX_MED)
            return "metric", lambda path, _: path.attributes.med == wanted
        case ["origin", value]:
            origin = parse_origin(value)
            return "origin", lambda path, _: path.attributes.origin is origin
        case []:
            raise MigrationError("matches nothing; complete it, or remove it")
    return " ".join(words[:2]), None


def _by_list(kind: str, name: str, version: int | None = None) -> Match:
    def match(path: BgpPath, lists: Lists) -> bool:
        if version is not None and path.prefix.version != version:
            return False
        passes = lists.get((kind, name))
        return passes is not None and passes(path)

    return match


def parse_origin(text: str) -> Origin:
    """Parse an ORIGIN.

    Raises:
        MigrationError: it is none.
    """
    try:
        return Origin(text)
    except ValueError as error:
        raise MigrationError(f"{text!r} is not igp, egp or incomplete; correct it") from error
