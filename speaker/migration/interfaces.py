"""The addresses of interfaces in an integrated file: from where a session goes, and its next hops."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speaker.migration.statement import Statement
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

    def session(
        self, peer: IpAddress, source: str | None
    ) -> tuple[IpAddress | None, dict[int, IpAddress]]:
        """Return the local address of a session, and its interface's first address of each family.

        Args:
            peer: the neighbour.
            source: what update-source says: an address, or an interface.
        """
        local: IpAddress | None = None
        name: str | None = None
        if source is not None:
            try:
                local = ip_address(source)
            except ValueError:
                name = source
        for interface, addresses in self._addresses.items():
            for address in addresses:
                same = address.ip == local if local else source is None and peer in address.network
                if same:
                    name, local = interface, address.ip
        addresses = self._addresses.get(name or "", [])
        if local is None:
            local = next((a.ip for a in addresses if a.version == peer.version), None)
        hops: dict[int, IpAddress] = {}
        for address in addresses:
            hops.setdefault(address.version, address.ip)
        return local, hops
