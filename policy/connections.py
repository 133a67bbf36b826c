"""How many connections a VIP has: values only. What counts them is `speaker.health.ipvs.connections`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.route import Prefix


@dataclass(frozen=True, slots=True)
class ConnectionCount:
    """What is balanced of one prefix now.

    `active` are established, `inactive` all others that are still remembered (of TCP mostly those that were
    closed; of UDP all). `made`: how many there ever were, since its virtual servers were made; None where
    that is not told. The kernel adds it up every two seconds.
    """

    active: int = 0
    inactive: int = 0
    made: int | None = None

    def __add__(self, other: ConnectionCount) -> ConnectionCount:
        """Return those of both together. What one does not tell, both do not."""
        untold = self.made is None or other.made is None
        made = None if untold else (self.made or 0) + (other.made or 0)
        return ConnectionCount(self.active + other.active, self.inactive + other.inactive, made)


@dataclass(frozen=True, slots=True)
class Counted:
    """The connections of many prefixes at one moment.

    Attributes:
        when: seconds on the steady clock.
        of: the connections of each prefix. One that is not in it is not known, which is not that it has none.
        unknown: why nothing is known of some; "" where all were counted that have a virtual server.
    """

    when: float
    of: Mapping[Prefix, ConnectionCount] = field(default_factory=dict)
    unknown: str = ""

    def new_per_second(self, prefix: Prefix, before: Counted) -> float | None:
        """Return how many connections were made per second since an earlier count; None where that is not known.

        Args:
            prefix: of which.
            before: the earlier count: some seconds earlier, because `made` moves every two.
        """
        now, then = self.of.get(prefix), before.of.get(prefix)
        span = self.when - before.when
        if now is None or then is None or now.made is None or then.made is None or span <= 0:
            return None
        if now.made < then.made:  # its virtual servers were removed and made again meanwhile
            return None
        return (now.made - then.made) / span
