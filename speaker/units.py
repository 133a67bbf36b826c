"""The units that a person writes: `250ms`, `2h`, `50%`, `127.0.0.1:5353`."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, TypeVar

from policy.asn import MAX_ASN, parse_asn
from policy.errors import PolicyError
from policy.route import Community, LargeCommunity
from speaker.printable import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

S = TypeVar("S")
T = TypeVar("T")
IpAddress = IPv4Address | IPv6Address
Endpoint = tuple[IpAddress, int]

DURATION = r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)"
SHARE = r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: object) -> float:
    """Parse `250ms`, `5s`, `10m`, `2h` or `1d` into seconds.

    Raises:
        ValueError: it is none.
    """
    match = isinstance(text, str) and re.fullmatch(DURATION, text)
    if not match:
        raise ValueError(
            f'{shown(text)} is not a duration; write it like "250ms", "5s", "10m", "2h", "1d"'
        )
    return float(match[1]) * _SECONDS[match[2]]


def asn(number: object) -> int:
    """Parse an AS number: a number, or a text, plain or in halves like `1.10` (RFC 5396).

    Raises:
        ValueError: it is none.
    """
    # 1.1 and 1.10 would be the same.
    if isinstance(number, bool) or not isinstance(number, int | str):
        raise ValueError(f'{shown(number)} is not an AS number; write it like 64699 or "1.10"')  # noqa: TRY004 - pydantic collects these
    form = f'an AS number from 1 to {MAX_ASN}; write it like 64699 or "1.10"'
    return _parsed(lambda text: parse_asn(str(text)), number, form)


def community(text: str) -> Community:
    """Parse `64699:100`.

    Raises:
        ValueError: it is none.
    """
    form = 'a community; write it like "64699:100", two numbers up to 65535'
    return _parsed(Community.parse, text, form)


def large_community(text: str) -> LargeCommunity:
    """Parse `64699:1:2`.

    Raises:
        ValueError: it is none.
    """
    form = 'a large community; write it like "64699:1:2", three numbers up to 4294967295'
    return _parsed(LargeCommunity.parse, text, form)


def _parsed(parse: Callable[[S], T], text: S, form: str) -> T:
    try:
        return parse(text)
    except PolicyError as error:
        raise ValueError(f"{shown(text)} is not {form}") from error


def duration_text(seconds: float) -> str:
    """Return the text that `duration` parses into that many seconds, or the nearest to them.

    Raises:
        ValueError: negative, or more than 999999999 days.
    """
    texts = (
        f"{seconds / unit:.6f}".rstrip("0").rstrip(".") + name for name, unit in _SECONDS.items()
    )
    return _nearest(duration, texts, seconds)


def share_text(part: float) -> str:
    """Return the text that `share` parses into that part, or the nearest to it.

    Raises:
        ValueError: not from 0 to 1.
    """
    return _nearest(share, (f"{part * 100:.{digits}f}%" for digits in range(4)), part)


def _nearest(parse: Callable[[object], float], texts: Iterable[str], wanted: float) -> str:
    """Return the text that is parsed into what is wanted, the shortest of those as near."""
    near: list[tuple[float, int, str]] = []
    for text in texts:
        with suppress(ValueError):
            near.append((abs(parse(text) - wanted), len(text), text))
    if not near:
        raise ValueError(f"{wanted} has no text")
    return min(near)[2]


def endpoint_text(where: Endpoint) -> str:
    """Return the text that `endpoint` parses."""
    address, port = where
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def share(text: object) -> float:
    """Parse `50%` into 0.5.

    Raises:
        ValueError: it is no share from 0% to 100%.
    """
    match = isinstance(text, str) and re.fullmatch(SHARE, text)
    if not match or float(match[1]) > 100:
        raise ValueError(f'{shown(text)} is not a share; write it like "50%", from "0%" to "100%"')
    return float(match[1]) / 100


def address(text: object) -> IpAddress:
    """Parse an IPv4 or IPv6 address without a zone.

    Raises:
        ValueError: it is none.
    """
    fault = f'{shown(text)} is not an address; write it like "192.0.2.1" or "2001:db8::1"'
    if not isinstance(text, str) or "%" in text:
        raise ValueError(fault)
    host, slash, length = text.partition("/")
    try:
        found = ip_address(host)
    except ValueError as error:
        raise ValueError(fault) from error
    if slash and length == str(found.max_prefixlen):
        raise ValueError(f'{shown(text)} is a prefix; write its address alone: "{found}"')
    if slash:  # its first address alone would be something else
        raise ValueError(f"{shown(text)} is a prefix; write one address, without /")
    return found


def _prefix(text: object) -> IPv4Network | IPv6Network | None:
    if not isinstance(text, str) or "/" not in text:
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def announced(text: object) -> IpAddress:
    """Parse the address of a VIP.

    Raises:
        ValueError: it is none. Of a wider prefix it says how that is written.
    """
    prefix = _prefix(text)
    if prefix is not None and 0 < prefix.prefixlen < prefix.max_prefixlen:
        table = f'{{ ip = "{prefix.network_address}", prefix_length = {prefix.prefixlen} }}'
        raise ValueError(f"{shown(text)} is a prefix; write it as a table: {table}")
    return address(text)


def word(text: object) -> str:
    """Parse what may be part of a command to bgpd: one word, without what its shell gives a meaning.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_.:+,=@/<>()-]{1,64}", text):
        raise ValueError(
            f"{shown(text)} is not a valid name for bgpd; write one word of letters, digits and _ . : + - and the like"
        )
    return text


