"""From which address each session goes: what is said of it, what the file tells, or the machine's kernel. No I/O.

bgpd asks the kernel, which takes an address of the interface towards the neighbour; ExaBGP has to be
told. One address for two interfaces would give a router a next hop that it can't reach, so none is
taken for more than one neighbour without a word that they are in one network.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Interface,
    IPv6Network,
    ip_interface,
)
from typing import TYPE_CHECKING

from policy.wording import named
from speaker import units
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.printable import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from speaker.migration.bgpd_conf.model import Neighbor
    from speaker.units import IpAddress

    Kernel = Callable[[IpAddress], IpAddress | None]

FORM = "DC=ADDRESS, DC=ADDRESS/LENGTH or DC:NEIGHBOR=ADDRESS"


@dataclass(frozen=True, slots=True)
class Usual:
    """An address of the machine, and its network where that is said."""

    word: str
    address: IpAddress
    network: IPv4Network | IPv6Network | None


@dataclass(slots=True)
class Own:
    """What is said of a data centre's own addresses.

    `usual` is by family. Of `sessions`, by neighbour and family, the neighbour's own family is where
    the session goes from, and the other one the next hop of its routes.
    """

    usual: dict[int, Usual] = field(default_factory=dict)
    sessions: dict[IpAddress, dict[int, IpAddress]] = field(default_factory=dict)

    def of(self, neighbor: IpAddress, version: int) -> IpAddress | None:
        """Return what is said of one session."""
        return self.sessions.get(neighbor, {}).get(version)


def parse(words: Iterable[str], dcs: Collection[str]) -> dict[str, Own]:
    """Parse what `--local` says, by data centre.

    Raises:
        MigrationError: it makes no sense, or says two addresses of one thing.
    """
    found: dict[str, Own] = {}
    for word in words:
        name, equals, text = word.partition("=")
        dc, colon, neighbor = name.partition(":")
        if not (dc and equals and text):
            raise MigrationError(f"--local {word}: not of the form {FORM}")
        if dc not in dcs:
            raise MigrationError(f"--local {word}: no file is given for {dc}; correct one")
        own = found.setdefault(dc, Own())
        try:
            if colon:
                _add_session(own, name, units.address(neighbor), units.address(text))
            else:
                _add_usual(own, dc, word, text)
        except ValueError as error:
            raise MigrationError(f"--local {word}: {error}; the form is {FORM}") from error
    return found


def _add_session(own: Own, name: str, neighbor: IpAddress, address: IpAddress) -> None:
    said = own.sessions.setdefault(neighbor, {})
    if said.setdefault(address.version, address) != address:
        raise MigrationError(f"--local {name} has {said[address.version]} already; keep one")


def _interface(text: str) -> IPv4Interface | IPv6Interface:
    try:
        return ip_interface(text)
    except ValueError as error:
        raise ValueError(
            f'{shown(text)} is not an address; write it like "192.0.2.1" or "192.0.2.1/24"'
        ) from error


def _add_usual(own: Own, dc: str, word: str, text: str) -> None:
    interface = _interface(text)
    if interface.is_link_local:
        raise ValueError("is link-local, which no session of ExaBGP goes from; write another")
    usual = Usual(word, interface.ip, interface.network if "/" in text else None)
    if own.usual.setdefault(interface.version, usual) != usual:
        raise MigrationError(
            f"--local {word}: {dc} has {own.usual[interface.version].address} already: give "
            f"each session its own, --local {dc}:NEIGHBOR=ADDRESS"
        )


@dataclass(slots=True)
class Locals:
    """The local address of each neighbour, what is wrong with the others, and what is said of it."""

    addresses: dict[IpAddress, IpAddress] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    usual: set[int] = field(default_factory=set)
    """The families of which the usual address is taken."""
    unknown: list[Neighbor] = field(default_factory=list)
    """Those of which nothing tells it."""


def lacking(dc: str, neighbors: Sequence[Neighbor]) -> tuple[str, ...]:
    """Return the options that would say from which address the sessions of some neighbours go."""
    found: list[str] = []
    for version in (4, 6):
        of_family = [each for each in neighbors if each.address.version == version]
        if len(of_family) == 1:
            found += ["--local", f"{dc}:{of_family[0].address}=ADDRESS"]
        elif of_family:
            found += ["--local", f"{dc}=IPV{version}-ADDRESS/LENGTH"]
    return tuple(found)


def find(dc: str, neighbors: Sequence[Neighbor], own: Own, kernel: Kernel | None) -> Locals:
    """Find from which address each session of a data centre goes.

    Args:
        dc: its name.
        neighbors: those that are to have a session.
        own: what is said of it.
        kernel: asks this machine's kernel from where it would reach a neighbour; None to ask nothing.
    """
    found = Locals()
    rest: list[Neighbor] = []
    for neighbor in neighbors:
        address = neighbor.address
        local = own.of(address, address.version) or neighbor.local
        if local is None and kernel is not None:
            local = kernel(address)
            if local is None:
                found.faults.append(f"{name(neighbor)}: this machine has no route to it")
                continue
            found.told.append(
                f"{dc}: neighbor {address}: the session goes from {local}, as this machine's kernel says"
            )
        if local is None:
            rest.append(neighbor)
        elif local.version != address.version:
            found.faults.append(
                f"{name(neighbor)}: its update-source {local} is of the other family; correct it"
            )
        else:
            found.addresses[address] = local
    for version in (4, 6):
        _usual(dc, [each for each in rest if each.address.version == version], own, found)
    if found.unknown:
        found.faults.append(_unknown(dc, found.unknown))
    return found


def name(neighbor: Neighbor) -> str:
    """Return how a neighbour is called in what is said of it."""
    return f"neighbor {neighbor.address} (line {neighbor.statement.line})"


def _usual(dc: str, neighbors: Sequence[Neighbor], own: Own, found: Locals) -> None:
    """Give neighbours of one family the usual address of that family, if that is one for all."""
    if not neighbors:
        return
    version = neighbors[0].address.version
    usual = own.usual.get(version)
    if usual is None:
        found.unknown += neighbors
        return
    found.usual.add(version)
    outside = [each for each in neighbors if _is_outside(each, usual)]
    others = {each.address for each in neighbors} - {each.address for each in outside}
    inside = [each for each in neighbors if each.address in others]
    places = _places(inside, usual)
    if len(places) > 1:
        found.faults.append(_several(dc, places, usual))
    found.faults += [
        f"{name(each)}: is not in {usual.network}; use --local {dc}:{each.address}=ADDRESS, the address "
        "of this machine towards it"
        for each in outside
    ]
    found.addresses |= {each.address: usual.address for each in inside}


def _is_far(neighbor: Neighbor) -> bool:
    """Return whether a neighbour may be in none of the machine's networks."""
    return neighbor.multihop is not None or (neighbor.ttl_security or 0) > 1


