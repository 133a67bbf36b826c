"""AS numbers as bgpd writes them: plain, or in halves where `router bgp … as-notation` says so."""

from __future__ import annotations

import re

from policy.route import Asn, parse_asn

_HALVES = re.compile(r"([0-9]{1,5})\.([0-9]{1,5})")
PATTERN = r"[0-9]+(?:\.[0-9]+)?"
"""What `asn_of` is to be asked about."""


def asn_of(text: str) -> Asn:
    """Parse `65546` or `1.10` (RFC 5396).

    Raises:
        PolicyError: it is neither.
    """
    halves = _HALVES.fullmatch(text)
    return parse_asn(str(int(halves[1]) * 0x10000 + int(halves[2])) if halves else text)
