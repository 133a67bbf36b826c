"""AsPath, communities and Route: one announcement as an eBGP peer sees it (RFC 4271 §4.3, §5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Self

from policy import asn as as_number
from policy.asn import MAX_ASN, parse_asn
from policy.errors import PolicyError
from policy.extended import ExtendedCommunity, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator

Prefix = IPv4Network | IPv6Network
IpAddress = IPv4Address | IPv6Address
Asn = as_number.Asn

MAX_MED = 2**32 - 1
MAX_PREPENDS = 32
MAX_COPIES = 255  # as many ASes as one AS_SEQUENCE holds (RFC 4271 §4.3)
_MAX_16 = 2**16 - 1
_MAX_32 = 2**32 - 1


class Origin(StrEnum):
    """ORIGIN (RFC 4271 §5.1.1), in the words of Quagga, FRR and ExaBGP."""

    IGP = "igp"
    EGP = "egp"
    INCOMPLETE = "incomplete"


ORIGINS = (Origin.IGP, Origin.EGP, Origin.INCOMPLETE)
"""Those that a router prefers first (RFC 4271 §4.3, §9.1.2.2 b)."""


class _OfKnownText:
    """A prefix that knows its hash and its text: thousands are looked up and shown in each cycle."""

    _text = ""

    def __init__(self, text: str) -> None:
        super().__init__(text)  # type: ignore[call-arg] # of the class beside this one
        self._hash = super().__hash__()
        self._text = super().__str__()

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self._text or super().__str__()  # the latter while it is refused


class _Ipv4Prefix(_OfKnownText, IPv4Network):
    pass


class _Ipv6Prefix(_OfKnownText, IPv6Network):
    pass


@lru_cache(maxsize=100_000)
def parse_prefix(text: str) -> Prefix:
    """Parse `192.0.2.1/32`, or an address as the host prefix that it is.

    Raises:
        PolicyError: the text is no prefix, or has host bits set.
    """
    if "%" in text:
        raise PolicyError(f"prefix: {text!r}: has a zone; an announced prefix has none")
    try:
        return _Ipv6Prefix(text) if ":" in text else _Ipv4Prefix(text)
    except ValueError as error:
        why = f"{text} has host bits set" if "host bits" in str(error) else "is not a prefix"
        raise PolicyError(
            f"prefix: {text!r}: {why}; write an address or a prefix without host bits"
        ) from error


@dataclass(frozen=True, slots=True)
class AsPath:
    """An AS_PATH of one AS_SEQUENCE, nearest AS first. `str()` is `64699 64699`."""

    asns: tuple[Asn, ...] = ()

    def __post_init__(self) -> None:
        for asn in self.asns:
            if not 1 <= asn <= MAX_ASN:
                raise PolicyError(f"AS_PATH: {asn}: an ASN is a number from 1 to {MAX_ASN}")

    @classmethod
    def originated(cls, asn: Asn, prepends: int) -> Self:
        """Return what an eBGP peer sees of a route that `asn` originates with extra copies of itself."""
        if not 0 <= prepends < MAX_COPIES:
            raise PolicyError(f"prepends: {prepends}: not a number from 0 to {MAX_COPIES - 1}")
        return cls((asn,) * (prepends + 1))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse what `str()` gives."""
        return cls(tuple(parse_asn(word) for word in text.split()))

    def __str__(self) -> str:
        return " ".join(map(str, self.asns))

    def __len__(self) -> int:
        return len(self.asns)

    def __iter__(self) -> Iterator[Asn]:
        return iter(self.asns)


@dataclass(frozen=True, slots=True, order=True)
class Community:
    """A community (RFC 1997). `str()` is `64699:100`; well-known names are not used, only numbers."""

    high: int
    low: int

    def __post_init__(self) -> None:
        if not (0 <= self.high <= _MAX_16 and 0 <= self.low <= _MAX_16):
            raise PolicyError(f"community: {self}: both halves are numbers from 0 to {_MAX_16}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `64699:100`."""
        match = re.fullmatch(r"([0-9]{1,5}):([0-9]{1,5})", text)
        if match is None:
            raise PolicyError(f"community: {text!r}: not of the form 64699:100")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.high}:{self.low}"


