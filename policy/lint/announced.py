"""What every data centre announces for each address: from a Topology, or as found in daemons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from policy.best_path import announcements, best_by
from policy.errors import PolicyError
from policy.order import Order

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from policy.best_path import Choice
    from policy.route import Asn, Prefix, Route
    from policy.topology import Topology


@dataclass(frozen=True, slots=True)
class Announced:
    """What data centres announce for one prefix while its VIP is well, and who should attract it.

    `routes` is by the data centre's name: one that is not in it never announces the prefix.
    `prefer` has the first choice first, and is empty where it is not given; all of it are `equal`
    where they are to announce it alike. `vip` is the name that it belongs to, empty where it has none.
    """

    prefix: Prefix
    routes: Mapping[str, Route]
    prefer: tuple[str, ...] = ()
    vip: str = ""
    equal: bool = False
    order: Order = Order.PREPENDS

    def best(self, living: Collection[str]) -> Choice:
        """Return which of some data centres an upstream may choose that does as the site orders."""
        return best_by(self.order, self.prefer, self.routes, living)

    def __str__(self) -> str:
        return f"{self.vip} {self.prefix}".strip()


@dataclass(frozen=True, slots=True)
class Announcements:
    """All that is announced anywhere, and the ASN with which each data centre originates.

    Raises:
        PolicyError: an address is announced by, or prefers, a data centre without ASN.
    """

    asns: Mapping[str, Asn]
    addresses: tuple[Announced, ...]

    def __post_init__(self) -> None:
        for address in self.addresses:
            unknown = ({*address.routes} | {*address.prefer}) - self.asns.keys()
            if unknown:
                raise PolicyError(
                    f"announcements: {address}: {sorted(unknown)} unknown; known are {[*self.asns]}"
                )

    @classmethod
    def of(cls, topology: Topology) -> Self:
        """Return what a topology has the data centres announce."""
        return cls(
            {dc.name: dc.asn for dc in topology.dcs},
            tuple(
                Announced(
                    address.prefix,
                    announcements(topology, vip, address),
                    address.prefer,
                    vip.name,
                    address.equal,
                    vip.order,
                )
                for vip, address in topology
            ),
        )

    def __iter__(self) -> Iterator[Announced]:
        return iter(self.addresses)
