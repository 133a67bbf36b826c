"""The texts that peers give of themselves: whether bgpd shows them, and its answers without them. No I/O.

Theory of operation: a peer's OPEN has a name and, as FRR 9 and later knows, a software version. FRR writes both as they
are, newlines too. The version is the description of a neighbour that has no other, in the summary, cut after some
letters; the name is shown with `bgp default show-hostname` or `show-nexthop-hostname`: in the summary, in tables, in what
was sent. So a peer could write rows of any of them, or refusals. JSON escapes both: there bgpd is asked for all of them
in front of the questions, and behind them once more. What could be more than a word of a row is taken out of what is
between; what is not the same in both is an error, because what is between may have either.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from policy.wording import count
from speaker.backends.base import BackendError
from speaker.backends.quagga.version import parse_running_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ASK = "show bgp vrf all summary json"
VERSIONS_SINCE = 9
"""The first FRR that shows software versions."""
_SHOW = ("bgp default show-hostname", "bgp default show-nexthop-hostname")
_PLAIN = re.compile(r"[0-9A-Za-z._-]*")
CUT = 64
"""How many letters of a version are ever shown."""
# A byte that is not UTF-8, as our decoder writes it, which is no escape of JSON. Behind an even number of \.
_BYTE = re.compile(r"(?<!\\)((?:\\\\)*)\\x([0-9a-f]{2})")
MAX_ODD = 1000
"""Peers whose texts have to be taken out: peers of a range may come in any number."""
# Where a row of the summary begins, behind the star of a dynamic neighbour; in a list; and behind an address.
_LINE, _LISTED, _BEHIND = r"(?m:^|(?<=^\*))", "(?<= )", "(?<=[0-9a-f:.])"
_REMEDY = "in router bgp: no bgp default show-hostname, no bgp default show-nexthop-hostname"
_UNKNOWN = (
    "bgpd: it shows names and versions that peers give of themselves, and did not tell all of them "
    f"by {ASK!r}, without which nothing that it shows is believed"
)


def are_shown(running: Iterable[str]) -> bool:
    """Tell of the lines of running-config whether bgpd may show texts of peers."""
    lines = {line.strip() for line in running}
    if not any(line.startswith("router bgp ") for line in lines):
        return False
    versions = filter(None, map(parse_running_version, lines))
    if any(version.major is None or version.major >= VERSIONS_SINCE for version in versions):
        return True
    if not lines.isdisjoint(_SHOW):
        return True
    return "frr defaults datacenter" in lines and not lines.issuperset(f"no {s}" for s in _SHOW)


def around(commands: Sequence[str]) -> Sequence[str]:
    """Return commands between two questions for all texts."""
    return (ASK, *commands, ASK)


def without(answer: str) -> str:
    """Return the answer to `around`, without the questions' own and without what peers may have written.

    Raises:
        BackendError: a text was changed meanwhile, or they are not told.
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
        raise BackendError(
            "bgpd: the name or version of a peer was changed meanwhile; what it shows is unknown"
        )
    return _taken_out(between, found)


class _Texts(NamedTuple):
    name: str
    version: str


def _odd(told: Any) -> Iterator[tuple[tuple[str, str], _Texts]]:
    """Yield the texts of those neighbours that give more than a plain name, and a version of one line."""
    for vrf, families in told.items():
        for family in families.values():
            for address, peer in family["peers"].items():
                texts = _Texts(peer.get("hostname", ""), peer.get("softwareVersion", ""))
                if not _PLAIN.fullmatch(texts.name) or "\n" in texts.version:
                    yield (vrf, address), texts


def _escaped(text: str) -> str:
    return _BYTE.sub(r"\1\\\\x\2", text)


def _taken_out(text: str, odd: Mapping[tuple[str, str], _Texts]) -> str:
    """Return a text without them: neighbours' rows of the summary, as a whole, and names behind an address, in brackets."""
    if not odd:
        return text
    if len(odd) > MAX_ODD:
        raise BackendError(
            f"bgpd: {count(len(odd), 'peer')} give texts that are no names; {_REMEDY}"
        )
    begins: dict[str, tuple[str, str]] = {}
    for (_, address), texts in odd.items():
        for head in (address, f"{texts.name}({address})"):
            begins[head] = address, texts.version
    behind = {f"({t.name})" for t in odd.values() if not _PLAIN.fullmatch(t.name)}
    heads = _longest_first(begins)
    rows = (re.escape(head) + _version(begins[head][1]) for head in heads)
    shown = [f"{_LINE}(?:{'|'.join(rows)})", f"{_LISTED}(?:{'|'.join(map(re.escape, heads))})"]
    if behind:
        shown.append(f"{_BEHIND}(?:{'|'.join(map(re.escape, _longest_first(behind)))})")

    def plain(match: re.Match[str]) -> str:
        found = match[0]
        if found in behind:
            return ""
        head = max(filter(found.startswith, begins), key=len)
        address, version = begins[head]
        row, line, _ = found[len(head) :].partition("\n")
        return address + (row.removesuffix(version.partition("\n")[0]) if line else row)

    return re.sub("|".join(shown), plain, text)


def _longest_first(texts: Iterable[str]) -> list[str]:
    return sorted(texts, key=len, reverse=True)


def _version(version: str) -> str:
    """Return what matches the rest of a row up to where its version ends, if that is cut behind its first line."""
    first = version.find("\n") + 1
    if not first:
        return ""
    cuts = (re.escape(version[:size]) for size in range(min(len(version), CUT), first - 1, -1))
    return rf"(?: [^\n]* (?:{'|'.join(cuts)})(?=\n|\Z))?"
