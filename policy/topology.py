"""DataCentre, Vip, Topology: who should attract what, the same in every data centre."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from policy.covering import Covering
from policy.drain import USUAL_RULE, DrainRule
from policy.errors import PolicyError
from policy.health import HealthRule
from policy.order import Order
from policy.peers import NO_PEERS, Peers
from policy.route import AsPath, Attributes, Community, LargeCommunity, Origin
from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from policy.extended import ExtendedCommunity
    from policy.route import Asn, IpAddress, Prefix


@dataclass(frozen=True, slots=True)
class Profile:
    """What an announcement carries at one rank of preference (what a route-map was in bgpd.conf).

    `prepends` is the number of extra copies of the local AS: a peer sees `prepends + 1`.
    `local_preference` is for iBGP peers alone, None for the usual one.
    """

    name: str
    prepends: int
    med: int = 0
    origin: Origin = Origin.IGP
    communities: tuple[Community, ...] = ()
    large_communities: tuple[LargeCommunity, ...] = ()
    local_preference: int | None = None
    extended_communities: tuple[ExtendedCommunity, ...] = ()

    @classmethod
    def plain(cls, prepends: int) -> Self:
        """Return a profile that only prepends."""
        return cls(f"prepend-{prepends}", prepends)

    def attributes(self, asn: Asn) -> Attributes:
        """Return the attributes with which `asn` announces a route of this profile to an eBGP peer."""
        return Attributes(
            AsPath.originated(asn, self.prepends),
            self.med,
            self.origin,
            self.communities,
            self.large_communities,
            self.local_preference,
            self.extended_communities,
        )


@dataclass(frozen=True, slots=True)
class DataCentre:
    """A data centre: a name, the ASN with which it originates, its weight, and what tells its routes.

    `weight` is its part of the addresses that prefer "auto", beside the others' weights. 0 is
    the last resort. `mark` is a community that every route of it has, and no other's. `next_hops` and
    `originators` (router identifiers, RFC 4456) are those of its routes; see `policy/witness.py`.
    """

    name: str
    asn: Asn
    weight: float = 1.0
    mark: Community | None = None
    next_hops: frozenset[IpAddress] = frozenset()
    originators: frozenset[IpAddress] = frozenset()

    def __post_init__(self) -> None:
        if not 0 <= self.weight < math.inf:
            raise PolicyError(
                f"data centre {self.name}: weight {self.weight}: not a number from 0 upwards"
            )

    def marked(self, profile: Profile) -> Profile:
        """Return a profile as this data centre announces it: with its mark."""
        if self.mark is None:
            return profile
        return replace(profile, communities=(*profile.communities, self.mark))

    def attributes(self, profile: Profile) -> Attributes:
        """Return the attributes with which it announces a route of a profile to an eBGP peer."""
        return self.marked(profile).attributes(self.asn)


@dataclass(frozen=True, slots=True)
class Address:
    """One prefix of a VIP, and the data centres that announce it, first choice first.

    Where they are `equal`, all announce it with the profile of the first rank. `ranks` has the profile
    of each rank where they are not those of its VIP.
    """

    prefix: Prefix
    prefer: tuple[str, ...]
    ranks: tuple[Profile, ...] = ()
    equal: bool = False

    @property
    def needed(self) -> int:
        """How many ranks it has."""
        return 1 if self.equal else len(self.prefer)


@dataclass(frozen=True, slots=True)
class AggregateRule:
    """When a covering prefix is announced: while `at_least` of the VIPs' prefixes in it are.

    With `summary_only` they are decided as always, and kept back: it is announced in their place.
    """

    at_least: int = 1
    summary_only: bool = False

    def __post_init__(self) -> None:
        if self.at_least < 1:
            raise PolicyError(f"aggregate: at_least = {self.at_least}: not a number from 1")


@dataclass(frozen=True, slots=True)
class Vip:
    """A name, its addresses, the profile of each rank, how its health is judged, what orders its ranks, and how it drains softly.

    Ranks may tie here, so that a topology that is wrong can be explained; see `order.ranks_fault`.
    One with an `aggregate` has one prefix, which it is named by, and no health of its own: see
    `policy/aggregate.py`.
    """

    name: str
    addresses: tuple[Address, ...]
    ranks: tuple[Profile, ...]
    health: HealthRule = field(default_factory=HealthRule)
    order: Order = Order.PREPENDS
    aggregate: AggregateRule | None = None
    drain: DrainRule = USUAL_RULE


@dataclass(frozen=True, slots=True)
class Topology:
    """All data centres, VIPs and aggregates, and what single neighbours get of them.

    Every address ranks some data centres, or all, once each. An address lies in a VIP's prefix (`home`),
    never in an aggregate alone.

    Raises:
        PolicyError: a prefix in two places, a preference that names no data centre, one twice or an
            unknown one, or fewer ranks than data centres that announce an address.
    """

    dcs: tuple[DataCentre, ...]
    vips: tuple[Vip, ...]
    aggregates: tuple[Vip, ...] = ()
    peers: Peers = NO_PEERS
    _by_prefix: dict[Prefix, tuple[Vip, Address]] = field(init=False, repr=False, compare=False)
    _by_name: dict[str, Vip] = field(init=False, repr=False, compare=False)
    _covering: Covering = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = {dc.name for dc in self.dcs}
        by_prefix: dict[Prefix, tuple[Vip, Address]] = {}
        for vip in self.everything:
            for address in vip.addresses:
                _check(vip, address, names)
                if address.prefix in by_prefix:
                    raise PolicyError(
                        f"vip {vip.name}: {address.prefix}: also in vip "
                        f"{by_prefix[address.prefix][0].name}; a prefix belongs to one place"
                    )
                by_prefix[address.prefix] = (vip, address)
        object.__setattr__(self, "_by_prefix", by_prefix)
        object.__setattr__(self, "_by_name", {vip.name: vip for vip in reversed(self.vips)})
        of_vips = (address.prefix for vip in self.vips for address in vip.addresses)
        object.__setattr__(self, "_covering", Covering(of_vips))

    @property
    def everything(self) -> tuple[Vip, ...]:
        """All VIPs, and then all aggregates."""
        return (*self.vips, *self.aggregates)

    def dc(self, name: str) -> DataCentre:
        """Return the data centre of that name.

        Raises:
            PolicyError: there is none.
        """
        for dc in self.dcs:
            if dc.name == name:
                return dc
        raise PolicyError(
            f"data centre: {name!r}: unknown; known are {', '.join(dc.name for dc in self.dcs)}"
        )

    def vip(self, name: str) -> Vip | None:
        """Return the VIP of that name."""
        return self._by_name.get(name)

    def find(self, prefix: Prefix) -> tuple[Vip, Address] | None:
        """Return the VIP, or the aggregate, and the address that a prefix belongs to."""
        return self._by_prefix.get(prefix)

    def home(self, address: IpAddress) -> tuple[Vip, Address] | None:
        """Return the VIP and the prefix that announce an address: the longest that it lies in."""
        return next(map(self._by_prefix.__getitem__, self._covering.of(address)), None)

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """All prefixes, in the order of the configuration: those of VIPs, then aggregates."""
        return tuple(self._by_prefix)

    def __iter__(self) -> Iterator[tuple[Vip, Address]]:
        return iter(self._by_prefix.values())


def _check(vip: Vip, address: Address, names: AbstractSet[str]) -> None:
    """Refuse an address whose preference or ranks make no sense."""
    prefer, ranks = address.prefer, len(address.ranks or vip.ranks)
    if not prefer or len(set(prefer)) < len(prefer) or not set(prefer) <= names:
        raise PolicyError(
            f"vip {vip.name}: {address.prefix}: prefers {list(prefer)}; "
            f"name some of {sorted(names)}, each once"
        )
    if ranks < address.needed:
        raise PolicyError(
            f"vip {vip.name}: {address.prefix}: {count(ranks, 'rank')} for {count(len(prefer), 'data centre')}: every "
            "data centre that announces it needs one"
        )
