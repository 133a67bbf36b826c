"""Which aggregate stands for a prefix that is kept back, as far as its clients are concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from policy.aggregate import Aggregates
    from policy.route import Prefix


class StandIn(TypedDict):
    """The aggregate, empty where none keeps the prefix back, and whether it is announced."""

    aggregate: str
    aggregate_announced: bool | None


def stand_in(
    aggregates: Aggregates, prefix: Prefix, announced: Callable[[Prefix], bool | None]
) -> StandIn:
    """Return the aggregate with `summary_only` that a prefix is in: one that is announced, if any is."""
    told = [(keeper, announced(keeper)) for keeper in aggregates.keepers.get(prefix, ())]
    if not told:
        return {"aggregate": "", "aggregate_announced": None}
    keeper, is_announced = next((each for each in told if each[1]), told[0])
    return {"aggregate": str(keeper), "aggregate_announced": is_announced}
