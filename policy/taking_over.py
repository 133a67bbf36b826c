"""Whether the data centre to which a soft drain's traffic goes is still there, as witnesses and the site's machines tell. Pure: time is handed in.

Theory of operation. While a prefix drains, routers prefer another data centre's path, and those that are witnesses tell it.
That it is gone is known only where each witness that told it since the stage began is there, has told all of its table,
and shows no path of another data centre, nor one of which it is not certain whose it is; and where that was so for `LASTS`, as
routers take a path away and give another one while they choose. Nothing else is known: not what one tells that never told it, nor silence.

Where the machines of a site know of one another, they tell whether they announce it. What routers have stands above that; where witnesses
tell neither that it is there nor that it is gone, it is gone where each machine of another data centre that announced it since the stage began
says that it does not any more, or has lost its lease, as one that died; where no other machine announces it, or may do; and where that was so for `LASTS`. A path that
nobody can tell the data centre of may be theirs: then nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy.drain import TakenOver
from policy.witness import Hearing

if TYPE_CHECKING:
    from collections.abc import Collection

    from policy.route import Prefix
    from policy.site_intent import Extent
    from policy.site_members import MemberState
    from policy.witness import Heard

LASTS = 2.0
"""For how long it must be so, in seconds."""


class WatchedTakeover(NamedTuple):
    """Those that told another data centre's path since the stage began, and since when none of them does: witnesses, and machines."""

    told_by: frozenset[str] = frozenset()
    gone_since: float | None = None
    announced_by: frozenset[str] = frozenset()
    left_since: float | None = None


class ToldByMachines(NamedTuple):
    """What the other machines of a site tell of a prefix, by their names.

    `announcing`: those that do. `not_announcing`: those that say they do not, or have lost their lease. `unknown`: those that
    live, and do not know it themselves. `leaving`: those of this data centre that drain it, too. `at_hand`: whether one of this data
    centre announces it, and does not drain it.
    """

    announcing: frozenset[str] = frozenset()
    not_announcing: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()
    at_hand: bool = False

    def are_without(self, some: frozenset[str]) -> bool:
        """Tell whether it is known that some do not announce it, and none else does."""
        return not (self.announcing or self.unknown) and some <= self.not_announcing


UNTOLD = ToldByMachines()
"""What is told where there is no site, or etcd is away."""


def told_by_machines(
    states: Collection[MemberState], here: Extent, silent: frozenset[str] = frozenset()
) -> ToldByMachines:
    """Return what the other machines of a site tell of a prefix.

    Args:
        states: what the live machines told of it last.
        here: this machine.
        silent: the others that have lost their lease.
    """
    names: dict[bool | None, set[str]] = {True: set(), False: {*silent}, None: set()}
    leaving: set[str] = set()
    at_hand = False
    for each in states:
        is_near = each.dc == here.dc
        if is_near and each.machine == here.machine:
            continue
        drains = is_near and each.drains
        (leaving if drains else names[each.announced]).add(f"{each.dc}/{each.machine}")
        at_hand |= is_near and not drains and each.announced is True
    announcing, not_announcing, unknown = (frozenset(names[said]) for said in (True, False, None))
    return ToldByMachines(announcing, not_announcing, unknown, frozenset(leaving), at_hand)


def watched(
    before: WatchedTakeover,
    heard: Heard,
    prefix: Prefix,
    now: float,
    machines: ToldByMachines = UNTOLD,
) -> tuple[TakenOver, WatchedTakeover]:
    """Look at who takes over once.

    Args:
        before: what was known at the last look of this stage.
        heard: what witnesses tell.
        prefix: what drains.
        now: seconds on the steady clock.
        machines: what the other ones of the site tell.
    """
    others = [each for each in heard.seen(prefix) if each.dc != heard.here]
    shown_by = frozenset(each.witness.name for each in others if each.dc)
    told_by = before.told_by | shown_by
    whole = {each.name for each in heard.witnesses if each.hearing is Hearing.WHOLE}
    is_gone = bool(told_by) and not others and told_by <= whole
    announced_by = (before.announced_by | machines.announcing) - machines.leaving
    is_left = bool(announced_by) and not others and machines.are_without(announced_by)
    after = WatchedTakeover(
        told_by,
        _since(before.gone_since, now) if is_gone else None,
        announced_by,
        _since(before.left_since, now) if is_left else None,
    )
    if shown_by or machines.at_hand:
        return TakenOver.SEEN, after
    if _lasts(after.gone_since, now):
        return TakenOver.GONE, after
    if machines.announcing:
        return TakenOver.SEEN, after
    return TakenOver.LEFT if _lasts(after.left_since, now) else TakenOver.UNKNOWN, after


def _since(before: float | None, now: float) -> float:
    return now if before is None else min(before, now)


def _lasts(since: float | None, now: float) -> bool:
    return since is not None and now - since >= LASTS
