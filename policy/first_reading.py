"""While the orders of the whole site were never read: what is not announced yet waits for them, for a bounded time.

Theory of operation. A machine whose state file is new knows of no order. That is not the same as that there is none: a VIP may be
drained everywhere. So what it would announce, and does not announce yet, waits until etcd was read, which takes a moment. What is
announced already goes on: that it was drained is no more known than that it was not, and unknown changes nothing. The wait ends by
itself: where etcd stays away, a site that was started for the first time, or lost all its state files, must not stay nowhere. What an
operator asks for here meanwhile does not wait: he knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from policy.decide import Cause

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.decide import Decision
    from policy.route import Prefix


@dataclass(frozen=True, slots=True)
class Unread:
    """The orders of the whole site were never read.

    Attributes:
        until: when what waits for them waits no more (steady clock).
        within: how long it waits in all, in seconds, for words.
        asked: the prefixes of which an operator asked something here all the same.
    """

    until: float
    within: float
    asked: frozenset[Prefix] = frozenset()


def wait(
    unread: Unread | None,
    decisions: Mapping[Prefix, Decision],
    announced: Collection[Prefix],
    intents: Collection[Prefix],
    now: float,
) -> dict[Prefix, Decision]:
    """Return the decisions that are otherwise: announcements that wait.

    Args:
        unread: that the orders were never read; None where they were, or there is no site.
        decisions: what would be decided else.
        announced: the prefixes announced now.
        intents: the prefixes of which an operator's intent is in force.
        now: seconds on the steady clock.
    """
    if unread is None or now >= unread.until:
        return {}
    why = f"waits for the orders of the whole site, which were never read from etcd, for {unread.within:g}s at most"
    return {
        prefix: replace(decision, route=None, cause=Cause.SITE, reason=f"{why}; {decision.reason}")
        for prefix, decision in decisions.items()
        if decision.route is not None
        and prefix not in announced
        and prefix not in intents
        and prefix not in unread.asked
    }
