"""By what a site's data centres are ordered, and whether the profiles of its ranks can be told apart by it."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from policy.route import ORIGINS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.topology import Profile


class Order(StrEnum):
    """What makes routers choose the first choice before the next ones.

    Only `prepends` and `med` are what every router follows (RFC 4271 §9.1.2.2 a, c). What communities
    mean is the upstream's. Where it is `none`, nothing is promised.
    """

    PREPENDS = "prepends"
    COMMUNITY = "community"
    MED = "med"
    NONE = "none"


def ranks_fault(ranks: Sequence[Profile], order: Order = Order.PREPENDS) -> str | None:
    """Say what is wrong with the profiles of all ranks, None where nothing is.

    What decides must rise with each rank: that makes rule 6 hold, that of any living data centres
    exactly one is best.
    """
    match order:
        case Order.PREPENDS:
            prepends = [profile.prepends for profile in ranks]
            if _rises([(each,) for each in prepends]):
                return None
            return (
                f"prepends by rank are {prepends}; each must be greater than the one before, "
                "or two data centres tie"
            )
        case Order.MED:
            if _rises([(p.prepends, ORIGINS.index(p.origin), p.med) for p in ranks]):
                return None
            shown = ", ".join(f"{p.med} (prepends {p.prepends}, {p.origin})" for p in ranks)
            return (
                f"MED by rank is {shown}; where prepends and origin are the same, each MED must be "
                "greater than the one before, and neither may fall, as they decide before it"
            )
        case Order.COMMUNITY:
            given = [(profile.communities, profile.large_communities) for profile in ranks]
            if _rises([(given.index(g), p.prepends) for g, p in zip(given, ranks, strict=True)]):
                return None
            shown = ", ".join(f"[{_words(profile)}]" for profile in ranks)
            return (
                f"communities by rank are {shown}; each rank needs others, "
                "or nothing tells an upstream which comes first"
            )
        case Order.NONE:
            return None


def _rises(values: Sequence[tuple[int, ...]]) -> bool:
    """Whether each is greater than the one before."""
    return all(first < second for first, second in pairwise(values))


def _words(profile: Profile) -> str:
    return " ".join(map(str, (*profile.communities, *profile.large_communities)))
