"""A decision on one prefix in sentences with its numbers: what `vip_mgmt explain` and the page show.

`explain` is the door: from what was decided and what it was decided by to sentences, each with what it is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.decide import Cause
from policy.explain.change import change
from policy.explain.health import health_lines
from policy.explain.line import About, Decided, Line
from policy.guard import held_until
from policy.intent import Mode, timestamp
from policy.wording import span, until

if TYPE_CHECKING:
    from policy.decide import Decision

_RULES = {
    Cause.OPERATOR: "an operator's intent stands above all else",
    Cause.ADDRESS: "its address must be on this machine (require_address), and is not",
    Cause.DAMPING: "it flapped",
    Cause.HOLD: "unknown is not down",
    Cause.LAST: "it would be announced nowhere",
    Cause.ASKING: "it might be announced nowhere",
    Cause.SITE: "what the site has drained is not known yet",
    Cause.GUARD: "too many VIPs would be withdrawn at once",
}


def explain(decided: Decided) -> tuple[Line, ...]:
    """Return why a prefix is announced or withdrawn, and what would change that.

    Args:
        decided: the decision, what it was made of, and the time.
    """
    return (
        Line(About.DECISION, _decision(decided.decision)),
        Line(About.OPERATOR, _operator(decided)),
        Line(About.CHANGE, change(decided)),
        *health_lines(decided),
        *_address(decided),
        *_damping(decided),
        Line(About.GUARD, _guard(decided)),
    )


def _decision(decision: Decision) -> str:
    state = "withdraw" if decision.route is None else "announce"
    is_told_elsewhere = decision.cause in (Cause.OPERATOR, Cause.ADDRESS)
    why = [_RULES.get(decision.cause), None if is_told_elsewhere else decision.reason]
    return f"{state}, by {decision.cause}: {'; '.join(filter(None, why))}"


def _operator(decided: Decided) -> str:
    intent = decided.facts.intent
    if intent is None or intent.mode is Mode.AUTO:
        return "no intent is in force (auto)"
    since = f"{intent.mode} by {intent.owner}, {span(decided.wall - intent.since)} ago"
    text = f"{since} ({timestamp(intent.since)})"
    if intent.until is None:
        text += ", until it is lifted"
    else:
        text += f", ends {until(intent.until, decided.wall, decided.wall)}"
    return f"{text}; reason: {intent.reason}" if intent.reason else f"{text}; no reason given"


def _address(decided: Decided) -> tuple[Line, ...]:
    if not decided.facts.assignment.vip.health.require_address:
        return ()
    where = "on this machine" if decided.facts.here else "not on this machine"
    return (Line(About.ADDRESS, f"{where}; it must be to be announced (require_address)"),)


def _damping(decided: Decided) -> tuple[Line, ...]:
    rule, last, now = (
        decided.facts.assignment.vip.health.damping,
        decided.facts.damping,
        decided.now,
    )
    if rule is None:
        return ()
    penalty = last.now(rule, now) if last else 0.0
    text = f"penalty {penalty:.0f}; held down from {rule.suppress:g} (suppress) until {rule.reuse:g} (reuse)"
    if last is not None and (end := last.until(rule, now)) is not None:
        text += f"; held down now, ends {until(end, now, decided.wall)}"
    return (Line(About.DAMPING, text),)


def _guard(decided: Decided) -> str:
    rule, prefix = decided.guard, decided.decision.prefix
    limit = (
        f"of more VIPs at once than one and {rule.max_withdraw:.0%} of those announced (max_withdraw), "
        f"each must stay bad for {span(rule.confirm)} (confirm)"
    )
    if decided.decision.cause is not Cause.GUARD:
        return f"does not hold it; {limit}"
    when = held_until(rule, decided.restrained, prefix)
    end = "" if when is None else f", ends {until(when, decided.now, decided.wall)}"
    return f"holds it{end}; {limit}"


__all__ = ["About", "Decided", "Line", "explain"]
