"""The addresses of interfaces in an integrated file: from where a session goes, and its next hops."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import TYPE_CHECKING

from policy.route import parse_prefix
from speaker.migration.bgpd_conf.tokens import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.statement import Statement
    from speaker.units import IpAddress


class Interfaces:
    """What `interface` blocks say of addresses; nothing, where there are none."""

    def __init__(self) -> None:
        self._addresses: dict[str, list[IPv4Interface | IPv6Interface]] = {}

    def add(self, statement: Statement) -> None:
        """Take `ip address` and `ipv6 address` lines; others say nothing of addresses."""
        match statement.words:
            case ("ip" | "ipv6", "address", text, *_) if statement.block:
                try:
                    address = ip_interface(text)
                except ValueError:
                    return
                if not address.is_link_local:
                    self._addresses.setdefault(statement.block[0], []).append(address)

    def are_of(self, addresses: Mapping[str, Iterable[IPv4Interface | IPv6Interface]]) -> None:
        """Take the addresses that the machine has, by interface, in place of what was read of them."""
        self._addresses = {name: [*found] for name, found in addresses.items()}

    def networks(self) -> Iterator[Prefix]:
        """Yield the networks of all addresses, each as long as it is written."""
        for addresses in self._addresses.values():
            yield from (parse_prefix(str(each.network)) for each in addresses)

    def session(
        self, peer: IpAddress, source: str | None
    ) -> tuple[IpAddress | None, dict[int, IpAddress]]:
        """Return the local address of a session, and its interface's first address of each family.

        As the kernel does, take the narrowest network that the neighbour is in, and the first
        address in it; of an interface that update-source names, its only address will do.

        Args:
            peer: the neighbour.
            source: what update-source says: an address, or an interface.
        """
        if source is not None and is_address(source):
            local = ip_address(source)
            return local, self._hops(self._holder(local))
        name = source or self._towards(peer)
        addresses = [
            each for each in self._addresses.get(name or "", []) if each.version == peer.version
        ]
        near = _nearest(peer, addresses)
        if near is not None:
            return near, self._hops(name)
        alone = addresses[0].ip if len(addresses) == 1 else None
        return alone, self._hops(name)

    def _holder(self, address: IpAddress) -> str | None:
        """Return the interface that has an address."""
        return next(
            (n for n, mine in self._addresses.items() if any(a.ip == address for a in mine)), None
        )

    def _towards(self, peer: IpAddress) -> str | None:
        """Return the interface in whose network a neighbour is; the narrowest, if that is one."""
        found = {
            name: max((a.network.prefixlen for a in mine if peer in a.network), default=None)
            for name, mine in self._addresses.items()
        }
        widths = {name: length for name, length in found.items() if length is not None}
        narrowest = [name for name, n in widths.items() if n == max(widths.values())]
        return narrowest[0] if len(narrowest) == 1 else None

    def _hops(self, name: str | None) -> dict[int, IpAddress]:
        hops: dict[int, IpAddress] = {}
        for address in self._addresses.get(name or "", []):
            hops.setdefault(address.version, address.ip)
        return hops


def _nearest(
    peer: IpAddress, addresses: Sequence[IPv4Interface | IPv6Interface]
) -> IpAddress | None:
    """Return the first address of the narrowest network that a neighbour is in."""
    around = [each for each in addresses if peer in each.network]
    return max(around, key=lambda each: each.network.prefixlen).ip if around else None
