"""AS numbers: what they are, and how they are written."""

from __future__ import annotations

import re
from typing import NewType

from policy.errors import PolicyError

Asn = NewType("Asn", int)

MAX_ASN = 2**32 - 1
MAX_SHORT_ASN = 2**16 - 1
"""The last of those that two octets hold (RFC 6793)."""
_FORM = re.compile(r"(?:(?P<high>[0-9]{1,5})\.)?(?P<low>[0-9]{1,10})")


def parse_asn(text: str) -> Asn:
    """Parse an AS number, plain or in halves (asplain `65546` or asdot `1.10`, RFC 5396), 1 to 4294967295.

    Raises:
        PolicyError: it is not one.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise PolicyError(f"ASN: {text!r}: not a number from 1 to {MAX_ASN}, nor two like 1.10")
    high, low = int(match["high"] or 0), int(match["low"])
    number = (high << 16) + low
    if not 1 <= number <= MAX_ASN or (match["high"] and max(high, low) > MAX_SHORT_ASN):
        raise PolicyError(
            f"ASN: {text!r}: not a number from 1 to {MAX_ASN}, nor two to {MAX_SHORT_ASN}"
        )
    return Asn(number)
