"""What each neighbour is sent, as what all get and what [peer] of vip.toml changes of that for one of them. Pure.

Theory of operation. A [peer] table changes all VIPs of a neighbour alike: so many more prepends, these communities
added, this MED, this LOCAL_PREF. What all get is found so that no table has to take anything away: the shortest AS_PATH
and the communities that all have in common. What a table would have to be is found of all prefixes together, and
then each is applied to each prefix: what does not give what bgpd sends can't be said, whichever way it was found.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from policy.peers import PeerPolicy
from policy.route import AsPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from policy.route import Attributes, Prefix
    from speaker.units import IpAddress

    Gets = Mapping[IpAddress, Mapping[Prefix, Attributes]]

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class ForAll:
    """What all get of each prefix, and what single neighbours' tables say but for names of VIPs.

    `unsaid` has the prefixes of which some neighbour gets what no table can say: of them `base` is
    what the first neighbour gets.
    """

    base: Mapping[Prefix, Attributes]
    policies: Mapping[IpAddress, PeerPolicy] = field(default_factory=dict)
    unsaid: frozenset[Prefix] = frozenset()


def split(gets: Gets) -> ForAll:
    """Find what all get and what single neighbours' tables have to say.

    Args:
        gets: by neighbour what it is sent, as an eBGP neighbour sees it; LOCAL_PREF None for the usual.
    """
    first: dict[Prefix, Attributes] = {}
    for mine in gets.values():
        first = {**mine, **first}
    alike = all(first[prefix] == what for mine in gets.values() for prefix, what in mine.items())
    if alike and not any(each.local_preference for each in first.values()):
        return ForAll(first)
    prepends, lengths = _prepends(gets)
    communities, common = _added(gets, lambda each: each.communities)
    large, common_large = _added(gets, lambda each: each.large_communities)
    extended, common_extended = _added(gets, lambda each: each.extended_communities)
    meds, usual_med = _meds(gets)
    preferences = {
        address: _only(each.local_preference for each in mine.values())
        for address, mine in gets.items()
    }
    policies = {
        address: PeerPolicy(
            communities=communities[address],
            large_communities=large[address],
            prepends=prepends[address] or None,
            med=meds[address],
            local_preference=preferences[address],
            extended_communities=extended[address],
        )
        for address in gets
    }
    base = {
        prefix: replace(
            what,
            as_path=AsPath(what.as_path.asns[:1] * lengths[prefix]),
            med=usual_med[prefix],
            communities=tuple(common[prefix]),
            large_communities=tuple(common_large[prefix]),
            local_preference=None,
            extended_communities=tuple(common_extended[prefix]),
        )
        for prefix, what in first.items()
    }
    unsaid = frozenset(
        prefix
        for address, mine in gets.items()
        for prefix, what in mine.items()
        if policies[address].applied("", base[prefix]) != what
    )
    return ForAll({**base, **{p: first[p] for p in unsaid}}, policies, unsaid)


_ROUNDS = 8
"""So often lengths of neighbours that have only some prefixes in common are made to fit; two do for nearly all."""


def _prepends(gets: Gets) -> tuple[dict[IpAddress, int], dict[Prefix, int]]:
    """Return how many more each neighbour gets, and the length of what all get."""
    lengths = {
        address: {prefix: len(what.as_path) for prefix, what in mine.items()}
        for address, mine in gets.items()
    }
    more = dict.fromkeys(gets, 0)
    base = _least(item for mine in lengths.values() for item in mine.items())
    for _ in range(_ROUNDS):
        before = more
        more = {
            address: max((length - base[prefix] for prefix, length in mine.items()), default=0)
            for address, mine in lengths.items()
        }
        if more == before:
            break
        base = _least(
            (prefix, length - more[address])
            for address, mine in lengths.items()
            for prefix, length in mine.items()
        )
    return more, base


def _least(lengths: Iterable[tuple[Prefix, int]]) -> dict[Prefix, int]:
    found: dict[Prefix, int] = {}
    for prefix, length in lengths:
        found[prefix] = min(length, found.get(prefix, length))
    return found


def _added(
    gets: Gets, of: Callable[[Attributes], Iterable[_Value]]
) -> tuple[dict[IpAddress, frozenset[_Value]], dict[Prefix, frozenset[_Value]]]:
    """Return what is added for each neighbour, and what all get."""
    common: dict[Prefix, frozenset[_Value]] = {}
    for mine in gets.values():
        for prefix, what in mine.items():
            given = frozenset(of(what))
            common[prefix] = common.get(prefix, given) & given
    added = {
        address: frozenset(
            value
            for prefix, what in mine.items()
            for value in of(what)
            if value not in common[prefix]
        )
        for address, mine in gets.items()
    }
    # What each of those who get a prefix is given anyway needs not be its own.
    anyway: dict[Prefix, frozenset[_Value]] = {}
    for address, mine in gets.items():
        for prefix in mine:
            anyway[prefix] = anyway.get(prefix, added[address]) & added[address]
    return added, {prefix: given - anyway[prefix] for prefix, given in common.items()}


def _meds(gets: Gets) -> tuple[dict[IpAddress, int | None], dict[Prefix, int | None]]:
    """Return the MED of each neighbour that has one for all VIPs, and that which all others get."""
    usual: dict[Prefix, int | None] = {}
    changing = [a for a, mine in gets.items() if len({what.med for what in mine.values()}) > 1]
    for address in (*changing, *gets):
        for prefix, what in gets[address].items():
            usual.setdefault(prefix, what.med)
    meds = {
        address: None
        if all(what.med == usual[prefix] for prefix, what in mine.items())
        else _only(what.med for what in mine.values())
        for address, mine in gets.items()
    }
    return meds, usual


def _only(values: Iterable[int | None]) -> int | None:
    """Return the one value that all have, None where there are several."""
    found = {*values}
    return found.pop() if len(found) == 1 else None
