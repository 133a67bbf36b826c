"""bgpd's lists by kind and name: prefix-lists, access-lists, AS path and community lists; read, and asked.

A list that does not exist denies all; bgpd's own rule is cited where it surprises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from policy.covering import Covering
from speaker.migration.bgpd_conf.list_entries import ENTRIES, Within
from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.bgpd_conf.statement import UNKNOWN, MigrationError
from speaker.migration.bgpd_conf.tokens import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import BgpPath
    from speaker.migration.bgpd_conf.statement import Statement

MAX_SEQUENCE = 2**32 - 1


@dataclass(slots=True)
class Entries:
    """A list while it is read: by number, whether it permits, and what.

    Lists of thousands of prefixes are asked of thousands: those entries that are of a prefix are
    found by the prefixes that hold the one in question.
    """

    entries: dict[int, tuple[bool, Callable[[BgpPath], bool]]] = field(default_factory=dict)
    empty_permits: bool = False
    _last: int = 0
    _of_prefixes: dict[Prefix, list[int]] | None = None
    _others: list[int] = field(default_factory=list)
    _covering: Covering = field(default_factory=lambda: Covering(()))

    def add(
        self, sequence: int | None, matches: Callable[[BgpPath], bool], *, permit: bool
    ) -> None:
        """Add an entry; without a number it gets the next multiple of 5, as in bgpd."""
        if sequence is None:
            sequence = self._last // 5 * 5 + 5
        if sequence > MAX_SEQUENCE:
            raise MigrationError("there is no number left after the list's last; renumber the list")
        self._last = max(self._last, sequence)
        self.entries[sequence] = permit, matches
        self._of_prefixes = None

    def passes(self, path: BgpPath) -> bool:
        """Return what the first entry that matches says."""
        for sequence in self._concerned(path.prefix):
            permit, matches = self.entries[sequence]
            if matches(path):
                return permit
        return not self.entries and self.empty_permits

    def reach(self) -> Sequence[Prefix] | None:
        """Return prefixes in which lies all that it permits, None where that is not known."""
        permits = [matches for permit, matches in self.entries.values() if permit]
        if (self.empty_permits and not self.entries) or not all(
            isinstance(matches, Within) for matches in permits
        ):
            return None
        return [matches.base for matches in permits if isinstance(matches, Within)]

    def _concerned(self, prefix: Prefix) -> list[int]:
        """Return the numbers of the entries that may match a prefix, in their order."""
        if self._of_prefixes is None:
            self._of_prefixes, self._others = {}, []
            for sequence, (_, matches) in self.entries.items():
                if isinstance(matches, Within):
                    self._of_prefixes.setdefault(matches.base, []).append(sequence)
                else:
                    self._others.append(sequence)
            self._covering = Covering(self._of_prefixes)
        bases = self._covering.of(prefix.network_address)
        return sorted(
            [*self._others, *chain.from_iterable(self._of_prefixes[base] for base in bases)]
        )


KINDS = {
    ("ip", "prefix-list"): "ip prefix-list",
    ("ipv6", "prefix-list"): "ipv6 prefix-list",
    ("ip", "as-path"): "as-path access-list",
    ("bgp", "as-path"): "as-path access-list",
    ("ip", "community-list"): "community-list",
    ("bgp", "community-list"): "community-list",
    ("ip", "large-community-list"): "large-community-list",
    ("bgp", "large-community-list"): "large-community-list",
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
    """All lists of a file while it is read, by kind and name.

    Args:
        dialect: FRR makes no list of a description alone, and Quagga one that permits all
            (prefix_list_apply() in lib/plist.c).
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.takes_ip = dialect is Dialect.QUAGGA
        """Whether lists of AS_PATHs and communities may begin with `ip`, as in FRR before 8.0."""
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
        if statement.words[0] == "ip" and kind != "ip prefix-list" and not self.takes_ip:
            raise MigrationError(
                f"FRR refuses it from 8.0, and has no such list then; write `bgp {statement.words[1]} …`"
            )
        if len(words) < 2:
            raise MigrationError("incomplete; bgpd refuses it as well: complete it, or remove it")
        if words == ("sequence-number",):
            return True
        name, words = _name(kind, words, self._dialect)
        entries = self.found.setdefault((kind, name), Entries())
        is_quagga = self._dialect is Dialect.QUAGGA
        entries.empty_permits = is_quagga and kind.endswith("prefix-list")
        sequence, words = _sequence(words)
        match words:
            case (word, _, *_) if sequence is None and word == _REMARKS.get(kind):
                return True
            case ("permit" | "deny" as action, *what_for) if what_for:
                matches = ENTRIES[kind](what_for, name)
                entries.add(sequence, matches, permit=action == "permit")
                return True
        raise MigrationError(UNKNOWN)


_REMARKS = {
    "ip prefix-list": "description",
    "ipv6 prefix-list": "description",
    "access-list": "remark",
    "ipv6 access-list": "remark",
}
"""By the kind of list, what begins a text about it."""


def _name(kind: str, words: Sequence[str], dialect: Dialect) -> tuple[str, Sequence[str]]:
    if not kind.endswith("community-list"):
        return words[0], words[1:]
    is_number = words[0].isascii() and words[0].isdigit()
    if words[0] == "expanded" or (is_number and int(words[0][:10]) > _STANDARD):
        raise MigrationError(f"expanded {kind}s are not translated; list the communities")
    if words[0] == "standard" and len(words) > 2:
        return words[1], words[2:]
    if dialect is Dialect.FRR and not is_number:
        raise MigrationError(f"FRR refuses it without `standard`; write `bgp {kind} standard …`")
    return words[0], words[1:]


_STANDARD = 99
"""A list of communities with a greater number is one of regular expressions."""


def _sequence(words: Sequence[str]) -> tuple[int | None, Sequence[str]]:
    if words[0] == "seq" and len(words) > 1:
        return number(words[1], MAX_SEQUENCE, 1), words[2:]
    return None, words
