"""`network` lines: the prefixes that bgpd announces by itself, in all the forms that it takes."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.model import TRANSLATED, Network
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.bgpd_conf.tokens import network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.statement import Statement


class PrefixLines:
    """All lines of one kind in a `router bgp`, by their prefixes, while it is read. The last line of a prefix counts."""

    def __init__(self) -> None:
        self.found: dict[Prefix, Network] = {}
        self.replaced: dict[Statement, Statement] = {}
        """Lines that another one says again."""

    def forget(self, prefix: Prefix) -> None:
        """Take back what a line said of a prefix."""
        self.found.pop(prefix, None)

    def put(self, network: Network) -> None:
        """Take what a line says, in the place of what another one said."""
        before = self.found.pop(network.prefix, None)
        self.found[network.prefix] = network
        if before is not None:
            self.replaced[before.statement] = network.statement


class Networks(PrefixLines):
    """All networks of a `router bgp` while it is read."""

    def add(self, statement: Statement, rest: Sequence[str], version: int) -> str:
        """Take a `network` line, or the `no` of one; return why it has no effect, or nothing.

        Args:
            statement: the line.
            rest: its words after `network`.
            version: 4 or 6: the family of the mode in which it stands.

        Raises:
            MigrationError: it can't be translated.
        """
        if not rest:
            raise MigrationError("names no prefix; complete it, or remove it")
        text, *options = rest
        prefix = None
        match options:
            case ["mask", mask, *others] if "/" not in text and version == 4:
                prefix, options = masked(text, mask), others
        prefix = prefix or (network(text) if "/" in text else _classful(text))
        if prefix.version != version:
            raise MigrationError(
                f"is of IPv{prefix.version}, and stands where IPv{version} is meant; bgpd refuses "
                f"it as well: move it into address-family ipv{prefix.version}"
            )
        if not statement.plain:
            self.forget(prefix)
            return TRANSLATED
        route_map: str | None = None
        match options:
            case []:
                pass
            case ["route-map", route_map]:
                pass
            case ["backdoor"]:
                self.forget(prefix)
                return "backdoor: bgpd does not announce it"
            case _:
                raise MigrationError(f"{' '.join(options)!r} is not translated; remove it")
        self.put(Network(prefix, route_map, statement))
        return TRANSLATED


def _classful(text: str) -> Prefix:
    """Return what bgpd makes of an IPv4 network without a mask: its class's (A, B, C)."""
    host = network(text)
    if host.version == 6:
        raise MigrationError(f"{text!r} has no length; bgpd refuses it as well: write /128")
    first = int(host.network_address) >> 24
    length = 8 if first < 128 else 16 if first < 192 else 24
    return network(f"{text}/{length}")


def masked(address: str, mask: str) -> Prefix:
    """Return an IPv4 prefix from an address and a mask.

    Raises:
        MigrationError: they are none.
    """
    try:
        bits = int(IPv4Address(mask))
    except ValueError as error:
        raise MigrationError(f"{mask!r} is not a mask; correct it") from error
    length = bits.bit_count()
    if bits != (2**length - 1) << (32 - length):
        raise MigrationError(f"{mask!r} is not a mask; correct it")
    return network(f"{address}/{length}")
