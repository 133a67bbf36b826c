"""ExaBGP's API as text: attributes to render, its Adj-RIB-Out to parse. No I/O.

Both dialects: 4.2 and 5.0.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from policy.route import (
    Asn,
    AsPath,
    Attributes,
    Community,
    LargeCommunity,
    Origin,
    Prefix,
    parse_prefix,
)
from speaker.backends.base import BackendError
from speaker.backends.exabgp import extended_text
from speaker.backends.exabgp.neighbors import Ends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from speaker.backends.exabgp.neighbors import ConfiguredNeighbor
    from speaker.config.settings import NextHop
    from speaker.units import IpAddress


@dataclass(frozen=True, slots=True)
class Sent:
    """What a line gives one neighbour: the attributes as sent, and NEXT_HOP, None for `self`."""

    attributes: Attributes
    next_hop: IpAddress | None

    def __str__(self) -> str:
        return f"next-hop {self.next_hop or 'self'} {self.attributes}"


def sent(attributes: Attributes, neighbor: ConfiguredNeighbor, next_hop: IpAddress | None) -> Sent:
    """Return what one neighbour gets of a route: its own local AS, and on iBGP none but the prepends.

    That is what Quagga sends (RFC 4271 §5.1.2). LOCAL_PREF is for iBGP alone (§5.1.5).
    """
    copies = len(attributes.as_path) - (neighbor.local_as == neighbor.peer_as)
    path = AsPath((neighbor.local_as,) * copies)
    if path != attributes.as_path:
        attributes = replace(attributes, as_path=path)
    if attributes.local_preference is not None and neighbor.local_as != neighbor.peer_as:
        attributes = replace(attributes, local_preference=None)
    return Sent(attributes, next_hop)


def unreachable(neighbor: ConfiguredNeighbor, version: int, next_hop: IpAddress | None) -> str:
    """Return why a neighbour can't be sent routes of a family, or nothing.

    `next-hop self` is the local address of the session, which must be of the route's family:
    ExaBGP 5 answers `error` otherwise and 4 nothing at all.
    """
    local = neighbor.local_address
    if version not in neighbor.families or next_hop is not None:
        return ""
    if local is not None and local.version == version:
        return ""
    return (
        f"neighbor {neighbor.address}: no IPv{version} next hop on a session from {local}; "
        f"set next_hop = {{ ipv{version} = … }} in vip.toml"
    )


def next_hop_for(hops: NextHop, version: int) -> IpAddress | None:
    """Return the configured next hop of a family, None for `self`."""
    return hops.ipv4 if version == 4 else hops.ipv6


def render_sent(what: Sent) -> str:
    """Render the attributes of an `announce attributes` line."""
    attributes = what.attributes
    words = [f"next-hop {what.next_hop or 'self'}"]
    if attributes.as_path.asns:  # an empty one would be sent as such, to eBGP peers too
        words.append(f"as-path [ {attributes.as_path} ]")
    words.append(f"origin {attributes.origin}")
    if attributes.med is not None:
        words.append(f"med {attributes.med}")
    if attributes.local_preference is not None:
        words.append(f"local-preference {attributes.local_preference}")
    if attributes.communities:
        words.append(f"community [ {' '.join(map(str, attributes.communities))} ]")
    if attributes.large_communities:
        words.append(f"large-community [ {' '.join(map(str, attributes.large_communities))} ]")
    if attributes.extended_communities:
        words.append(extended_text.render(attributes.extended_communities))
    return " ".join(words)


_RIB = re.compile(
    r"neighbor (?P<peer>\S+) local-ip (?P<local>\S+) local-as (?P<local_as>\d+) peer-as (?P<peer_as>\d+)"
    r" .*?\b(?P<family>ipv[46] unicast) (?P<prefix>\S+)(?P<rest>.*)"
)
_BRACKETED = r"(?:[\[\(] ?(?P<{0}>[0-9a-zL.: -]*?) ?[\]\)]|(?P<{0}1>[0-9a-zL.:-]+))"
_REST = re.compile(
    r" next-hop (?P<hop>\S+)(?: origin (?P<origin>\w+))?"
    rf"(?: as-path {_BRACKETED.format('path')})?"
    r"(?: med (?P<med>\d+))?(?: local-preference (?P<preference>\d+))?"
    rf"(?: community {_BRACKETED.format('community')})?"
    rf"(?: extended-community {_BRACKETED.format('extended')})?"
    rf"(?: large-community {_BRACKETED.format('large')})?"
)


# Given as numbers, and shown by name.
_WELL_KNOWN = {
    "no-export": "65535:65281",
    "no-advertise": "65535:65282",
    "no-export-subconfed": "65535:65283",
    "no-peer": "65535:65284",
    "blackhole": "65535:666",
}


Entry = tuple[Ends, Prefix, "Sent | str"]
"""What a line of the listing says: of a session, that a prefix is sent with this."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to `show adj-rib out extensive`: what is sent, by session and prefix."""

    lines: Sequence[str] = ()
    entries: Mapping[str, Entry] = field(default_factory=dict)
    ribs: Mapping[Ends, Mapping[Prefix, Sent | str]] = field(default_factory=dict)


