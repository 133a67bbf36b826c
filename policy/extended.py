"""ExtendedCommunity: a route target or a site of origin (RFC 4360 §4 and §5, RFC 5668), which every daemon can set.

Both are transitive. Others (bandwidth, color, opaque ones) are not among them: bgpd's versions can't set them all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Self

from policy.asn import MAX_ASN, MAX_SHORT_ASN, Asn, parse_asn
from policy.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_16, _MAX_32 = 2**16 - 1, 2**32 - 1
_FORM = re.compile(r"(rt|soo):([0-9.]{1,15}):([0-9]{1,10})")
_DOTS = 3


class ExtendedKind(StrEnum):
    """What an extended community says, in bgpd's words."""

    ROUTE_TARGET = "rt"
    SITE_OF_ORIGIN = "soo"


_SUBTYPES = {ExtendedKind.ROUTE_TARGET: 0x02, ExtendedKind.SITE_OF_ORIGIN: 0x03}


@dataclass(frozen=True, slots=True)
class ExtendedCommunity:
    """An extended community. `str()` is `rt:64500:1`, `rt:192.0.2.1:5` or `soo:64500:1`.

    After an AS number that two octets hold the number has four octets, else two. A site of origin has
    no address: ExaBGP shows such a one as it shows another one with an AS number.

    Raises:
        PolicyError: there is no such one.
    """

    kind: ExtendedKind
    administrator: Asn | IPv4Address
    number: int

    def __post_init__(self) -> None:
        own = self.administrator
        if isinstance(own, IPv4Address):
            if self.kind is ExtendedKind.SITE_OF_ORIGIN:
                raise PolicyError(
                    f"extended community: {self}: a site of origin with an address is shown by ExaBGP as another one; write an AS number"
                )
        elif not 1 <= own <= MAX_ASN:
            raise PolicyError(f"extended community: {self}: an ASN is a number from 1 to {MAX_ASN}")
        most = _MAX_32 if self._is_short else _MAX_16
        if not 0 <= self.number <= most:
            raise PolicyError(
                f"extended community: {self}: after {own} comes a number from 0 to {most}"
            )

    @property
    def _is_short(self) -> bool:
        """Whether it has an AS number of two octets."""
        own = self.administrator
        return not isinstance(own, IPv4Address) and own <= MAX_SHORT_ASN

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `rt:64500:1`; the AS number may be asdot (`rt:1.10:1`), and is shown plain.

        Raises:
            PolicyError: it is not of that form, or there is no such one.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise PolicyError(
                f"extended community: {text!r}: not of the form rt:64500:1 or soo:64500:1; "
                "set any other kind at the router"
            )
        try:
            own = IPv4Address(match[2]) if match[2].count(".") == _DOTS else parse_asn(match[2])
        except AddressValueError as error:
            raise PolicyError(
                f"extended community: {text!r}: {match[2]} is not an IPv4 address; write it like rt:192.0.2.1:5"
            ) from error
        return cls(ExtendedKind(match[1]), own, int(match[3]))

    @property
    def octets(self) -> bytes:
        """Its eight octets in an UPDATE."""
        own, subtype = self.administrator, _SUBTYPES[self.kind]
        if isinstance(own, IPv4Address):
            return bytes((0x01, subtype)) + own.packed + self.number.to_bytes(2)
        if self._is_short:
            return bytes((0x00, subtype)) + own.to_bytes(2) + self.number.to_bytes(4)
        return bytes((0x02, subtype)) + own.to_bytes(4) + self.number.to_bytes(2)

    @property
    def value(self) -> str:
        """It without its kind, as bgpd takes it: `64500:1`."""
        return f"{self.administrator}:{self.number}"

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"

    def __lt__(self, other: Self) -> bool:
        return self.octets < other.octets


def in_order(communities: Iterable[ExtendedCommunity]) -> tuple[ExtendedCommunity, ...]:
    """Return each once, sorted: their order means nothing (RFC 4360 §2)."""
    return tuple(sorted(set(communities)))
