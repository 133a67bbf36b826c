"""What happened at a site while something tried it: what operators did, what was so, and what a router far away saw. Values.

All times are of one clock, that of who recorded it, in seconds; those of machines may differ from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy.route import Prefix
    from policy.site_intent import Extent


@dataclass(frozen=True, slots=True)
class Operation:
    """A `-d` or `-a`, and how it ended.

    Attributes:
        number: its own alone.
        drains: it is a `-d`; else an `-a`.
        prefixes: of which.
        extent: for whom.
        where: the machine where it was typed.
        asked: when it began.
        returned: when it ended, None where it was killed.
        status: its exit status: 0 where all live machines of the extent obey, 1 where it is recorded here at least; None and
            others: nobody knows.
        confirmed: those that obey, as it said.
        until: when it ends by itself, None for never.
        soft: a drain that does not withdraw at once.
        knew: the numbers of those that its machine is known to have known; None where only times tell.
    """

    number: int
    drains: bool
    prefixes: frozenset[Prefix]
    extent: Extent
    where: Extent
    asked: float
    returned: float | None = None
    status: int | None = None
    confirmed: frozenset[Extent] = frozenset()
    until: float | None = None
    soft: bool = False
    knew: frozenset[int] | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether it is acknowledged: recorded where it was typed, at least. Else it may be recorded, or not."""
        return self.returned is not None and self.status in (0, 1)


@dataclass(frozen=True, slots=True)
class SeenRoute:
    """From a time on, the far router has a prefix by a machine, or has it not any more."""

    at: float
    machine: Extent
    prefix: Prefix
    announced: bool


@dataclass(frozen=True, slots=True)
class HealthChange:
    """From a time on, a prefix is healthy on a machine, or not."""

    at: float
    machine: Extent
    prefix: Prefix
    up: bool


@dataclass(frozen=True, slots=True)
class Hindrance:
    """For a time, machines were hindered.

    Attributes:
        machines: those.
        since: from when on.
        until: until when.
        kind: `down`: the watchdog, or the machine, does not run, or is stopped. `cut`: etcd, or the others, can't be reached
            from it. `router`: it has no session with the far router. `etcd`: it may or may not reach it: nothing follows.
    """

    machines: frozenset[Extent]
    since: float
    until: float
    kind: str


@dataclass(frozen=True, slots=True)
class SiteHistory:
    """All that was recorded of one run.

    Attributes:
        machines: all of them.
        prefixes: all that each of them may announce.
        ended: when it ended: all have heard of all for a while.
        operations: what operators did.
        seen: what the far router saw, in order of time; at first it has nothing.
        health: in order of time; at first nothing is healthy.
        hindrances: what was wrong, and when.
        drained: at the end, by each machine's own word, whether a prefix is drained there.
    """

    machines: frozenset[Extent]
    prefixes: frozenset[Prefix]
    ended: float
    operations: tuple[Operation, ...] = ()
    seen: tuple[SeenRoute, ...] = ()
    health: tuple[HealthChange, ...] = ()
    hindrances: tuple[Hindrance, ...] = ()
    drained: Mapping[tuple[Extent, Prefix], bool] = field(default_factory=dict)
