"""Findings of VIPs' rules by themselves: those that can never be up, or never down, whatever their sources say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.health import Health
from policy.lint.finding import Code, Finding
from policy.rule import Said, decisive, value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy.rule import Rule
    from policy.topology import Topology

MOST = 5_000
"""How many ways that sources may be are looked at: with it, all rules of a dozen sources are settled."""
_GOALS = (Health.UP, Health.DOWN)
_UP, _DOWN = Said(Health.UP), Said(Health.DOWN)


def rules(topology: Topology) -> tuple[Finding, ...]:
    """Return the VIPs whose rules are the same whatever is so."""
    named = [(vip.name, vip.health.rule) for vip in topology.vips if vip.health.rule is not None]
    each = dict.fromkeys(rule for _, rule in named)
    never = {rule: [goal for goal in _GOALS if can_be(rule, goal) is False] for rule in each}
    return tuple(finding for name, rule in named for finding in _rule(name, rule, never[rule]))


def _rule(name: str, rule: Rule, never: Sequence[Health]) -> Iterator[Finding]:
    remedy = (
        "correct it: a source and its opposite stand in it, or too much is wanted of too little"
    )
    if Health.UP in never:
        found = f"its rule {rule} is never up: it is never announced"
        yield Finding(Code.RULE_NEVER_UP, f"vip {name}", found, remedy)
    if Health.DOWN in never:
        found = f"its rule {rule} is never down: it is withdrawn by nothing that its sources say"
        yield Finding(Code.RULE_NEVER_DOWN, f"vip {name}", found, remedy)


def can_be(rule: Rule, goal: Health, most: int = MOST) -> bool | None:
    """Tell whether a rule can come to up, or to down; None where that takes too long to find out.

    What is known stays so when more becomes known (Kleene), so where some sources decide, the others are not tried;
    and those that are unknown in a way that leads to the goal may be anything. What is tried is what the rule waits for.

    Args:
        rule: the rule.
        goal: up or down.
        most: how many ways may be tried.
    """
    ways: list[dict[str, Said]] = [{}]
    for _ in range(most):
        if not ways:
            return False
        said = ways.pop()
        found = value(rule, said)
        if found is goal:
            return True
        if found is Health.UNKNOWN:
            name = decisive(rule, said).names[0]
            # The likelier way is tried first: of most rules more up makes more up.
            tried = (_DOWN, _UP) if goal is Health.UP else (_UP, _DOWN)
            ways += ({**said, name: each} for each in tried)
    return None