def label(text: str) -> str:
    """Parse a name that people read in tables and lines of a log.

    Raises:
        ValueError: it is none.
    """
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError(
            f"{shown(text)} is not a name; write printable text, without blanks around it"
        )
    return text


def pattern(text: str) -> str:
    """Parse a pattern of names: a word that has `{profile}` in it once.

    Raises:
        ValueError: it is none. Without `{profile}`, all profiles would have the same name.
    """
    before, found, after = text.partition("{profile}")
    if not found:
        raise ValueError(f'{shown(text)} has no {{profile}}; write it like "VIP-{{profile}}"')
    word(f"{before}x{after}")
    return text


def more(text: str) -> int:
    """Parse `+2`, so many more.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"\+[0-9]{1,2}", text):
        raise ValueError(f'{shown(text)} is not so many more; write it like "+2"')
    return int(text)


def group(text: str) -> str:
    """Parse the name of a group of this machine's users, which need not be there yet.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", text):
        raise ValueError(f'{shown(text)} is not a group\'s name; write it like "vip-readers"')
    return text


def socket_mode(text: str) -> int:
    """Parse `0660`: who may connect to a socket. Only its owner, its group and others can be named.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"0?6[06][06]", text):
        raise ValueError(
            f'{shown(text)} is not a socket\'s mode; write "0660" for its group, "0666" for every user'
        )
    return int(text, 8)


def endpoint(text: object) -> tuple[IpAddress, int]:
    """Parse `192.0.2.1:80` or `[2001:db8::1]:80`.

    Raises:
        ValueError: it is none.
    """
    match = isinstance(text, str) and re.fullmatch(
        r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})", text
    )
    if not match or not 0 < int(match[3]) < 65536:
        raise ValueError(
            f'{shown(text)} is not an address and port; write it like "192.0.2.1:80" or "[2001:db8::1]:80"'
        )
    return address(match[1] or match[2]), int(match[3])


def ipv4(text: object) -> IPv4Address:
    """Parse an IPv4 address.

    Raises:
        ValueError: it is none.
    """
    found = address(text)
    if found.version != 4:
        raise ValueError(f'{shown(text)} is not an IPv4 address; write it like "192.0.2.1"')
    return found


def next_hop_ipv4(value: str) -> IPv4Address | None:
    """Parse an IPv4 address to be sent as NEXT_HOP; None for `self`.

    Raises:
        ValueError: it is none.
    """
    return None if value == "self" else ipv4(value)


def next_hop_ipv6(value: str) -> IPv6Address | None:
    """Parse a global IPv6 address to be sent as NEXT_HOP; None for `self`.

    Raises:
        ValueError: it is none.
    """
    if value == "self":
        return None
    found = address(value)
    if found.version != 6 or found.is_link_local or found.is_multicast:
        raise ValueError(f'{shown(value)} is not a global IPv6 address; write "self", or one')
    return found
