"""The last one standing: what no other data centre announces is not withdrawn for bad health.

Theory of operation. A data centre whose VIP is down asks what it hears: announces another one the prefix? Only a
path that is seen, and that is another data centre's for certain, lets it withdraw. It fails towards announcing: a VIP
that answers badly is no worse than none. It needs no agreement, so it holds in a partition. The one case that it can't
see is that of two data centres that both withdraw before either has heard that the other one did: each saw the other's
path. Who has withdrawn stays so; what was announced and heard no other goes on. Where the machines of the site share etcd,
that case is closed there: see `policy.standing`. What etcd tells then decides; witnesses do only of data centres that etcd does not
know, and where it gives no answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.keep_last import KeepLast
from policy.standing import LeaveVerdict
from policy.witness import NOTHING_HEARD, Elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from policy.decide import Decision
    from policy.route import Prefix, Route
    from policy.witness import Heard


@dataclass(frozen=True, slots=True)
class Standing:
    """What etcd tells of who announces what.

    Attributes:
        verdicts: of each prefix of which it is not the usual one.
        usual: of all others.
        dcs: the data centres whose machines tell there what they announce: what witnesses have of those is older.
    """

    verdicts: Mapping[Prefix, LeaveVerdict] = field(default_factory=dict)
    usual: LeaveVerdict = LeaveVerdict.UNKNOWN
    dcs: frozenset[str] = frozenset()

    def verdict(self, prefix: Prefix) -> LeaveVerdict:
        """Return whether a prefix may be withdrawn for bad health."""
        return self.verdicts.get(prefix, self.usual)


NOT_SHARED = Standing()
"""What is told without etcd."""


@dataclass(frozen=True, slots=True)
class LastOne:
    """The rule, and what witnesses and etcd tell."""

    rule: KeepLast = KeepLast.NEVER
    heard: Heard = NOTHING_HEARD
    standing: Standing = NOT_SHARED

    def is_asking(self, prefix: Prefix) -> bool:
        """Tell whether that is not known yet, and will be in a moment."""
        return self.standing.verdict(prefix) is LeaveVerdict.ASKING

    def why(self, prefix: Prefix) -> str:
        """Return why a prefix must not be withdrawn for bad health, in words; nothing where it may."""
        if self.rule is KeepLast.NEVER:
            return ""
        match self.standing.verdict(prefix):
            case LeaveVerdict.GRANTED:
                return ""
            case LeaveVerdict.ASKING:
                return "asking whether another machine of the site announces it (keep_last)"
            case LeaveVerdict.LAST:
                others = self.heard.elsewhere(prefix, besides=self.standing.dcs)
                if others is Elsewhere.ANNOUNCED:
                    return ""
                return "last: no other machine of the site announces it (keep_last)"
        return self._why_unshared(prefix)

    def _why_unshared(self, prefix: Prefix) -> str:
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
    """Return the decisions that are otherwise: announcements that are kept, for good or while that is asked.

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
            decision,
            route=route_of(prefix),
            cause=Cause.ASKING if last.is_asking(prefix) else Cause.LAST,
            reason=f"{why}; {decision.reason}",
        )
        for prefix, decision in decisions.items()
        if decision.cause is Cause.HEALTH
        and decision.route is None
        and (prefix in announced or prefix in were_up)
        and (why := last.why(prefix))
    }
