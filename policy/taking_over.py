"""Whether the data centre to which a soft drain's traffic goes is still there, as witnesses tell. Pure: time is handed in.

Theory of operation. While a prefix drains, routers prefer another data centre's path, and those that are witnesses tell it.
That it is gone is known only where each witness that told it since the stage began is there, has told all of its table,
and shows no path of another data centre, nor one of which it is not certain whose it is; and where that was so for `LASTS`, as
routers take a path away and give another one while they choose. Nothing else is known: not what one tells that never told it, nor silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy.drain import TakenOver
from policy.witness import Hearing

if TYPE_CHECKING:
    from policy.route import Prefix
    from policy.witness import Heard

LASTS = 2.0
"""For how long it must be so, in seconds."""


class WatchedTakeover(NamedTuple):
    """The witnesses that told another data centre's path since the stage began, and since when none of them has."""

    told_by: frozenset[str] = frozenset()
    gone_since: float | None = None


def watched(
    before: WatchedTakeover, heard: Heard, prefix: Prefix, now: float
) -> tuple[TakenOver, WatchedTakeover]:
    """Look at who takes over once.

    Args:
        before: what was known at the last look of this stage.
        heard: what witnesses tell.
        prefix: what drains.
        now: seconds on the steady clock.
    """
    others = [each for each in heard.seen(prefix) if each.dc != heard.here]
    if certain := frozenset(each.witness.name for each in others if each.dc):
        return TakenOver.SEEN, WatchedTakeover(before.told_by | certain)
    whole = {each.name for each in heard.witnesses if each.hearing is Hearing.WHOLE}
    if others or not before.told_by or not before.told_by <= whole:
        return TakenOver.UNKNOWN, WatchedTakeover(before.told_by)
    since = now if before.gone_since is None else min(before.gone_since, now)
    state = TakenOver.GONE if now - since >= LASTS else TakenOver.UNKNOWN
    return state, WatchedTakeover(before.told_by, since)
