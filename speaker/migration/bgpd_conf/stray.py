"""Lines that stand where they do not belong, abbreviate what decides what is sent, or are of another version. No I/O.

bgpd takes abbreviations in its file too, and a line that one block does not know in the block around it.
What is not BGP's is passed over by an import, so nothing that may be BGP's is to be among it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf import placing
from speaker.migration.bgpd_conf.model import Dialect
from speaker.migration.bgpd_conf.statement import CommandMode

if TYPE_CHECKING:
    from speaker.migration.bgpd_conf.statement import Statement

_WHOLE = (
    *(("ip", word) for word in ("prefix-list", "as-path", "community-list", "large-community-list")),
    *(("bgp", word) for word in ("as-path", "community-list", "large-community-list")),
    *(("ipv6", word) for word in ("prefix-list", "access-list")),
    *(("router", "bgp"), ("route-map",), ("access-list",)),
    *(("end",), ("exit",), ("quit",)),
)  # fmt: skip
"""What is BGP's at the top level, which every block falls back to."""
_OF_BGP = frozenset(
    "neighbor network match set redistribute aggregate-address address-family timers bgp call "
    "continue on-match".split()
)
_OF_A_NEIGHBOR = frozenset(
    "remote-as peer-group activate route-map prefix-list filter-list distribute-list send-community "
    "update-source ebgp-multihop description shutdown".split()
)
"""What only BGP says of a neighbour; OSPF, EIGRP and LDP have neighbours too."""


def fault(statement: Statement) -> str:
    """Return what is wrong with a line that could be passed over as not BGP's, or nothing."""
    words = statement.said[statement.said[:1] == ("n",) :]  # which bgpd takes for `no`
    if words[:3] == _ALIAS:
        return ""
    whole = abbreviated(statement)
    if whole:
        return f"abbreviates `{whole}`, which bgpd may take; write it out, or remove it"
    match statement.mode:
        case CommandMode.INTERFACE | CommandMode.LINE if words and words[0] in _OF_BGP:
            return NO_BLOCK
        case CommandMode.OTHER if words[:1] == ("neighbor",) and not _OF_A_NEIGHBOR.isdisjoint(
            words[2:3]
        ):
            return NO_BLOCK
    return ""


_HALVES = re.compile(r"[0-9]+\.[0-9]+")


def _in_halves(statement: Statement) -> bool:
    """Return whether a line has an AS number in halves, such as `1.10`, where it means an AS."""
    match statement.said:
        case ("router", "bgp", *words):
            words = words[:1]
        case ("neighbor", _, "remote-as" | "local-as", *words):
            words = words[:1]
        case ("neighbor", _, "interface", *words) | ("set", "as-path", *words):
            pass
        case _:
            return False
    return any(_HALVES.fullmatch(word) for word in words)


def _has_internet(statement: Statement) -> bool:
    """Return whether a line has the community `internet`, which FRR's versions differ in."""
    match statement.said:
        case ("bgp" | "ip", "community-list", "expanded", *_):
            return False  # there it is a regular expression
        case (
            ("set", "community", *words)
            | ("bgp" | "ip", "community-list", "standard", _, *words)
            | ("bgp" | "ip", "community-list", _, *words)
        ):
            return "internet" in words
    return False


def by_version(statement: Statement, dialect: Dialect, *, halves: bool) -> str:
    """Return what is wrong with a line that not every version of a bgpd takes, or nothing.

    Args:
        statement: the line.
        dialect: whose bgpd it is.
        halves: whether it takes an AS number such as `1.10`.
    """
    if dialect is Dialect.FRR and _has_internet(statement):
        return "internet is refused by FRR 10 and taken by 8.4; remove it, or write 0:0 if that is meant"
    if not halves and _in_halves(statement):
        return "an AS number in halves, which Quagga refuses, and FRR before 9.0; write it as one number"
    return ""


def abbreviated(statement: Statement) -> str:
    """Return the command that a line may abbreviate, where it would be passed over otherwise; or nothing."""
    words = statement.said[statement.said[:1] == ("n",) :]
    starts = _WHOLE
    match statement.mode:
        case CommandMode.TOP:
            starts = (*_WHOLE, *_TOP)
        case CommandMode.INTERFACE:
            starts = (*_WHOLE, *_OF_ADDRESSES)
    return next((" ".join(start) for start in starts if _abbreviates(words, start)), "")


_TOP = tuple((word,) for word in placing.top_words())
_OF_ADDRESSES = (("ip", "address"), ("ipv6", "address"))
"""What says of an interface from where sessions go, and what `redistribute connected` announces."""
_ALIAS = ("bgp", "community", "alias")
"""A command of its own, and no abbreviation of a list's."""
NO_BLOCK = "stands in no block of BGP; put it where it belongs, or remove it"


def _abbreviates(words: tuple[str, ...], start: tuple[str, ...]) -> bool:
    said = words[: len(start)]
    if said == start or len(said) < len(start):
        return False
    return all(
        word == whole or (whole.startswith(word) and word not in _FIRST)
        for word, whole in zip(said, start, strict=True)
    )


_FIRST = frozenset(start[0] for start in _WHOLE) | placing.top_words()
"""Words that stand for themselves: `ip` is no abbreviation of `ipv6`."""