@dataclass(frozen=True, slots=True, order=True)
class LargeCommunity:
    """A large community (RFC 8092). `str()` is `64699:1:2`."""

    administrator: int
    data1: int
    data2: int

    def __post_init__(self) -> None:
        if not all(0 <= part <= _MAX_32 for part in (self.administrator, self.data1, self.data2)):
            raise PolicyError(f"large community: {self}: all parts are numbers from 0 to {_MAX_32}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `64699:1:2`."""
        match = re.fullmatch(r"([0-9]{1,10}):([0-9]{1,10}):([0-9]{1,10})", text)
        if match is None:
            raise PolicyError(f"large community: {text!r}: not of the form 64699:1:2")
        return cls(int(match[1]), int(match[2]), int(match[3]))

    def __str__(self) -> str:
        return f"{self.administrator}:{self.data1}:{self.data2}"


@dataclass(frozen=True, slots=True)
class Attributes:
    """The path attributes of a route except NEXT_HOP, which each backend knows.

    `med` is None where the attribute is absent, `local_preference` where it is the usual 100; it is
    for iBGP peers alone. Communities are sets (RFC 1997: their order means nothing) and are kept
    sorted, so that equal attributes compare equal.
    """

    as_path: AsPath
    med: int | None = None
    origin: Origin = Origin.IGP
    communities: tuple[Community, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    local_preference: int | None = None
    extended_communities: tuple[ExtendedCommunity, ...] = ()

    def __post_init__(self) -> None:
        if self.med is not None and not 0 <= self.med <= MAX_MED:
            raise PolicyError(f"MED: {self.med}: not a number from 0 to {MAX_MED}")
        object.__setattr__(self, "communities", tuple(sorted(set(self.communities))))
        object.__setattr__(self, "large_communities", tuple(sorted(set(self.large_communities))))
        object.__setattr__(self, "extended_communities", in_order(self.extended_communities))

    def __str__(self) -> str:
        words = [f"as-path [ {self.as_path} ]", f"origin {self.origin}"]
        if self.med is not None:
            words.append(f"med {self.med}")
        if self.local_preference is not None:
            words.append(f"local-preference {self.local_preference}")
        if self.communities:
            words.append(f"community [ {' '.join(map(str, self.communities))} ]")
        if self.large_communities:
            words.append(f"large-community [ {' '.join(map(str, self.large_communities))} ]")
        if self.extended_communities:
            words.append(f"extended-community [ {' '.join(map(str, self.extended_communities))} ]")
        return " ".join(words)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse what `str()` gives.

        Raises:
            PolicyError: the text is not of that form.
        """
        match = _ATTRIBUTES.fullmatch(text)
        if match is None:
            raise PolicyError(f"attributes: {text!r}: not of the form {cls(AsPath())!s}")
        return cls(
            as_path=AsPath.parse(match["path"]),
            med=None if match["med"] is None else int(match["med"]),
            origin=Origin(match["origin"]),
            communities=tuple(map(Community.parse, (match["communities"] or "").split())),
            large_communities=tuple(map(LargeCommunity.parse, (match["large"] or "").split())),
            local_preference=None if match["preference"] is None else int(match["preference"]),
            extended_communities=tuple(
                map(ExtendedCommunity.parse, (match["extended"] or "").split())
            ),
        )


_ATTRIBUTES = re.compile(
    r"as-path \[ (?P<path>[0-9 ]*)\] origin (?P<origin>igp|egp|incomplete)"
    r"(?: med (?P<med>[0-9]{1,10}))?"
    r"(?: local-preference (?P<preference>[0-9]{1,10}))?"
    r"(?: community \[ (?P<communities>[0-9: ]+) \])?"
    r"(?: large-community \[ (?P<large>[0-9: ]+) \])?"
    r"(?: extended-community \[ (?P<extended>[a-z0-9.: ]+) \])?"
)


Override = tuple[IpAddress, Attributes | None]
"""A neighbour, and what it gets in place of what all get: None for nothing."""


@dataclass(frozen=True, slots=True)
class Route:
    """A prefix with its attributes. `str()` is what a person reads in the log, and parses back.

    `overrides` has the neighbours that get something else, each once. Most sites have none.
    """

    prefix: Prefix
    attributes: Attributes
    overrides: tuple[Override, ...] = ()

    def to(self, neighbor: IpAddress) -> Attributes | None:
        """Return what a neighbour gets, None where it gets nothing."""
        for address, attributes in self.overrides:
            if address == neighbor:
                return attributes
        return self.attributes

    @property
    def described(self) -> str:
        """What is announced, without the prefix."""
        return "; ".join(
            (str(self.attributes), *(f"{who}: {what or _NOTHING}" for who, what in self.overrides))
        )

    def __str__(self) -> str:
        return f"{self.prefix} {self.described}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse what `str()` gives."""
        first, *others = text.split("; ")
        prefix, _, attributes = first.partition(" ")
        parted = (other.partition(": ") for other in others)
        return cls(
            parse_prefix(prefix),
            Attributes.parse(attributes),
            tuple(
                (ip_address(who), None if what == _NOTHING else Attributes.parse(what))
                for who, _, what in parted
            ),
        )


_NOTHING = "nothing"
