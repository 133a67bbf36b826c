"""What peers told bgpd of our prefixes: one question for each prefix that has such a path, and its answer. No I/O.

The table has neither the peer of a path nor its communities, so it only tells which prefixes to ask about.
"""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import suppress
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from policy.asn import parse_asn
from policy.errors import PolicyError
from policy.route import (
    AsPath,
    Attributes,
    Community,
    LargeCommunity,
    Origin,
    parse_prefix,
)
from policy.witness import HeardPath
from speaker.backends.quagga.table import LOCAL_WEIGHT, rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from policy.route import Asn, IpAddress, Prefix
    from speaker.backends.quagga.table import TableRow

PathsOf = dict[str, tuple[HeardPath, ...]]
"""The paths of a prefix, by the peer that told them."""
MAX_PATHS = 8
"""The paths of a prefix that are kept of one peer."""

_ENTRY = re.compile(r"BGP routing table entry for (?P<prefix>[0-9a-f:./]+)(?:,.*)?")
_FROM = re.compile(
    r" +(?P<hop>[0-9a-f:.]+)(?:\([^()]*\))?(?: \([^()]*\))* from (?P<peer>\S+) \((?P<id>[0-9.]+)\).*"
)
_NAMED = re.compile(r"[^()]*\((?P<address>[^()]+)\)")
_ORIGIN = re.compile(r" +Origin (?P<origin>IGP|EGP|incomplete)(?P<rest>,.*)?")
_MED, _PREFERENCE = re.compile(r", metric ([0-9]{1,10})"), re.compile(r", localpref ([0-9]{1,10})")
_COMMUNITY = re.compile(r" +Community: (.*)")
_LARGE = re.compile(r" +Large Community: (.*)")
_ORIGINATOR = re.compile(r" +Originator: ([0-9.]+)\b.*")
_SET = re.compile(r"\{([0-9.]+)[^}]*\}")
_CONFEDERATION = re.compile(r"[(\[][^)\]]*[)\]]")


def learned(lines: Iterable[str], ours: Collection[Prefix]) -> dict[Prefix, tuple[TableRow, ...]]:
    """Return the rows of bgpd's tables that are paths of peers to our prefixes."""
    found: dict[Prefix, list[TableRow]] = defaultdict(list)
    for row in rows(lines):
        if row.prefix in ours and row.prefix is not None and row.weight != LOCAL_WEIGHT:
            found[row.prefix].append(row)
    return {prefix: tuple(each) for prefix, each in found.items()}


def questions(prefixes: Iterable[Prefix]) -> list[str]:
    """Return the commands that ask for all paths of some prefixes. Without the length, a wider one may answer."""
    return [f"show bgp ipv{prefix.version} unicast {prefix}" for prefix in prefixes]


def parse_entries(lines: Sequence[str]) -> Mapping[Prefix, PathsOf]:
    """Parse the answers. A path that can't be understood is left out, and so are bgpd's own."""
    return dict(entries(lines))


def entries(lines: Sequence[str]) -> Iterator[tuple[Prefix, PathsOf]]:
    """Yield each answer, parsed, so that others have their turn between: there may be many. See `parse_entries`."""
    prefix: Prefix | None = None
    paths: PathsOf = {}
    for place, line in enumerate(lines):
        if (entry := _ENTRY.fullmatch(line)) is not None:
            if prefix is not None:
                yield prefix, paths
            prefix, paths = None, {}
            with suppress(PolicyError):
                prefix = parse_prefix(entry["prefix"])
        elif (source := _FROM.fullmatch(line)) is not None and place:
            peer = source["peer"]
            named = _NAMED.fullmatch(peer)
            peer = named["address"] if named else peer
            below = (lines[each] for each in range(place + 1, len(lines)))
            path = _path(source["hop"], lines[place - 1], below)
            if path is not None and len(paths.get(peer, ())) < MAX_PATHS:
                paths[peer] = (*paths.get(peer, ()), path)
    if prefix is not None:
        yield prefix, paths


def _path(hop: str, as_path: str, below: Iterable[str]) -> HeardPath | None:
    """Parse a path: AS_PATH stands above its next hop, all else below, up to the next one."""
    try:
        next_hop = ip_address(hop)
        if next_hop.is_unspecified:
            return None
        return _parsed(next_hop, _asns(as_path), below)
    except ValueError:
        return None


def _asns(line: str) -> tuple[Asn, ...]:
    text = _CONFEDERATION.sub("", _SET.sub(r"\1", line.partition(", (")[0])).strip().rstrip(",")
    return () if text == "Local" else tuple(map(parse_asn, text.split()))


def _parsed(hop: IpAddress, asns: tuple[Asn, ...], below: Iterable[str]) -> HeardPath:
    origin, rest, originator = Origin.INCOMPLETE, "", None
    communities: list[Community] = []
    large: list[LargeCommunity] = []
    for line in below:
        if _ENTRY.fullmatch(line) or _FROM.fullmatch(line):
            break
        if match := _ORIGIN.fullmatch(line):
            origin, rest = Origin(match["origin"].lower()), match["rest"] or ""
        elif match := _COMMUNITY.fullmatch(line):
            # The well-known ones have names, and are no marks.
            communities = [Community.parse(word) for word in match[1].split() if ":" in word]
        elif match := _LARGE.fullmatch(line):
            large = [LargeCommunity.parse(word) for word in match[1].split()]
        elif match := _ORIGINATOR.fullmatch(line):
            originator = IPv4Address(match[1])
    med, preference = _MED.search(rest), _PREFERENCE.search(rest)
    attributes = Attributes(
        AsPath(asns),
        int(med[1]) if med else None,
        origin,
        tuple(communities),
        tuple(large),
        int(preference[1]) if preference else None,
    )
    return HeardPath(attributes, hop, originator)
