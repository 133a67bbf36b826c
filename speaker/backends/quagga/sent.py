"""Who was sent what: `advertised-routes` of every session that is up, all of them by one vtysh."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from policy.asn import parse_asn
from policy.errors import PolicyError
from speaker.backends.quagga.table import LOCAL_WEIGHT, rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from policy.route import Asn, Prefix
    from speaker.backends.base import SentTo
    from speaker.backends.quagga.summary import SessionState, SummarySession
    from speaker.backends.quagga.table import TableRow

# A session that was sent nothing is answered with nothing, so that something has to stand between.
# Every version knows this question, and answers with one of two lines.
_BETWEEN = "show bgp ipv4 unicast 255.255.255.255/32"
_ANSWERED = ("% Network not in table", "BGP routing table entry for 255.255.255.255/32")
_ASK = {
    4: "show ip bgp neighbors {} advertised-routes",
    6: "show bgp neighbors {} advertised-routes",  # not `ipv6 unicast`, which Quagga 0.99 lacks
}
_NAME = re.compile(r"[0-9A-Za-z_.:-]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A session in a family, about which bgpd is asked."""

    name: str
    version: int


def asked(sessions: Iterable[SummarySession]) -> list[Asked]:
    """Return about what bgpd has to be asked: sessions that are up and send something."""
    return [
        Asked(session.address, version)
        for session in sessions
        for version, state in session.states.items()
        if state.negotiated and not state.needs_policy and _NAME.fullmatch(session.address)
    ]


def questions(about: Sequence[Asked]) -> list[str]:
    """Return the commands, of which one vtysh gets all."""
    if not about:
        return []
    asks = ((_BETWEEN, _ASK[each.version].format(each.name)) for each in about)
    return [command for pair in asks for command in pair] + [_BETWEEN]


def answers(
    about: Sequence[Asked], lines: Iterable[str]
) -> Mapping[Asked, Sequence[TableRow]] | None:
    """Return what each session was sent; None where the answer is not whole."""
    parts: list[list[str]] = []
    for line in lines:
        if line.startswith(_ANSWERED):
            parts.append([])
        elif parts:
            parts[-1].append(line)
    if len(parts) != (len(about) + 1 if about else 0):
        return None
    return {each: [*rows(part)] for each, part in zip(about, parts, strict=False)}


class SentAnnouncements:
    """Which rows of `advertised-routes` are announcements of our own paths.

    bgpd sends what is best in its table, so a row is our own path where that is the best one. Where
    it is no more, the row may be ours, of which a withdrawal is still to be sent, or a path of a peer
    that is passed on. Weight 32768 is ours; FRR 10.7 shows none there, and no next hop tells: what
    is left are the ASes.

    Args:
        asn: of bgpd.
        own: prefixes whose best path is our own.
        table: its lines.
    """

    def __init__(self, asn: Asn, own: Collection[Prefix], table: Iterable[str]) -> None:
        self._asn, self._own, self._table = asn, own, table

    @cached_property
    def _learned(self) -> frozenset[Prefix | None]:
        """The prefixes of which a peer's path is known. Seldom needed, and a second reading."""
        return frozenset(row.prefix for row in rows(self._table) if row.weight != LOCAL_WEIGHT)

    def of(self, found: Iterable[TableRow]) -> Iterator[Prefix]:
        """Yield the prefixes of which our own path was sent."""
        for row in found:
            prefix = row.prefix
            if prefix is None:
                continue
            if prefix in self._own or row.weight == LOCAL_WEIGHT or self._is_originated(row):
                yield prefix

    def _is_originated(self, row: TableRow) -> bool:
        if row.prefix in self._learned:
            return False
        try:
            return all(parse_asn(word) == self._asn for word in row.as_path)
        except PolicyError:
            return False


def sent(
    prefixes: Iterable[Prefix],
    sessions: Sequence[SummarySession],
    found: Mapping[Asked, Collection[Prefix]] | None,
) -> dict[Prefix, SentTo]:
    """Return who was sent each prefix. Prefixes with the same answer share it.

    Args:
        prefixes: those that are asked about.
        sessions: all of them. One that is up and did not negotiate a family has no say in it.
        found: our prefixes that each session was sent; None where that is not known.
    """
    holders: dict[Prefix, list[str]] = defaultdict(list)
    for each, own in (found or {}).items():
        for prefix in own:
            if prefix.version == each.version:
                holders[prefix].append(each.name)
    bases = {version: _base(sessions, version, found) for version in (4, 6)}
    known: dict[tuple[int, tuple[str, ...]], SentTo] = {}
    answer: dict[Prefix, SentTo] = {}
    for prefix in prefixes:
        key = (prefix.version, tuple(holders.get(prefix, ())))
        if key not in known:
            known[key] = {**bases[prefix.version], **dict.fromkeys(key[1], True)}
        answer[prefix] = known[key]
    return answer


def _base(
    sessions: Sequence[SummarySession],
    version: int,
    found: Mapping[Asked, Collection[Prefix]] | None,
) -> dict[str, bool | None]:
    """Return the answer of a prefix that no peer was sent."""

    def silent(session: SummarySession, state: SessionState) -> bool | None:
        if not state.established or state.needs_policy:
            return False
        return False if Asked(session.address, version) in (found or {}) else None

    return {
        session.address: silent(session, session.states[version])
        for session in sessions
        if version in session.states
        and (session.states[version].negotiated or not session.states[version].established)
    }
