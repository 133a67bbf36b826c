"""Extended communities in ExaBGP's API: given as octets, as the dialects take words otherwise; shown as words.

4.2 sends another community for `target:192.0.2.1:5` than 5.0, and 5.0 another one for `target:65546:1` than
4.2. Both take octets as they are. What they show is told apart but for a site of origin that has an address,
which they show as one with an AS number: we give them no such.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from policy.asn import MAX_SHORT_ASN, parse_asn
from policy.errors import PolicyError
from policy.extended import ExtendedCommunity, ExtendedKind

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = re.compile(
    r"(?P<kind>target|origin):(?P<administrator>[0-9.]+)(?P<long>L?):(?P<number>[0-9.]+)"
)
_KINDS = {"target": ExtendedKind.ROUTE_TARGET, "origin": ExtendedKind.SITE_OF_ORIGIN}


def render(communities: Iterable[ExtendedCommunity]) -> str:
    """Render the part of an `announce attributes` line."""
    octets = " ".join(f"0x{each.octets.hex()}" for each in communities)
    return f"extended-community [ {octets} ]"


def parse(word: str) -> ExtendedCommunity:
    """Parse one as it is shown: `target:64500:1`, `target:65546L:1` by 4.2, `origin:64500:0.0.0.1`.

    Raises:
        ValueError: it is none that we give.
    """
    match = _SHOWN.fullmatch(word)
    if match is None:
        raise PolicyError(f"extended community: {word!r}: not one that is given ExaBGP")
    own = match["administrator"]
    administrator = IPv4Address(own) if "." in own else parse_asn(own)
    if match["long"] and int(own) <= MAX_SHORT_ASN:
        raise PolicyError(f"extended community: {word!r}: not one that is given ExaBGP")
    number = match["number"]
    return ExtendedCommunity(
        _KINDS[match["kind"]],
        administrator,
        int(IPv4Address(number)) if "." in number else int(number),
    )
