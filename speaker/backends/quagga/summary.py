"""bgpd's neighbours, as `show ip bgp summary` and `show bgp summary` have them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.asn import parse_asn
from policy.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from policy.route import Asn

POLICY = "(Policy)"
_YOUNG = re.compile("00:00:0[0-9]")
NOT_NEGOTIATED = "NoNeg"


@dataclass(frozen=True, slots=True)
class SessionState:
    """A neighbour in one family.

    Attributes:
        received: a number of prefixes where the session is established, or words.
        sent: the same for what was sent; empty where the daemon does not tell.
        since: for how long it is so, as the daemon writes it.
    """

    received: str
    sent: str = ""
    since: str = ""

    @property
    def is_young(self) -> bool:
        """Whether it may still be told the peer's routes: it is so for less than ten seconds."""
        return _YOUNG.fullmatch(self.since) is not None

    @property
    def brings(self) -> bool:
        """Whether any route was received."""
        return self.received.isascii() and self.received.isdigit() and int(self.received) > 0

    @property
    def established(self) -> bool:
        """Whether the session is established, with or without this family."""
        is_number = self.received.isascii() and self.received.isdigit()
        return is_number or self.received in {POLICY, NOT_NEGOTIATED}

    @property
    def negotiated(self) -> bool:
        """Whether the session is established and has this family."""
        return self.established and self.received != NOT_NEGOTIATED

    @property
    def needs_policy(self) -> bool:
        """Whether FRR sends nothing, for want of a policy (RFC 8212)."""
        return self.negotiated and (self.sent or self.received) == POLICY


@dataclass(frozen=True, slots=True)
class SummarySession:
    """A neighbour, and its state in each family (4 or 6) that is configured for it."""

    address: str
    asn: Asn
    states: dict[int, SessionState] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        """Whether the session is established."""
        return any(state.established for state in self.states.values())

    @property
    def needs_policy(self) -> bool:
        """Whether FRR sends it nothing in some family, for want of a policy (RFC 8212)."""
        return any(state.needs_policy for state in self.states.values())


_TITLE = re.compile(r"(?:(?P<version>IPv[46]) Unicast|\w[\w ]*) Summary(?: \(.*\))?:")
_NAME = re.compile(r"\*?(?:[^()]*\((?P<inside>[^()]+)\)|(?P<plain>[^()]+))")
_FAMILIES = {"IPv4": 4, "IPv6": 6}
_OTHER = 0
_STATE = "State/PfxRcd"


def parse_summary(lines: Iterable[str]) -> list[SummarySession]:
    """Parse `show ip bgp summary` and `show bgp summary`: each neighbour once, in their order."""
    sessions: dict[str, SummarySession] = {}
    for family, rows in _tables(lines):
        for name, asn, state in _rows(rows):
            sessions.setdefault(name, SummarySession(name, asn)).states[family] = state
    return list(sessions.values())


def _tables(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the tables of unicast families.

    FRR and Quagga 1.2 write a title above each table. Quagga 1.2 leaves it out in the first summary,
    which is of IPv4; and 0.99 in both: its second one is of IPv6.
    """
    family, untitled = _OTHER, [4, 6]
    table: list[str] | None = None
    for line in lines:
        if title := _TITLE.fullmatch(line):
            family, untitled = _FAMILIES.get(title["version"], _OTHER), []
        elif line.startswith(("BGP router identifier", "No IPv4 neighbor")) and untitled:
            family = untitled.pop(0)
        elif line.startswith("Neighbor ") and _STATE in line.split():
            table = [line]
        elif table is not None and line.strip():
            table.append(line)
        elif table is not None:
            if family != _OTHER:
                yield family, table
            table = None
    if table is not None and family != _OTHER:
        yield family, table


def _rows(table: Sequence[str]) -> Iterator[tuple[str, Asn, SessionState]]:
    """Yield the neighbours of a table. Quagga gives a long address a line of its own."""
    head = table[0].split()
    at, tells = head.index(_STATE), "PfxSnt" in head
    long = ""
    for line in table[1:]:
        words = [long, *line.split()] if long else line.split()
        long = words[0] if len(words) == 1 else ""
        if len(words) <= at or words[1] != "4":
            continue
        try:
            asn = parse_asn(words[2])
        except PolicyError:
            continue
        sent = words[at + 1] if tells and len(words) > at + 1 else ""
        yield _name(words[0]), asn, SessionState(words[at], sent, words[at - 1])


def _name(text: str) -> str:
    """Return a neighbour's address, or interface, without its host's name and the star of a dynamic one."""
    match = _NAME.fullmatch(text)
    return (match["inside"] or match["plain"]) if match else text
