"""Whose configuration a file is, Quagga's or FRR's: what its name and lines tell, or what is said. No I/O.

Their defaults differ so far that the same file sends everything or nothing: none of the two is taken
without a reason. What both have is no evidence: `service integrated-vtysh-config` is written by either's
vtysh, and `bgp network import-check` is a line of Quagga's too. Nor are comments, which people write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.model import Dialect, Taken
from speaker.migration.bgpd_conf.statement import CommandMode, MigrationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from speaker.migration.bgpd_conf.statement import Statement

_OF_FRR = frozenset({
    ("bgp", "ebgp-requires-policy"), ("bgp", "suppress-duplicates"), ("bgp", "as-path"),
    ("bgp", "community-list"), ("bgp", "large-community-list"), ("bgp", "extcommunity-list"),
})  # fmt: skip
_BLOCKS_OF_FRR = frozenset("vrf exit-vrf exit-vni vni rpki pbr-map nexthop-group".split())
_OF_QUAGGA = frozenset({("bgp", "multiple-instance"), ("bgp", "config-type"), ("ipv6", "bgp")})
"""What FRR 8.4 refuses, and older ones took."""
_CLOSED_BY_FRR = (CommandMode.ROUTE_MAP, CommandMode.INTERFACE)
"""Blocks behind which FRR writes `exit`. Quagga 1.2 writes one too behind `router bgp`."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a name or a line tells: whose it is. With `proof`, the other daemon refuses it."""

    dialect: Dialect
    what: str
    proof: bool = False


def decide(file: str, found: Sequence[Statement], said: Dialect | None) -> Taken:
    """Return whose file it is.

    Args:
        file: its name.
        found: its lines.
        said: what the operator says of it; None for nothing.

    Raises:
        MigrationError: it tells of both, or of neither and nothing is said, or the other daemon than
            the one that is said refuses a line.
    """
    evidence = (*_of_name(file), *(each for line in found for each in _of_line(line)))
    if said is not None:
        against = next((each for each in evidence if each.proof and each.dialect is not said), None)
        if against is not None:
            raise MigrationError(
                f"{against.what}: {said.brand} refuses it, and --{said} is given; do "
                "not give it for a file with such a line"
            )
        return Taken(file, said, f"--{said} says so")
    first = {each.dialect: each.what for each in reversed(evidence)}
    match [*first]:
        case []:
            raise MigrationError(
                f"{file}: nothing in it shows whether it is Quagga's or FRR's, whose defaults differ: "
                "use --frr or --quagga"
            )
        case [dialect]:
            return Taken(file, dialect, first[dialect])
    both = ", and ".join(f"{first[each]} is {each.brand}'s" for each in Dialect)
    raise MigrationError(f"{file}: {both}: use --frr or --quagga")


def _of_name(file: str) -> Iterator[Evidence]:
    path = PurePath(file)
    folders = {part.lower() for part in path.parent.parts}
    words = {*re.split(r"[^a-z0-9]+", path.name.lower()), *folders}
    for dialect in Dialect:
        if dialect in words:
            yield Evidence(dialect, f"the name {file}")


def _of_line(line: Statement) -> Iterator[Evidence]:
    what = f"{line.where}: {line}"
    words = line.said
    first = "".join(words[:1])
    if words[:2] in _OF_FRR or first in ("frr", "bfd") or _is_seq(words) or _is_neighbor(words):
        yield Evidence(Dialect.FRR, what, proof=True)
    elif first in _BLOCKS_OF_FRR:
        yield Evidence(Dialect.FRR, what)
    elif words[:2] in _OF_QUAGGA or first == "smux":
        yield Evidence(Dialect.QUAGGA, what)
    match line.words:
        case (
            "no",
            "bgp",
            "network",
            "import-check",
            *_,
        ):  # Quagga's default, which it never writes
            yield Evidence(Dialect.FRR, what)
        case ("exit",) if line.mode in _CLOSED_BY_FRR:  # both take it, and only FRR writes it
            yield Evidence(Dialect.FRR, what)
        case ("neighbor", _, "transparent-as" | "transparent-nexthop" | "version", *_):
            yield Evidence(Dialect.QUAGGA, what)
        case ("neighbor", _, "route-map", _, "import" | "export"):
            yield Evidence(Dialect.QUAGGA, what)


def _is_neighbor(words: tuple[str, ...]) -> bool:
    """Return whether a line is of FRR's neighbours, or of its own family of them."""
    match words:
        case ("neighbor", _, "remote-as", "internal" | "external"):
            return True
        case ("neighbor", _, "interface", "remote-as" | "peer-group" | "v6only", *_):
            return True
        case ("neighbor", _, "bfd", *_) | ("address-family", "l2vpn", "evpn"):
            return True
    return False


def _is_seq(words: tuple[str, ...]) -> bool:
    """Return whether an entry of a list that is no prefix-list has a number."""
    match words:
        case ("access-list" | "ipv6", *rest) | ("ip", "as-path" | "community-list", *rest):
            return "prefix-list" not in words[:2] and "seq" in rest[:3]
    return False
