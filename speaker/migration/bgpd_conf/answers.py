"""What a file does not tell and the command line does: AS numbers, addresses behind interfaces, the VRF."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from speaker import units
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.bgpd_conf.tokens import canonical, parse_as

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from policy.route import Asn
    from speaker.migration.bgpd_conf.machine import MachineNow
    from speaker.units import IpAddress


_Value = TypeVar("_Value")


@dataclass(slots=True)
class Answers:
    """What is said of one data centre's file; each that is used is noted in `used`."""

    asns: dict[str, Asn] = field(default_factory=dict)
    """By neighbour or peer-group: the AS of those that are `external`."""
    addresses: dict[str, IpAddress] = field(default_factory=dict)
    """By interface: the router's address there."""
    vrf: str | None = None
    """Whose `router bgp` is meant; `default` for the one without a name, None where nothing is said."""
    used: set[str] = field(default_factory=set)
    now: MachineNow | None = None
    """What the machine has, where that is asked."""

    @property
    def named_vrf(self) -> str | None:
        """The VRF that is meant, None for the one without a name."""
        return None if self.vrf == "default" else self.vrf

    def asn(self, *names: str) -> Asn | None:
        """Return what is said of the first of some names."""
        for name in names:
            if name in self.asns:
                self.used.add(name)
                return self.asns[name]
        return None

    def address(self, interface: str) -> IpAddress | None:
        """Return the router's address at an interface."""
        if interface in self.addresses:
            self.used.add(interface)
        return self.addresses.get(interface)

    def unused(self) -> tuple[str, ...]:
        """Return what was said for nothing, as it was said."""
        return (
            *(
                f"--peer-as {name}={asn}"
                for name, asn in self.asns.items()
                if name not in self.used
            ),
            *(
                f"--peer {name}={at}"
                for name, at in self.addresses.items()
                if name not in self.used
            ),
        )


def parse(
    peer_as: Sequence[str], peers: Sequence[str], dcs: Collection[str], vrf: str | None = None
) -> Mapping[str, Answers]:
    """Parse what `--peer-as`, `--peer` and `--vrf` say, by data centre.

    Raises:
        MigrationError: it makes no sense, or says two things of one.
    """
    found = {dc: Answers(vrf=vrf) for dc in dcs}
    for word in peer_as:
        concerned, name, value = _split(f"--peer-as {word}", word, "NEIGHBOR=ASN", dcs)
        for dc in concerned:
            _put(found[dc].asns, canonical(name), parse_as(value), f"--peer-as {word}")
    for word in peers:
        concerned, name, value = _split(f"--peer {word}", word, "INTERFACE=ADDRESS", dcs)
        address = _address(f"--peer {word}", value)
        for dc in concerned:
            _put(found[dc].addresses, name, address, f"--peer {word}")
    return found


def unused(said: Iterable[Answers]) -> tuple[str, ...]:
    """Return what was said and used in no data centre: who says it believes that it is."""
    spare: dict[str, None] = {}
    used: set[str] = set()
    for each in said:
        spare |= dict.fromkeys(each.unused())
        used |= each.used
    return tuple(word for word in spare if word.split(" ", 1)[1].partition("=")[0] not in used)


def _split(
    what: str, word: str, form: str, dcs: Collection[str]
) -> tuple[Collection[str], str, str]:
    name, equals, value = word.partition("=")
    dc, colon, rest = name.partition(":")
    if colon and dc in dcs:
        dcs, name = [dc], rest
    if not (equals and name and value):
        raise MigrationError(f"{what}: not of the form {form} or DC:{form}; correct it")
    return dcs, name, value


def _put(table: dict[str, _Value], name: str, value: _Value, what: str) -> None:
    if table.setdefault(name, value) != value:
        raise MigrationError(f"{what}: {name} is {table[name]} already; keep one")


def _address(what: str, text: str) -> IpAddress:
    try:
        address = units.address(text)
    except ValueError as error:
        raise MigrationError(f"{what}: {error}") from error
    if address.is_link_local:
        raise MigrationError(
            f"{what}: is link-local: ExaBGP 4.2 connects to none, and as a next hop for IPv4 it is none; "
            "give the link addresses, and name the router's"
        )
    return address
