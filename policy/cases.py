"""Each prefix judged and decided by itself, and again only where something about it changed.

Theory of operation. Of ten thousand prefixes few change at a time, and each cycle, in which a
withdrawal may wait, has to find those. `Inputs` has all that the prefixes are judged by, as few large
mappings and sets; what of them differs from the last ones names the prefixes in question, by the
identity of objects, which is quick. Those alone are looked at closely (`Case.is_judged`), so one too many
does no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from policy.asking import OtherVips, askers
from policy.decide import Decision, decide, elsewhere
from policy.differing import differing
from policy.intent import timestamp
from policy.ruled import judge_address

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from collections.abc import Set as AbstractSet

    from policy.assignment import Assignment
    from policy.damping import Damping
    from policy.health import (
        AddressHealth,
        Checker,
        Observation,
        Service,
        ServiceMemory,
    )
    from policy.intent import Intent
    from policy.route import Prefix
    from policy.rule import Said

_NOTHING_SAID: Mapping[str, Said] = {}


class Facts(NamedTuple):
    """All that the decision on one prefix depends on, but time and what is remembered.

    All but the last, what an operator wants, may say something of its health.
    """

    assignment: Assignment
    checked: bool
    live: Mapping[Service, int] | None
    unknown: str
    checker: Checker | None
    was_announced: bool
    here: bool
    damping: Damping | None
    said: Mapping[str, Said]
    intent: Intent | None


class Case(NamedTuple):
    """One prefix: the facts, when they were judged (steady clock), and what came of it.

    `due` is when time alone may change that, if it may.
    """

    facts: Facts
    judged_at: float
    health: AddressHealth | None
    decision: Decision
    due: float | None

    def is_judged(self, facts: Facts, now: float) -> bool:
        """Tell whether judging again would give the same health: neither the facts nor time say otherwise.

        A duty is compared by what it is, not by what it has: its VIP may have thousands of addresses.
        """
        due, before = self.due, self.facts
        same = facts.assignment is before.assignment and facts[:-1] == before[:-1]
        return same and self.judged_at <= now and (due is None or now < due)


class Inputs(NamedTuple):
    """What all prefixes are judged by. Where it is the same for a prefix, so are its `Facts`."""

    assignments: Mapping[Prefix, Assignment]
    observation: Observation
    unchecked: Collection[Prefix]
    intents: Mapping[Prefix, Intent]
    was_announced: Collection[Prefix]
    here: Collection[Prefix]
    damping: Mapping[Prefix, Damping]

    def facts(self, prefix: Prefix) -> Facts:
        """Return those of a prefix."""
        assignment, live = self.assignments[prefix], self.observation.live.get(prefix)
        return Facts(
            assignment,
            prefix not in self.unchecked,
            live,
            self.observation.doubt(prefix),
            self.observation.checker,
            prefix in self.was_announced,
            not assignment.vip.health.require_address or prefix in self.here,
            self.damping.get(prefix),
            self.observation.said.get(prefix, _NOTHING_SAID),
            self.intents.get(prefix),
        )

    def since(self, before: Inputs) -> set[Prefix]:
        """Return the prefixes whose facts may be others than before: those in question, and few more."""
        new, old = self.observation, before.observation
        if new.checker != old.checker:
            return {*self.assignments}
        changed = differing(before.assignments, self.assignments)
        changed |= differing(old.live, new.live) | differing(old.said, new.said)
        if new.unknown != old.unknown:
            changed.update(prefix for prefix in self.assignments if prefix not in new.live)
        for one, other in (
            (self.unchecked, before.unchecked),
            (self.was_announced, before.was_announced),
            (self.here, before.here),
        ):
            if one is not other:
                changed |= frozenset(one) ^ frozenset(other)
        changed |= differing(before.intents, self.intents)
        changed |= differing(before.damping, self.damping)
        return changed


class Judged(NamedTuple):
    """All prefixes judged and decided, before the guard.

    `cases` stand in the order of the duties. `dues` says when time alone may change one, `damped`
    are the prefixes whose VIP has damping, `asking` those whose rule asks for other VIPs, each after those.
    """

    inputs: Inputs
    now: float
    cases: Mapping[Prefix, Case]
    dues: Mapping[Prefix, float]
    damped: Collection[Prefix]
    health: Mapping[Prefix, AddressHealth]
    remembered: Mapping[Prefix, Mapping[Service, ServiceMemory]]
    decisions: Mapping[Prefix, Decision]
    asking: tuple[Prefix, ...] = ()


def judge_all(
    inputs: Inputs,
    remembered: Mapping[Prefix, Mapping[Service, ServiceMemory]],
    before: Judged | None,
    now: float,
) -> Judged:
    """Judge and decide every prefix.

    Args:
        inputs: what they are judged by.
        remembered: what is remembered of their health.
        before: what the last call gave; None where that is not to be gone on from.
        now: seconds on the steady clock.
    """
    if before is None or now < before.now:
        before = Judged(inputs._replace(assignments={}), now, {}, {}, (), {}, {}, {})
    assignments, is_same = inputs.assignments, inputs.assignments is before.inputs.assignments
    changed = inputs.since(before.inputs)
    changed.update(prefix for prefix, due in before.dues.items() if due <= now)
    asking = before.asking if is_same else askers(assignments)
    new = _judged(inputs, changed & assignments.keys(), asking, remembered, before, now)
    if not new and is_same:
        return before._replace(inputs=inputs, now=now)
    if is_same:
        cases, damped = {**before.cases, **new}, before.damped
    else:  # in their order
        cases = {p: new[p] if p in new else before.cases[p] for p in assignments}
        damped = [
            p for p, assignment in assignments.items() if assignment.vip.health.damping is not None
        ]
    if is_same and all(case.health is not None for case in new.values()):
        fresh = {p: case.health for p, case in new.items() if case.health is not None}
        health = {**before.health, **fresh}
        memory = {**before.remembered, **{p: found.memory for p, found in fresh.items()}}
    else:
        health = {p: case.health for p, case in cases.items() if case.health is not None}
        memory = {p: found.memory for p, found in health.items()}
    dues = {p: due for p, due in before.dues.items() if p not in new and p in assignments}
    dues |= {p: case.due for p, case in new.items() if case.due is not None}
    decisions = (
        {**before.decisions, **{p: case.decision for p, case in new.items()}}
        if is_same
        else {p: case.decision for p, case in cases.items()}
    )
    return Judged(inputs, now, cases, dues, damped, health, memory, decisions, asking)


def _judged(
    inputs: Inputs,
    changed: AbstractSet[Prefix],
    asking: tuple[Prefix, ...],
    remembered: Mapping[Prefix, Mapping[Service, ServiceMemory]],
    before: Judged,
    now: float,
) -> dict[Prefix, Case]:
    """Return the new cases: of those that may have changed, those that did, and whose rules ask for these."""
    verdicts: dict[object, AddressHealth] = {}
    new: dict[Prefix, Case] = {}
    others = OtherVips(inputs.assignments, before.cases, new) if asking else None
    for prefix in (*(changed - {*asking}), *asking):
        facts, case = inputs.facts(prefix), before.cases.get(prefix)
        if others is not None and facts.assignment.vip.health.rule is not None:
            facts = facts._replace(said={**facts.said, **others.said(prefix)})
        if case is not None and case.is_judged(facts, now):
            if facts.intent == case.facts.intent:
                continue
            verdict = case.health  # only what an operator wants is another
        else:
            verdict = None
        if verdict is None and facts.checked:
            verdict = _health(facts, remembered.get(prefix, {}), now, verdicts)
        new[prefix] = _case(facts, verdict, now)
    return new


def _case(facts: Facts, health: AddressHealth | None, now: float) -> Case:
    """Decide one prefix."""
    decision = _decide(facts, facts.intent, health, now)
    rule = facts.assignment.vip.health.damping
    until = facts.damping.until(rule, now) if rule and facts.damping else None
    times = (until, None if health is None else health.look_again)
    due = min((when for when in times if when is not None), default=None)
    return Case(facts, now, health, decision, due)


def _health(
    facts: Facts,
    memory: Mapping[Service, ServiceMemory],
    now: float,
    judged: dict[object, AddressHealth],
) -> AddressHealth:
    """Judge one prefix. Those of which the same is known share a verdict: most of thousands do.

    Args:
        facts: what is known of it.
        memory: what is remembered of it.
        now: seconds on the steady clock.
        judged: the verdicts of this assessment, by all that they depend on and that differs in it.
    """
    rule, live = facts.assignment.vip.health, facts.live
    counts = None if live is None else tuple(live.items())
    key = (rule, counts, facts.was_announced, tuple(memory.items()), tuple(facts.said.items()))
    if (verdict := judged.get(key)) is None:
        verdict = judged[key] = judge_address(rule, facts, memory, now)
    return verdict


def _decide(
    facts: Facts, intent: Intent | None, health: AddressHealth | None, now: float
) -> Decision:
    duty, damped = facts.assignment, ""
    if (route := duty.announced(intent)) is None:
        return elsewhere(duty.address)
    rule = duty.vip.health.damping
    if rule and facts.damping and (until := facts.damping.until(rule, now)) is not None:
        damped = f"penalty {facts.damping.now(rule, now):.0f}, until {timestamp(until)}"
    return decide(
        route,
        intent,
        health,
        was_announced=facts.was_announced,
        here=facts.here,
        damped=damped,
    )


def preview(case: Case, intent: Intent, now: float) -> Decision:
    """Return what would be decided with another intent. Restoring lifts the damping."""
    facts = case.facts
    if intent.restores:
        facts = facts._replace(was_announced=True, damping=None)
    return _decide(facts, intent, case.health, now)


def without_intent(facts: Facts, health: AddressHealth | None, now: float) -> Decision:
    """Return what would be decided if no operator's intent were in force, the guard left out."""
    return _decide(facts, None, health, now)
