"""The names that peers give themselves: whether bgpd shows them, and its answers without them. No I/O.

Theory of operation: with `bgp default show-hostname`, or `show-nexthop-hostname`, FRR writes a peer's name as
the peer has it in its OPEN, newlines too: in the summary, in tables, in what was sent. So a peer could write
rows of any of them. JSON escapes them: there bgpd is asked for all names in front of the questions, and
behind them once more. One that is no plain name is taken out of what is between; one that is not the same
in both is an error, because what is between may have either.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from speaker.backends.base import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ASK = "show bgp vrf all summary json"
_SHOW = ("bgp default show-hostname", "bgp default show-nexthop-hostname")
_PLAIN = re.compile(r"[0-9A-Za-z._-]*")
# A byte that is not UTF-8, as our decoder writes it, which is no escape of JSON. Behind an even number of \.
_BYTE = re.compile(r"(?<!\\)((?:\\\\)*)\\x([0-9a-f]{2})")
MAX_ODD = 1000
"""Peers whose names are none: peers of a range may come in any number."""
# Where a line begins, behind the star of a dynamic neighbour; and behind an address.
_LINE, _BEHIND = r"(?m:^|(?<=^\*))", "(?<=[0-9a-f:.])"
_REMEDY = "in router bgp: no bgp default show-hostname, no bgp default show-nexthop-hostname"
_UNKNOWN = (
    "bgpd: it shows the names that peers give themselves, and did not tell all of them as JSON; "
    f"where this stays, {_REMEDY}"
)


def are_shown(running: Iterable[str]) -> bool:
    """Tell of the lines of running-config whether bgpd may show names."""
    lines = {line.strip() for line in running}
    if not lines.isdisjoint(_SHOW):
        return True
    return "frr defaults datacenter" in lines and not lines.issuperset(f"no {s}" for s in _SHOW)


def around(commands: Sequence[str]) -> Sequence[str]:
    """Return commands between two questions for all names."""
    return (ASK, *commands, ASK)


def without(answer: str) -> str:
    """Return the answer to `around`, without the questions' own and without what is no plain name.

    Raises:
        BackendError: a name was changed meanwhile, or the names are not told.
    """
    lines = answer.lstrip().split("\n")
    try:
        before, end = json.JSONDecoder().raw_decode(text := _escaped("\n".join(lines)))
        rest = "\n".join(lines[text.count("\n", 0, end) + 1 :])
        between, _, after = rest.rpartition("\n{\n")
        found = dict(_odd(before))
        same = found == dict(_odd(json.loads(_escaped(f"{{\n{after}"))))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise BackendError(_UNKNOWN) from error
    if not same:
        raise BackendError("bgpd: a peer's name was changed meanwhile; what it shows is unknown")
    return _taken_out(between, found)


def _odd(told: Any) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the names that are not plain ones, each with its VRF and its neighbour."""
    for vrf, families in told.items():
        for family in families.values():
            for address, peer in family["peers"].items():
                name = peer.get("hostname", "")
                if not _PLAIN.fullmatch(name):
                    yield (vrf, address), name


def _escaped(text: str) -> str:
    return _BYTE.sub(r"\1\\\\x\2", text)


def _taken_out(text: str, names: Mapping[tuple[str, str], str]) -> str:
    """Return a text without names: a line's in front of its neighbour's address, others' behind one, in brackets."""
    if not names:
        return text
    if len(names) > MAX_ODD:
        raise BackendError(f"bgpd: {len(names)} peers have names that are none; {_REMEDY}")
    begins = {f"{name}({address})": address for (_, address), name in names.items()}
    behind = dict.fromkeys((f"({name})" for name in names.values()), "")
    texts = begins | behind
    either = f"{_LINE}{_any(begins)}|{_BEHIND}{_any(behind)}"
    return re.sub(either, lambda match: texts[match[0]], text)


def _any(texts: Iterable[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, sorted(texts, key=len, reverse=True)))})"
