"""bgpd's lists: prefix-lists, access-lists, AS path and community lists; parsed, and asked.

A list that does not exist denies all; bgpd's own rule is cited where it surprises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.route import Community, parse_prefix
from speaker.migration.statement import MigrationError
from speaker.migration.values import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy.route import Prefix
    from speaker.migration.statement import Statement
    from speaker.migration.values import Path

MAX_SEQUENCE = 2**32 - 1


@dataclass(slots=True)
class Entries:
    """A list while it is read: `(sequence, permit, matches)`."""

    entries: list[tuple[int, bool, Callable[[Path], bool]]] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    empty_permits: bool = False

    def add(self, sequence: int | None, matches: Callable[[Path], bool], *, permit: bool) -> None:
        """Add an entry; without a number it gets the next multiple of 5, as in bgpd."""
        if sequence is None:
            last = max((entry[0] for entry in self.entries), default=0)
            sequence = last // 5 * 5 + 5
        if sequence > MAX_SEQUENCE:
            raise MigrationError("there is no number left after the list's last; renumber the list")
        self.entries = [entry for entry in self.entries if entry[0] != sequence]
        self.entries.append((sequence, permit, matches))

    def passes(self, path: Path) -> bool:
        """Return what the first entry that matches says."""
        if not self.entries:
            return self.empty_permits
        for _, permit, matches in sorted(self.entries, key=lambda entry: entry[0]):
            if matches(path):
                return permit
        return False


KINDS = {
    ("ip", "prefix-list"): "ip prefix-list",
    ("ipv6", "prefix-list"): "ipv6 prefix-list",
    ("ip", "as-path"): "as-path access-list",
    ("bgp", "as-path"): "as-path access-list",
    ("ip", "community-list"): "community-list",
    ("bgp", "community-list"): "community-list",
    ("ipv6", "access-list"): "ipv6 access-list",
}


def kind_of(words: Sequence[str]) -> tuple[str, Sequence[str]] | None:
    """Return the kind of list that a statement adds to, and the words after that."""
    if words[0] == "access-list":
        return "access-list", words[1:]
    kind = KINDS.get((words[0], words[1])) if len(words) > 1 else None
    if kind is None:
        return None
    return kind, words[3:] if kind == "as-path access-list" else words[2:]


class Lists:
    """All lists of a file while it is read, by kind and name."""

    def __init__(self, dialect: Dialect) -> None:
        """Begin without any.

        Args:
            dialect: FRR makes no list of a description alone, and Quagga one that permits all
                (prefix_list_apply() in lib/plist.c).
        """
        self._dialect = dialect
        self.found: dict[tuple[str, str], Entries] = {}

    def add(self, statement: Statement) -> bool:
        """Take a statement if it is of a list; return whether it is.

        Raises:
            MigrationError: it is, and can't be understood.
        """
        what = kind_of(statement.words)
        if what is None:
            return False
        kind, words = what
        if len(words) < 2:
            raise MigrationError("incomplete; bgpd refuses it as well: complete it, or remove it")
        if words == ("sequence-number",):
            return True
        name, words = _name(kind, words)
        entries = self.found.setdefault((kind, name), Entries())
        is_quagga = self._dialect is Dialect.QUAGGA
        entries.empty_permits = is_quagga and kind.endswith("prefix-list")
        entries.statements.append(statement)
        sequence, words = _sequence(words)
        match words:
            case ("remark" | "description", *_):
                return True
            case ("permit" | "deny" as action, *what_for) if what_for:
                matches = _MATCHES[kind](what_for, name)
                entries.add(sequence, matches, permit=action == "permit")
                return True
        raise MigrationError("is no permit or deny of something; correct it, or remove it")


def _name(kind: str, words: Sequence[str]) -> tuple[str, Sequence[str]]:
    if kind == "community-list" and words[0] in ("standard", "expanded") and len(words) > 2:
        if words[0] == "expanded":
            raise MigrationError(
                "expanded community-lists are not translated; list the communities"
            )
        return words[1], words[2:]
    return words[0], words[1:]


def _sequence(words: Sequence[str]) -> tuple[int | None, Sequence[str]]:
    if words[0] == "seq" and len(words) > 1:
        return number(words[1], MAX_SEQUENCE, 1), words[2:]
    return None, words


def number(text: str, most: int, least: int = 0) -> int:
    """Parse a number.

    Raises:
        MigrationError: it is none, or beyond its bounds.
    """
    if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise MigrationError(f"{text!r} is not a number from {least} to {most}; correct it")
    return int(text)


def network(text: str) -> Prefix:
    """Parse a prefix as bgpd does, which clears host bits.

    Raises:
        MigrationError: it is none.
    """
    address, slash, length = text.partition("/")
    try:
        host = parse_prefix(address)
        if slash:
            wide = host.supernet(new_prefix=number(length, host.max_prefixlen))
            return parse_prefix(str(wide))
    except (PolicyError, ValueError) as error:
        raise MigrationError(f"{text!r} is no prefix; correct it") from error
    return host


def _prefix(text: str) -> Prefix:
    if "/" not in text:
        raise MigrationError(f"{text!r} has no length; bgpd refuses it as well: write one")
    return network(text)


def _in_prefix_list(version: int) -> Callable[[Sequence[str], str], Callable[[Path], bool]]:
    def parse(words: Sequence[str], _: str) -> Callable[[Path], bool]:
        most = 32 if version == 4 else 128
        if words[0] == "any":
            base, least, longest = network("0.0.0.0/0" if version == 4 else "::/0"), 0, most
            words = words[1:]
        else:
            base = _prefix(words[0])
            least = longest = base.prefixlen
            words = words[1:]
        if base.version != version:
            raise MigrationError(f"{base} is of the other family; bgpd refuses it as well")
        bounds = dict(zip(words[::2], words[1::2], strict=False))
        if len(words) % 2 or not set(bounds) <= {"ge", "le"}:
            raise MigrationError(f"{' '.join(words)!r} is no ge or le with a length; correct it")
        if bounds:
            least = number(bounds["ge"], most) if "ge" in bounds else base.prefixlen
            longest = number(bounds["le"], most) if "le" in bounds else most
            if len(words) != 2 * len(bounds) or not base.prefixlen <= least <= longest:
                raise MigrationError(
                    f"{' '.join(words)!r} is not of {base.prefixlen} <= ge <= le; bgpd refuses it as "
                    "well: correct it"
                )
        return lambda path: _within(path.prefix, base) and least <= path.prefix.prefixlen <= longest

    return parse


def _within(prefix: Prefix, wide: Prefix) -> bool:
    return prefix.version == wide.version and prefix.subnet_of(wide)  # type: ignore[arg-type]


def _in_access_list(words: Sequence[str], name: str) -> Callable[[Path], bool]:
    if words == ["any"]:
        return lambda path: path.prefix.version == 4
    if name.isdigit() and words[0] == "ip":
        return _in_extended_list(words[1:])
    if "/" in words[0]:
        return _in_zebra_list(4)(words, name)
    address, rest = _masked(words)
    if rest:
        raise MigrationError(f"{' '.join(rest)!r} is too much; correct it")
    return lambda path: path.prefix.version == 4 and address(int(path.prefix.network_address))


def _in_zebra_list(version: int) -> Callable[[Sequence[str], str], Callable[[Path], bool]]:
    def parse(words: Sequence[str], _: str) -> Callable[[Path], bool]:
        if words[0] == "any":
            return lambda path: path.prefix.version == version
        base = _prefix(words[0])
        if base.version != version:
            raise MigrationError(f"{base} is of the other family; bgpd refuses it as well")
        if words[1:] == ["exact-match"]:
            return lambda path: path.prefix == base
        if words[1:]:
            raise MigrationError(f"{' '.join(words[1:])!r} is not exact-match; correct it")
        return lambda path: _within(path.prefix, base)

    return parse


def _in_extended_list(words: Sequence[str]) -> Callable[[Path], bool]:
    """Return the matcher of an extended list: the network address, then the network mask."""
    address, rest = _masked(words)
    mask, rest = _masked(rest)
    if rest:
        raise MigrationError(f"{' '.join(rest)!r} is too much; correct it")
    return lambda path: (
        path.prefix.version == 4
        and address(int(path.prefix.network_address))
        and mask(int(path.prefix.netmask))
    )


def _masked(words: Sequence[str]) -> tuple[Callable[[int], bool], Sequence[str]]:
    """Parse `any`, `host A`, `A` or `A WILDCARD`, where set bits of the wildcard do not count."""
    match words:
        case ["any", *rest]:
            return lambda _: True, rest
        case ["host", address, *rest]:
            wild = "0.0.0.0"  # noqa: S104 - nothing listens there
        case [address, wild, *rest]:
            pass
        case [address]:
            wild, rest = "0.0.0.0", []  # noqa: S104 - nothing listens there
        case _:
            raise MigrationError("an address is missing; complete it")
    try:
        keep = ~int(IPv4Address(wild)) & 2**32 - 1
        base = int(IPv4Address(address)) & keep
    except AddressValueError as error:
        raise MigrationError(f"{error}; correct it") from error
    return lambda value: value & keep == base, rest


def as_path_pattern(words: Sequence[str], _: str = "") -> Callable[[Path], bool]:
    """Parse a regular expression over AS_PATH, in which `_` is a boundary.

    Raises:
        MigrationError: it is none, or uses more than digits and the common operators.
    """
    text = " ".join(words)
    if not re.fullmatch(r"[0-9_^$.*+?()|\[\] -]+", text):
        raise MigrationError(f"{text!r} has more than digits and _ ^ $ . * + ? ( ) | [ ] -")
    try:
        pattern = re.compile(text.replace("_", "(?:^|[ ,{}()]|$)"))
    except re.error as error:
        raise MigrationError(f"{text!r} is no regular expression: {error}") from error
    return lambda path: pattern.search(str(path.attributes.as_path)) is not None


WELL_KNOWN = {
    "internet": Community(0, 0),
    "no-export": Community(65535, 65281),
    "no-advertise": Community(65535, 65282),
    "local-AS": Community(65535, 65283),
    "no-peer": Community(65535, 65284),
    "graceful-shutdown": Community(65535, 0),
    "accept-own": Community(65535, 1),
    "llgr-stale": Community(65535, 6),
    "no-llgr": Community(65535, 7),
    "blackhole": Community(65535, 666),
}


def community(text: str) -> Community:
    """Parse a community: `64699:100`, or a well-known name.

    Raises:
        MigrationError: it is none.
    """
    if text in WELL_KNOWN:
        return WELL_KNOWN[text]
    if re.fullmatch(r"[0-9]{1,10}", text):
        high, low = divmod(number(text, 2**32 - 1), 2**16)
        raise MigrationError(
            f"{text!r} is one number, which FRR refuses and Quagga takes; write {high}:{low}, or "
            "remove it"
        )
    try:
        return Community.parse(text)
    except PolicyError as error:
        raise MigrationError(str(error)) from error


def _in_community_list(words: Sequence[str], _: str) -> Callable[[Path], bool]:
    wanted = frozenset(community(word) for word in words)
    if WELL_KNOWN["internet"] in wanted:
        return lambda _: True  # bgpd: every route is of the internet
    return lambda path: wanted <= set(path.attributes.communities)


_MATCHES: dict[str, Callable[[Sequence[str], str], Callable[[Path], bool]]] = {
    "ip prefix-list": _in_prefix_list(4),
    "ipv6 prefix-list": _in_prefix_list(6),
    "access-list": _in_access_list,
    "ipv6 access-list": _in_zebra_list(6),
    "as-path access-list": as_path_pattern,
    "community-list": _in_community_list,
}
