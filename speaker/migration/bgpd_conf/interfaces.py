"""The addresses of interfaces in an integrated file: from where a session goes, and its next hops."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import TYPE_CHECKING

from policy.covering import Covering
from policy.route import parse_prefix
from speaker.migration.bgpd_conf.tokens import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from policy.route import Prefix
    from speaker.migration.bgpd_conf.statement import Statement
    from speaker.units import IpAddress


class Interfaces:
    """What `interface` blocks say of addresses; nothing, where there are none.

    Args:
        vrf: whose interfaces are meant; None for those of no VRF.
    """

    def __init__(self, vrf: str | None = None) -> None:
        self._vrfs = {None, "default"} if vrf is None else {None, vrf}
        self._addresses: dict[str, list[IPv4Interface | IPv6Interface]] = {}
        self._found: InterfaceNetworks | None = None

    def add(self, statement: Statement) -> None:
        """Take `ip address` and `ipv6 address` lines; others say nothing of addresses."""
        match statement.words:
            case ("ip" | "ipv6", "address", text, *_) if statement.block:
                if _vrf(statement.block) not in self._vrfs:
                    return
                try:
                    address = ip_interface(text)
                except ValueError:
                    return
                self._found = None
                if not address.is_link_local:
                    self._addresses.setdefault(statement.block[0], []).append(address)

    def are_of(self, addresses: Mapping[str, Iterable[IPv4Interface | IPv6Interface]]) -> None:
        """Take the addresses that the machine has, by interface, in place of what was read of them."""
        self._addresses = {name: [*found] for name, found in addresses.items()}
        self._found = None

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
        self._found = places = self._found or InterfaceNetworks(self._addresses)
        if source is not None and is_address(source):
            local = ip_address(source)
            return local, self._hops(places.holders.get(local))
        name = source or places.towards(peer)
        near = None if name is None else places.nearest(name, peer)
        if near is not None:
            return near, self._hops(name)
        addresses = self._addresses.get(name or "", ())
        of_family = [each.ip for each in addresses if each.version == peer.version][:2]
        return of_family[0] if len(of_family) == 1 else None, self._hops(name)

    def _hops(self, name: str | None) -> dict[int, IpAddress]:
        hops: dict[int, IpAddress] = {}
        for address in self._addresses.get(name or "", []):
            hops.setdefault(address.version, address.ip)
        return hops


def _vrf(block: Sequence[str]) -> str | None:
    """Return the VRF of `interface NAME vrf VRF`, None where none is named: it may be any."""
    match block:
        case [_, "vrf", name, *_]:
            return name
    return None


class InterfaceNetworks:
    """All addresses of interfaces, by their networks: thousands of neighbours are looked for among thousands."""

    def __init__(self, addresses: Mapping[str, Sequence[IPv4Interface | IPv6Interface]]) -> None:
        self.holders: dict[IpAddress, str] = {}
        """The first interface that has an address."""
        self._names: dict[Prefix, dict[str, None]] = {}
        self._first: dict[tuple[str, Prefix], IpAddress] = {}
        for name, mine in addresses.items():
            for each in mine:
                network = parse_prefix(str(each.network))
                self.holders.setdefault(each.ip, name)
                self._names.setdefault(network, {})[name] = None
                self._first.setdefault((name, network), each.ip)
        self._covering = Covering(self._names)

    def towards(self, peer: IpAddress) -> str | None:
        """Return the interface in whose network a neighbour is; the narrowest, if that is one."""
        network = next(self._covering.of(peer), None)
        names = () if network is None else tuple(self._names[network])
        return names[0] if len(names) == 1 else None

    def nearest(self, name: str, peer: IpAddress) -> IpAddress | None:
        """Return the first address of an interface's narrowest network that a neighbour is in."""
        around = (self._first.get((name, network)) for network in self._covering.of(peer))
        return next((each for each in around if each is not None), None)
