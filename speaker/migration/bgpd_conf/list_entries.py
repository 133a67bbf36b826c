"""Entries of bgpd's lists: what the words after `permit` or `deny` mean, as a question to a path."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.route import LargeCommunity
from speaker.migration.bgpd_conf.regex import Pattern
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.bgpd_conf.tokens import (
    WELL_KNOWN,
    community,
    network,
    number,
    prefix_with_length,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.model import BgpPath

    Match = Callable[[BgpPath], bool]
    Parse = Callable[[Sequence[str], str], Match]


@dataclass(frozen=True, slots=True)
class Within:
    """A question to the paths whose prefix is within another one: all others it denies."""

    base: Prefix
    least: int
    longest: int

    def __call__(self, path: BgpPath) -> bool:
        """Answer for one path."""
        prefix, base = path.prefix, self.base
        shift = base.max_prefixlen - base.prefixlen
        return (
            prefix.version == base.version
            and self.least <= prefix.prefixlen <= self.longest
            and int(prefix.network_address) >> shift == int(base.network_address) >> shift
        )


def _in_prefix_list(version: int) -> Parse:
    def parse(words: Sequence[str], _: str) -> Match:
        most = 32 if version == 4 else 128
        if words[0] == "any":
            all_of_them = "0.0.0.0/0" if version == 4 else "::/0"
            if words[1:]:
                raise MigrationError(
                    f"{' '.join(words[1:])!r} is behind any, where bgpd refuses it; write {all_of_them}"
                )
            base, least, longest = network(all_of_them), 0, most
        else:
            base = prefix_with_length(words[0])
            least = longest = base.prefixlen
        words = words[1:]
        if base.version != version:
            raise MigrationError(f"{base} is of the other family; bgpd refuses it as well")
        bounds = dict(zip(words[::2], words[1::2], strict=False))
        if len(words) % 2 or not set(bounds) <= {"ge", "le"}:
            raise MigrationError(f"{' '.join(words)!r} is not ge or le with a length; correct it")
        if bounds:
            least = number(bounds["ge"], most) if "ge" in bounds else base.prefixlen
            longest = number(bounds["le"], most) if "le" in bounds else most
            if len(words) != 2 * len(bounds) or not base.prefixlen <= least <= longest:
                raise MigrationError(
                    f"{' '.join(words)!r} is not of {base.prefixlen} <= ge <= le; bgpd refuses it as "
                    "well: correct it"
                )
        return Within(base, least, longest)

    return parse


def _in_access_list(words: Sequence[str], name: str) -> Match:
    if words == ["any"]:
        return lambda path: path.prefix.version == 4
    if name.isascii() and name.isdigit() and words[0] == "ip":
        return _in_extended_list(words[1:])
    if "/" in words[0]:
        return _in_zebra_list(4)(words, name)
    address, rest = _masked(words)
    if rest:
        raise MigrationError(f"{' '.join(rest)!r} is too much; correct it")
    return lambda path: path.prefix.version == 4 and address(int(path.prefix.network_address))


def _in_zebra_list(version: int) -> Parse:
    def parse(words: Sequence[str], _: str) -> Match:
        if words[0] == "any":
            base = network("0.0.0.0/0" if version == 4 else "::/0")
        else:
            base = prefix_with_length(words[0])
        if base.version != version:
            raise MigrationError(f"{base} is of the other family; bgpd refuses it as well")
        if words[1:] == ["exact-match"] and words[0] != "any":
            return Within(base, base.prefixlen, base.prefixlen)
        if words[1:] and words[0] != "any":
            raise MigrationError(f"{' '.join(words[1:])!r} is not exact-match; correct it")
        return Within(base, base.prefixlen, base.max_prefixlen)

    return parse


def _in_extended_list(words: Sequence[str]) -> Match:
    """Return the matcher of an extended list: the network address, then the network mask."""
    address, rest = _masked(words)
    mask, rest = _masked(rest)
    if rest:
        raise MigrationError(f"{' '.join(rest)!r} is too much; correct it")
    return lambda path: (
        path.prefix.version == 4
        and address(int(path.prefix.network_address))
        and mask(int(path.prefix.netmask))
    )


def _masked(words: Sequence[str]) -> tuple[Callable[[int], bool], Sequence[str]]:
    """Parse `any`, `host A`, `A` or `A WILDCARD`, where set bits of the wildcard do not count."""
    match words:
        case ["any", *rest]:
            return lambda _: True, rest
        case ["host", address, *rest]:
            wild = "0.0.0.0"  # noqa: S104 - nothing listens there
        case [address, wild, *rest]:
            pass
        case [address]:
            wild, rest = "0.0.0.0", []  # noqa: S104 - nothing listens there
        case _:
            raise MigrationError("an address is missing; complete it")
    try:
        keep = ~int(IPv4Address(wild)) & 2**32 - 1
        base = int(IPv4Address(address)) & keep
    except AddressValueError as error:
        raise MigrationError(f"{error}; correct it") from error
    return lambda value: value & keep == base, rest


def _in_as_path_list(words: Sequence[str], _: str) -> Match:
    pattern = Pattern(" ".join(words))
    return lambda path: pattern.search(str(path.attributes.as_path))


def _in_community_list(words: Sequence[str], _: str) -> Match:
    wanted = frozenset(community(word) for word in words)
    if WELL_KNOWN["internet"] in wanted:
        return lambda _: True  # bgpd: every route is of the internet
    return lambda path: wanted <= set(path.attributes.communities)


def _in_large_community_list(words: Sequence[str], _: str) -> Match:
    try:
        wanted = frozenset(map(LargeCommunity.parse, words))
    except PolicyError as error:
        raise MigrationError(f"{error}; correct it") from error
    return lambda path: wanted <= set(path.attributes.large_communities)


ENTRIES: dict[str, Parse] = {
    "ip prefix-list": _in_prefix_list(4),
    "ipv6 prefix-list": _in_prefix_list(6),
    "access-list": _in_access_list,
    "ipv6 access-list": _in_zebra_list(6),
    "as-path access-list": _in_as_path_list,
    "community-list": _in_community_list,
    "large-community-list": _in_large_community_list,
}
"""How the entries of each kind are parsed: their words, and the name of the list."""