def _is_outside(neighbor: Neighbor, usual: Usual) -> bool:
    if usual.network is None or neighbor.source is not None or _is_far(neighbor):
        return False
    return neighbor.address not in usual.network


def _places(neighbors: Sequence[Neighbor], usual: Usual) -> Mapping[object, Neighbor]:
    """Return a neighbour of each interface, as far as is known that they are of different ones.

    Those that are some hops away may go by any of them.
    """
    places: dict[object, Neighbor] = {}
    for neighbor in neighbors:
        if usual.network is not None and neighbor.address in usual.network:
            places.setdefault(usual.network, neighbor)
        elif neighbor.source is not None:
            places.setdefault(neighbor.source, neighbor)
        elif not _is_far(neighbor):
            places[neighbor.address] = neighbor
    return places


def _unknown(dc: str, neighbors: Sequence[Neighbor]) -> str:
    """Say once what is missing, with the words that would do."""
    versions = sorted({each.address.version for each in neighbors})
    all_of_them = " ".join(f"--local {dc}=IPV{version}-ADDRESS" for version in versions)
    if len(neighbors) == 1:
        (only,) = neighbors
        return (
            f"{name(only)}: the file does not tell from which address the session goes; use "
            f"--local {dc}:{only.address}=ADDRESS, the address of this machine towards it, "
            f"--local {dc}=ADDRESS for all, or on that machine --local-from-kernel {dc}"
        )
    shown = [*neighbors[:_SHOWN]]
    each = " ".join(f"--local {dc}:{neighbor.address}=ADDRESS" for neighbor in shown)
    if any(count > 1 for count in Counter(n.address.version for n in neighbors).values()):
        all_of_them = all_of_them.replace("ADDRESS", "ADDRESS/LENGTH")
    return (
        f"{named([*map(name, neighbors)], _SHOWN)}: the file does not tell from which address their sessions go; "
        f"use {all_of_them}, this machine's address in their network; or {each}; or on that machine --local-from-kernel {dc}"
    )


_SHOWN = 8


def _several(dc: str, places: Mapping[object, Neighbor], usual: Usual) -> str:
    names = " and ".join(map(name, places.values()))
    each = " ".join(f"--local {dc}:{where.address}=ADDRESS" for where in places.values())
    return (
        f"{names}: nothing tells that they are in one network, and {usual.address} would be the address "
        f"towards all of them; say {each}, or --local {dc}={usual.address}/LENGTH if they are"
    )
