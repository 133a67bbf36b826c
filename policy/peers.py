"""PeerPolicy, Peers: what single neighbours get that is not what all get, from vip.toml's [peer] and [peer_group].

A neighbour may be in several groups, and have a table of its own. What it gets is the sum of these, in
whichever order they stand: a VIP that all of them let it have, with the communities of all of them. A
number (prepends, MED, LOCAL_PREF) that its own table has is the one that counts; two groups that give a
neighbour different ones are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from policy.errors import PolicyError
from policy.route import AsPath, Attributes, Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from policy.extended import ExtendedCommunity
    from policy.route import Community, IpAddress, LargeCommunity, Override

USUAL_PREFERENCE = 100
"""The LOCAL_PREF that every daemon sends iBGP peers unless told otherwise."""
_NUMBERS = ("prepends", "med", "local_preference")


@dataclass(frozen=True, slots=True)
class PeerPolicy:
    """What a neighbour gets of what is announced, and how it is changed for it.

    Attributes:
        announce: the names of the VIPs that it may have, None for all.
        excepted: the names of those that it may not have.
        communities: are added.
        large_communities: are added.
        prepends: how many more copies of the local AS; None where that is not said, which is none.
        med: the MED, None for the profile's.
        local_preference: LOCAL_PREF, which only an iBGP peer is sent; None for the usual.
        extended_communities: are added.
    """

    announce: frozenset[str] | None = None
    excepted: frozenset[str] = frozenset()
    communities: frozenset[Community] = frozenset()
    large_communities: frozenset[LargeCommunity] = frozenset()
    prepends: int | None = None
    med: int | None = None
    local_preference: int | None = None
    extended_communities: frozenset[ExtendedCommunity] = frozenset()

    def lets(self, vip: str) -> bool:
        """Tell whether it may have a VIP, by its name in small letters."""
        return vip not in self.excepted and (self.announce is None or vip in self.announce)

    def applied(self, vip: str, attributes: Attributes) -> Attributes | None:
        """Return what the neighbour gets of a VIP's route, None for nothing.

        Args:
            vip: the VIP's name.
            attributes: those that all others get.
        """
        if not self.lets(vip):
            return None
        path = attributes.as_path
        preference = self.local_preference
        return replace(
            attributes,
            as_path=AsPath(path.asns[:1] * (self.prepends or 0) + path.asns),
            med=attributes.med if self.med is None else self.med,
            communities=(*attributes.communities, *self.communities),
            large_communities=(*attributes.large_communities, *self.large_communities),
            local_preference=None if preference == USUAL_PREFERENCE else preference,
            extended_communities=(*attributes.extended_communities, *self.extended_communities),
        )

    def and_also(self, other: PeerPolicy) -> Self:
        """Return the sum of two policies, of which neither goes before the other.

        Raises:
            PolicyError: they give different numbers.
        """
        for name in _NUMBERS:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is not None and theirs is not None and mine != theirs:
                raise PolicyError(f"{name} is {mine} and {theirs}; give it its own in [peer]")
        return self._joined(other)

    def over(self, other: PeerPolicy) -> Self:
        """Return the sum of a neighbour's own policy and another one: its own numbers go first."""
        return self._joined(other)

    def _joined(self, other: PeerPolicy) -> Self:
        limits = [each.announce for each in (self, other) if each.announce is not None]
        numbers = {
            name: getattr(other, name) if getattr(self, name) is None else getattr(self, name)
            for name in _NUMBERS
        }
        return replace(
            self,
            announce=frozenset.intersection(*limits) if limits else None,
            excepted=self.excepted | other.excepted,
            communities=self.communities | other.communities,
            large_communities=self.large_communities | other.large_communities,
            extended_communities=self.extended_communities | other.extended_communities,
            **numbers,
        )

    @property
    def orders(self) -> bool:
        """Whether it may change which data centre a neighbour chooses."""
        limits = self.announce is not None or bool(self.excepted)
        return limits or bool(self.prepends) or self.med is not None


class RuledNeighbor(NamedTuple):
    """A neighbour by its address, and whose it is: a data centre's name, empty where that is not said."""

    address: IpAddress
    dc: str = ""

    def is_at(self, dc: str) -> bool:
        """Tell whether it may be a neighbour of a data centre."""
        return self.dc in ("", dc)


class LackingRule(NamedTuple):
    """A rule of which a daemon lacks a neighbour: which, what lacks, and what to do."""

    rule: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.found}; {self.remedy}"


@dataclass(frozen=True, slots=True)
class PeerRule:
    """A table of vip.toml, `[peer."ADDRESS"]` or `[peer_group.NAME]`: neighbours, and what they get.

    `group` is its name, empty for a neighbour's own.
    """

    neighbors: tuple[RuledNeighbor, ...]
    policy: PeerPolicy
    group: str = ""

    def __str__(self) -> str:
        return f"peer_group {self.group}" if self.group else f"peer {self.neighbors[0].address}"

    @property
    def is_by_dc(self) -> bool:
        """Whether it is said which neighbour is whose."""
        return all(neighbor.dc for neighbor in self.neighbors)


