"""Single words of bgpd's lines, parsed: numbers, prefixes, addresses, AS numbers, communities, times."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from policy.asn import parse_asn
from policy.errors import PolicyError
from policy.route import Community, parse_prefix
from speaker.migration.bgpd_conf.statement import MigrationError

if TYPE_CHECKING:
    from policy.route import Asn, Prefix


def number(text: str, most: int, least: int = 0) -> int:
    """Parse a number.

    Raises:
        MigrationError: it is none, or beyond its bounds.
    """
    if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise MigrationError(f"{text!r} is not a number from {least} to {most}; correct it")
    return int(text)


def network(text: str) -> Prefix:
    """Parse a prefix as bgpd does, which clears host bits.

    Raises:
        MigrationError: it is none.
    """
    address, slash, length = text.partition("/")
    try:
        host = parse_prefix(address)
        if slash:
            wide = host.supernet(new_prefix=number(length, host.max_prefixlen))
            return parse_prefix(str(wide))
    except (PolicyError, ValueError) as error:
        raise MigrationError(f"{text!r} is not a prefix; correct it") from error
    return host


def prefix_with_length(text: str) -> Prefix:
    """Parse a prefix that must have its length.

    Raises:
        MigrationError: it is none.
    """
    if "/" not in text:
        raise MigrationError(f"{text!r} has no length; bgpd refuses it as well: write one")
    return network(text)


def is_address(text: str) -> bool:
    """Return whether a word is an address, and not a name."""
    try:
        return ip_address(text) is not None
    except ValueError:
        return False


def canonical(text: str) -> str:
    """Return an address as it is usually written, and anything else as it is."""
    return str(ip_address(text)) if is_address(text) else text


def parse_as(text: str) -> Asn:
    """Parse an AS number, plain or as `1.10` (RFC 5396).

    Raises:
        MigrationError: it is none.
    """
    try:
        return parse_asn(text)
    except PolicyError as error:
        raise MigrationError(f"{error}; correct it") from error


def hold_time(text: str) -> int:
    """Parse a hold time in seconds.

    Raises:
        MigrationError: it is none.
    """
    hold = number(text, 65535)
    if hold in (1, 2):
        raise MigrationError(
            f"{hold} s is not a hold time (RFC 4271 §4.2); bgpd refuses it as well"
        )
    return hold


WELL_KNOWN = {
    "internet": Community(0, 0),
    "no-export": Community(65535, 65281),
    "no-advertise": Community(65535, 65282),
    "local-AS": Community(65535, 65283),
    "no-peer": Community(65535, 65284),
    "graceful-shutdown": Community(65535, 0),
    "accept-own": Community(65535, 1),
    "llgr-stale": Community(65535, 6),
    "no-llgr": Community(65535, 7),
    "blackhole": Community(65535, 666),
}


def community(text: str) -> Community:
    """Parse a community: `64699:100`, or a well-known name.

    Raises:
        MigrationError: it is none.
    """
    if text in WELL_KNOWN:
        return WELL_KNOWN[text]
    if re.fullmatch(r"[0-9]{1,10}", text):
        high, low = divmod(number(text, 2**32 - 1), 2**16)
        raise MigrationError(
            f"{text!r} is one number, which FRR refuses and Quagga takes; write {high}:{low}, or "
            "remove it"
        )
    try:
        return Community.parse(text)
    except PolicyError as error:
        raise MigrationError(str(error)) from error


def identifier(text: str) -> str:
    """Return a BGP identifier, which is written as an IPv4 address (RFC 4271 §4.2).

    Raises:
        MigrationError: it is none.
    """
    try:
        return str(IPv4Address(text))
    except ValueError as error:
        raise MigrationError(
            f"{text!r} is not an identifier; bgpd refuses it as well: write one like 192.0.2.1"
        ) from error
