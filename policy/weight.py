"""A share of several parts that must be up, each counted by its weight: what it comes to, and which parts decide it.

What a part takes, and what it lacks, are counted in millionths of it, so that sums are exact. One that is unknown may take all or nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy.health import Health

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE = 1_000_000


class WeighedPart(NamedTuple):
    """What a part is, how much it takes where it is up, from 0 to 1, and how many sources decide it."""

    health: Health
    weight: float = 1.0
    length: int = 1

    @property
    def takes(self) -> int:
        """What it takes for certain."""
        return round(self.weight * WHOLE) if self.health is Health.UP else 0

    @property
    def lacks(self) -> int:
        """What it does not take for certain."""
        return 0 if self.health is Health.UNKNOWN else WHOLE - self.takes


def weighed(share: float, parts: Sequence[WeighedPart]) -> Health:
    """Return whether so large a share of parts is up, and not nothing."""
    needed, spare = _needed(share, parts)
    if sum(part.takes for part in parts) >= needed:
        return Health.UP
    return Health.DOWN if sum(part.lacks for part in parts) > spare else Health.UNKNOWN


def deciding(share: float, parts: Sequence[WeighedPart]) -> tuple[int, ...]:
    """Return the places of parts that decide that, in their order: of those nothing can be taken out.

    Where it is unknown: of all that are.
    """
    needed, spare = _needed(share, parts)
    match weighed(share, parts):
        case Health.UP:
            return _enough([part.takes for part in parts], needed, parts)
        case Health.DOWN:
            return _enough([part.lacks for part in parts], spare + 1, parts)
        case _:
            return tuple(place for place, part in enumerate(parts) if part.health is Health.UNKNOWN)


def _needed(share: float, parts: Sequence[WeighedPart]) -> tuple[int, int]:
    """Return how much must be taken, and how much may be lacking."""
    whole = WHOLE * len(parts)
    needed = max(round(share * whole), 1)
    return needed, whole - needed


def _enough(amounts: Sequence[int], needed: int, parts: Sequence[WeighedPart]) -> tuple[int, ...]:
    """Return the places of few amounts that come to what is needed: of short parts, and of the largest."""
    order = sorted(
        (place for place, amount in enumerate(amounts) if amount),
        key=lambda place: (parts[place].length, -amounts[place]),
    )
    chosen, left = [], needed
    for place in order:
        if left > 0:
            chosen.append(place)
            left -= amounts[place]
    for place in sorted(chosen, key=lambda place: amounts[place]):
        if left + amounts[place] <= 0:
            chosen.remove(place)
            left += amounts[place]
    return tuple(sorted(chosen))