@dataclass(frozen=True, slots=True)
class Peers:
    """All of a site's rules for single neighbours.

    Raises:
        PolicyError: two groups give one neighbour different numbers.
    """

    rules: tuple[PeerRule, ...] = ()

    def __post_init__(self) -> None:
        for dc in {neighbor.dc for rule in self.rules for neighbor in rule.neighbors}:
            self.at(dc)

    def __bool__(self) -> bool:
        return bool(self.rules)

    def at(self, dc: str) -> PeersHere:
        """Return what the neighbours of a data centre get."""
        groups: dict[IpAddress, PeerPolicy] = {}
        for rule, neighbor in self._of(dc):
            if rule.group:
                known = groups.get(neighbor.address, PeerPolicy())
                try:
                    groups[neighbor.address] = known.and_also(rule.policy)
                except PolicyError as error:
                    raise PolicyError(f"neighbor {neighbor.address}: {error}") from error
        for rule, neighbor in self._of(dc):
            if not rule.group:
                known = groups.get(neighbor.address, PeerPolicy())
                groups[neighbor.address] = rule.policy.over(known)
        return PeersHere(dict(sorted(groups.items(), key=lambda item: _order(item[0]))))

    def _of(self, dc: str) -> Iterator[tuple[PeerRule, RuledNeighbor]]:
        return ((r, n) for r in self.rules for n in r.neighbors if n.is_at(dc))

    def missing(self, dc: str, found: Iterable[IpAddress]) -> tuple[str, ...]:
        """Return the rules of which the daemon of a data centre lacks a neighbour, in words. See `lacking`."""
        return tuple(map(str, self.lacking(dc, found)))

    def lacking(self, dc: str, found: Iterable[IpAddress]) -> tuple[LackingRule, ...]:
        """Return the rules of which the daemon of a data centre lacks a neighbour.

        A rule that does not hold because of an address that no neighbour has lets through what it
        was to keep back. Of a group that does not say which neighbour is whose, one has to be there.

        Args:
            dc: the data centre.
            found: the addresses of the neighbours that the daemon has.
        """
        there = frozenset(found)
        lacking = []
        for rule in self.rules:
            here = [n.address for n in rule.neighbors if n.is_at(dc)]
            absent = [str(address) for address in here if address not in there]
            if not absent or (not rule.is_by_dc and len(absent) < len(here)):
                continue
            theirs = f"neighbors = {{ {dc} = […] }}" if rule.group else "dc"
            remedy = "" if rule.is_by_dc else f", or say whose it is by {theirs}"
            lacking.append(
                LackingRule(
                    str(rule),
                    f"no neighbor {' or '.join(absent)} here",
                    f"correct it in vip.toml or in the daemon{remedy}",
                )
            )
        return tuple(lacking)


NO_PEERS = Peers()
"""All neighbours get the same."""


def _order(address: IpAddress) -> tuple[int, int]:
    return address.version, int(address)


@dataclass(frozen=True, slots=True)
class PeersHere:
    """What the neighbours of one data centre get, each by the sum of its rules."""

    policies: Mapping[IpAddress, PeerPolicy]
    _changed: dict[tuple[int, Attributes], Attributes] = field(
        default_factory=dict, repr=False, compare=False
    )
    _shared: dict[tuple[Override, ...], tuple[Override, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _overrides: dict[tuple[Attributes | None, ...], tuple[Override, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _distinct: tuple[PeerPolicy, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_distinct", tuple(dict.fromkeys(self.policies.values())))

    def __bool__(self) -> bool:
        return bool(self.policies)

    def route(self, vip: str, route: Route) -> Route:
        """Return a VIP's route with what single neighbours get of it.

        Routes of which the same neighbours get the same share that. Hundreds of neighbours have few policies.
        """
        plain = route.attributes
        gets = [self._applied(p, plain) if p.lets(vip) else None for p in self._distinct]
        key = (plain, *gets)
        if (overrides := self._overrides.get(key)) is None:
            what = dict(zip(self._distinct, gets, strict=True))
            each = ((address, what[policy]) for address, policy in self.policies.items())
            found = tuple(override for override in each if override[1] != plain)
            overrides = self._overrides[key] = self._shared.setdefault(found, found)
        return replace(route, overrides=overrides)

    def _applied(self, policy: PeerPolicy, attributes: Attributes) -> Attributes:
        """Return what a neighbour gets of whichever VIP it may have: thousands have the same."""
        key = id(policy), attributes
        if key not in self._changed:
            free = replace(policy, announce=None, excepted=frozenset())
            self._changed[key] = free.applied("", attributes) or attributes
        return self._changed[key]
