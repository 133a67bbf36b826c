"""The last one standing: what no other data centre announces is not withdrawn for bad health.

Theory of operation. A data centre whose VIP is down asks what it hears: announces another one the prefix? Only a
path that is seen, and that is another data centre's for certain, lets it withdraw. It fails towards announcing: a VIP
that answers badly is no worse than none. It needs no agreement, so it holds in a partition. The one case that it can't
see is that of two data centres that both withdraw before either has heard that the other one did: each saw the other's
path. Who has withdrawn stays so; what was announced and heard no other goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.witness import NOTHING_HEARD, Elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from policy.decide import Decision
    from policy.route import Prefix, Route
    from policy.witness import Heard


class KeepLast(StrEnum):
    """Whether the last announcement is kept: never, where a witness could tell of another one, or always."""

    NEVER = "never"
    KNOWN = "known"
    STRICT = "strict"


@dataclass(frozen=True, slots=True)
class LastOne:
    """The rule, and what witnesses tell."""

    rule: KeepLast = KeepLast.NEVER
    heard: Heard = NOTHING_HEARD

    def why(self, prefix: Prefix) -> str:
        """Return why a prefix must not be withdrawn for bad health, in words; nothing where it may."""
        if self.rule is KeepLast.NEVER:
            return ""
        known = self.heard.elsewhere(prefix)
        if known is Elsewhere.NOT_SEEN:
            return "last: no other data centre announces it as far as any live witness knows (keep_last)"
        if known is Elsewhere.UNASKED and self.rule is KeepLast.STRICT:
            return (
                "last: no live witness tells whether another data centre announces it (keep_last)"
            )
        return ""


NOT_KEPT = LastOne()
"""What is decided without witnesses."""


def keep(
    last: LastOne,
    decisions: Mapping[Prefix, Decision],
    announced: Collection[Prefix],
    were_up: Collection[Prefix],
    route_of: Callable[[Prefix], Route | None],
) -> dict[Prefix, Decision]:
    """Return the decisions that are otherwise: announcements that are kept.

    Args:
        last: the rule, and what is known.
        decisions: of each prefix by itself.
        announced: the prefixes announced now.
        were_up: those that were up when health was last heeded: after a restart of the daemon nothing is announced.
        route_of: gives what a prefix is announced with.
    """
    if last.rule is KeepLast.NEVER:
        return {}
    return {
        prefix: replace(
            decision, route=route_of(prefix), cause=Cause.LAST, reason=f"{why}; {decision.reason}"
        )
        for prefix, decision in decisions.items()
        if decision.cause is Cause.HEALTH
        and decision.route is None
        and (prefix in announced or prefix in were_up)
        and (why := last.why(prefix))
    }