def parse_listing(lines: Sequence[str], last: Listing | None = None) -> Listing:
    """Parse the answer to `show adj-rib out extensive`.

    A route with attributes that we never send comes as its text, so that it never equals our own.
    Families other than IPv4 and IPv6 unicast are passed over.

    Args:
        lines: the answer.
        last: the listing before: of ten thousand lines hardly any is another one. Where none is,
            it is what is returned.

    Raises:
        BackendError: a line is not of the known form.
    """
    last = last or Listing()
    if lines == last.lines:
        return last
    found: dict[Ends, dict[Prefix, Sent | str]] = defaultdict(dict)
    sessions: dict[tuple[str, str], Ends] = {}
    entries: dict[str, Entry] = {}
    for line in lines:
        entry = last.entries.get(line) or _parse_line(line, sessions)
        if entry is not None:
            ends, prefix, what = entries[line] = entry
            found[ends][prefix] = what
    return Listing(lines, entries, dict(found))


def _parse_line(line: str, sessions: dict[tuple[str, str], Ends]) -> Entry | None:
    """Parse one line; None where it is of another family."""
    match = _RIB.fullmatch(line.strip())
    if match is None:
        if line.startswith("neighbor ") and not re.search(r" ipv[46] unicast ", line):
            return None
        raise _not_known(line)
    try:
        written = (match["peer"], match["local"])
        ends = sessions.get(written) or sessions.setdefault(written, Ends.parse(*written))
        return ends, parse_prefix(match["prefix"]), _parse_sent(match["rest"])
    except ValueError as error:
        raise _not_known(line) from error


def _not_known(line: str) -> BackendError:
    return BackendError(
        f"ExaBGP: show adj-rib out extensive: {line[:200]!r}: not of a known form; "
        "is this ExaBGP 4.2 or 5.0?"
    )


@lru_cache(maxsize=1024)
def _parse_sent(text: str) -> Sent | str:
    """Parse attributes. Thousands of routes have the same, and then one object is all of theirs."""
    match = _REST.fullmatch(text.rstrip())
    if match is None:
        return text.strip()
    try:
        hop = None if match["hop"] == "self" else ip_address(match["hop"])
        return Sent(
            Attributes(
                AsPath.parse(match["path"] or match["path1"] or ""),
                None if match["med"] is None else int(match["med"]),
                Origin(match["origin"] or "igp"),
                tuple(
                    Community.parse(_WELL_KNOWN.get(word, word))
                    for word in _words(match, "community")
                ),
                tuple(map(LargeCommunity.parse, _words(match, "large"))),
                None if match["preference"] is None else int(match["preference"]),
                tuple(map(extended_text.parse, _words(match, "extended"))),
            ),
            hop,
        )
    except ValueError:
        return text.strip()


def _words(match: re.Match[str], group: str) -> list[str]:
    return (match[group] or match[f"{group}1"] or "").split()


def as_ebgp(
    what: Sent | str, neighbor: ConfiguredNeighbor, hop: IpAddress | None, asn: Asn
) -> Attributes | None:
    """Return the attributes of a route that a neighbour was sent, as an eBGP peer of `asn` sees them.

    The inverse of `sent`. None where it is nothing that we would have sent. For `self`, 4.2
    shows the word and 5.0 the address.
    """
    if isinstance(what, str):
        return None
    hops = {hop} if hop is not None else {None, neighbor.local_address}
    path = what.attributes.as_path
    copies = len(path) + (neighbor.local_as == neighbor.peer_as)
    if what.next_hop not in hops or not copies or set(path) - {neighbor.local_as}:
        return None
    return replace(what.attributes, as_path=AsPath((asn,) * copies))


def fits(
    what: Sent | str | None,
    attributes: Attributes | None,
    neighbor: ConfiguredNeighbor,
    hop: IpAddress | None,
) -> bool:
    """Tell whether a neighbour was sent just what it is to get, None for nothing."""
    if what is None or attributes is None:
        return what is None and attributes is None
    if isinstance(what, str):
        return False
    hops = {hop} if hop is not None else {None, neighbor.local_address}
    return what.next_hop in hops and what.attributes == sent(attributes, neighbor, hop).attributes
