"""How many VIPs the watchdog may withdraw at once: more must stay bad for a while first.

A fault of the checker looks like the death of everything. The death of one VIP does not, and is
never held; nor is an operator.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.errors import PolicyError
from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from policy.decide import Decision
    from policy.route import Prefix, Route


@dataclass(frozen=True, slots=True)
class GuardRule:
    """`max_withdraw` is a share of the announced VIPs, 0 to 1; `confirm` is in seconds."""

    max_withdraw: float = 0.5
    confirm: float = 3.0

    def __post_init__(self) -> None:
        if not 0 <= self.max_withdraw <= 1:
            raise PolicyError(f"max_withdraw: {self.max_withdraw}: not a share from 0 to 1")
        if self.confirm < 0:
            raise PolicyError(f"confirm: {self.confirm}: not negative")


@dataclass(frozen=True, slots=True)
class GuardMemory:
    """Since when each announced prefix has been bad, and what was let go within `confirm`.

    Times are seconds on the steady clock.
    """

    bad_since: Mapping[Prefix, float] = field(default_factory=dict)
    let_go: Mapping[Prefix, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restrained:
    """The decisions that the guard lets through, its memory, and when to look again."""

    decisions: tuple[Decision, ...]
    memory: GuardMemory
    look_again: float | None = None


def restrain(
    rule: GuardRule,
    decisions: Sequence[Decision],
    announced: Collection[Prefix],
    route_of: Callable[[Prefix], Route | None],
    vip_of: Callable[[Prefix], str | None],
    memory: GuardMemory,
    now: float,
) -> Restrained:
    """Hold withdrawals for bad health while they are too many at once and not yet confirmed.

    Too many are more than one VIP, and more than the rule's share of those announced. A VIP is
    announced while any of its prefixes is, and going as soon as any of them is: a fault that takes
    one family from each VIP is a landslide. What went within the last `confirm` seconds counts
    too, so that a landslide in small steps is one landslide.

    Args:
        rule: the limit.
        decisions: one for each prefix.
        announced: the prefixes announced now.
        route_of: gives what a prefix is announced with.
        vip_of: names the VIP of a prefix; None where it is none's any more, or not announced here.
        memory: what the last call gave.
        now: seconds on the steady clock.
    """
    wanted = [
        decision.prefix
        for decision in decisions
        if decision.route is None
        and decision.cause is Cause.HEALTH
        and decision.prefix in announced
    ]
    gone = {decision.prefix for decision in decisions if decision.route is None}
    recent = {
        prefix: when
        for prefix, when in memory.let_go.items()
        if prefix in gone and when <= now < when + rule.confirm
    }
    if not wanted:
        return Restrained(tuple(decisions), GuardMemory(let_go=recent))
    going = len(_vips(vip_of, recent, wanted))
    # Thousands are not counted for the death of one.
    total = len(_vips(vip_of, recent, announced)) if going > 1 else going
    too_many = going > 1 and going > rule.max_withdraw * total
    since = {prefix: min(memory.bad_since.get(prefix, now), now) for prefix in wanted}
    held = {prefix for prefix in wanted if too_many and now - since[prefix] < rule.confirm}
    recent |= {prefix: now for prefix in wanted if prefix not in held}
    if not held:
        return Restrained(tuple(decisions), GuardMemory(since, recent))
    reason = (
        f"held: {going} of {count(total, 'VIP')} would be withdrawn at once, more than "
        f"{rule.max_withdraw:.0%}; must stay bad for {rule.confirm:g}s; "
    )
    return Restrained(
        _holding(decisions, held, route_of, reason),
        GuardMemory(since, recent),
        min(when + rule.confirm for when in (*map(since.__getitem__, held), *recent.values())),
    )


def held_until(rule: GuardRule, memory: GuardMemory, prefix: Prefix) -> float | None:
    """Return when a prefix that is held may go, if it is still bad then; None for one that was not bad."""
    since = memory.bad_since.get(prefix)
    return None if since is None else since + rule.confirm


def _holding(
    decisions: Sequence[Decision],
    held: Collection[Prefix],
    route_of: Callable[[Prefix], Route | None],
    reason: str,
) -> tuple[Decision, ...]:
    """Return the decisions with those announced that are held."""
    return tuple(
        replace(
            decision,
            route=route_of(decision.prefix),
            cause=Cause.GUARD,
            reason=reason + decision.reason,
        )
        if decision.prefix in held
        else decision
        for decision in decisions
    )


def _vips(vip_of: Callable[[Prefix], str | None], *prefixes: Iterable[Prefix]) -> set[str]:
    """Return the names of the VIPs that have any of some prefixes."""
    return {name for prefix in chain(*prefixes) if (name := vip_of(prefix)) is not None}
