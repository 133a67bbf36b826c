"""Everything decided at once: what this data centre should announce, given all that was observed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policy.aggregate import NOTHING_AGGREGATED, Aggregated, Aggregates, aggregate
from policy.cases import Inputs, judge_all
from policy.damping import withdrawn
from policy.decide import Cause, Decision
from policy.first_reading import wait
from policy.guard import GuardMemory, restrain
from policy.health import Health
from policy.last import NOT_KEPT, keep

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from policy.assignment import Assignment
    from policy.cases import Case, Judged
    from policy.damping import Damping
    from policy.first_reading import Unread
    from policy.guard import GuardRule, Restrained
    from policy.health import AddressHealth, Observation, Service, ServiceMemory
    from policy.intent import Intent
    from policy.last import LastOne
    from policy.route import Prefix, Route


@dataclass(frozen=True, slots=True)
class Memory:
    """What must be remembered between two assessments. Times are on the steady clock.

    `health` and `damping` must outlive the process. `cases`, `last`, `aggregates` and `aggregated`
    only spare work: of thousands of prefixes, few change.
    """

    health: Mapping[Prefix, Mapping[Service, ServiceMemory]] = field(default_factory=dict)
    guard: GuardMemory = field(default_factory=GuardMemory)
    damping: Mapping[Prefix, Damping] = field(default_factory=dict)
    cases: Mapping[Prefix, Case] = field(default_factory=dict)
    last: Judged | None = field(default=None, repr=False, compare=False)
    aggregates: Aggregates | None = field(default=None, repr=False, compare=False)
    aggregated: Aggregated = field(default=NOTHING_AGGREGATED, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Assessment:
    """A decision for every prefix, the health behind it, and when time alone may change one.

    `desired` is the whole desired set. A prefix that is not in `health` is not checked. A decision
    that nothing has changed is the same object as in the assessment before. `alone` has what is
    decided of each prefix by itself, where an aggregate does not keep it back. `waiting` are those that
    wait for the orders of the site.
    """

    decisions: Mapping[Prefix, Decision]
    desired: Mapping[Prefix, Route | None]
    health: Mapping[Prefix, AddressHealth]
    memory: Memory
    look_again: float | None
    alone: Mapping[Prefix, Decision] = field(default_factory=dict)
    waiting: frozenset[Prefix] = frozenset()


def assess(
    assignments: Mapping[Prefix, Assignment],
    observation: Observation,
    unchecked: Collection[Prefix],
    intents: Mapping[Prefix, Intent],
    announced: Collection[Prefix],
    was_announced: Collection[Prefix],
    guard: GuardRule,
    memory: Memory,
    now: float,
    last_one: LastOne = NOT_KEPT,
    unread: Unread | None = None,
) -> Assessment:
    """Decide for every prefix.

    Args:
        assignments: this data centre's, by prefix.
        observation: the live realservers of every prefix whose health is checked.
        unchecked: the prefixes whose health is not checked: only the operator decides.
        intents: the operator's intents that are in force.
        announced: the prefixes that are announced now.
        was_announced: those that were, when health last decided: a restart of the daemon
            empties `announced`, and must not turn what was up into what was never known.
        guard: how many VIPs may be withdrawn at once.
        memory: what the last call gave.
        now: seconds on the steady clock.
        last_one: whether the last announcement of a prefix is kept, and what witnesses tell of others.
        unread: that the orders of the site were never read; None where they were, or there is no site.
    """
    aggregates = _aggregates(assignments, memory)
    if standing_for := aggregates.standing_for(announced, was_announced):
        announced = standing_for.union(announced)
    presence = observation.presence
    # Where it was never known which are here, those that are announced go on.
    here = announced if presence is None or presence.here is None else presence.here
    inputs = Inputs(
        assignments, observation, unchecked, intents, was_announced, here, memory.damping
    )
    before = memory.last if memory.last and memory.last.cases is memory.cases else None
    last = judge_all(inputs, memory.health, before, now)
    kept = _kept(last_one, inputs, last.decisions, announced)
    judged = {**last.decisions, **kept} if kept else last.decisions
    waiting = _waiting(unread, judged, announced, intents, aggregates, now)
    judged = {**judged, **waiting} if waiting else judged
    restrained = _restrained(guard, inputs, judged, announced, memory.guard, now)
    alone = {**judged, **{each.prefix: each for each in restrained.decisions}}
    aggregated = aggregate(aggregates, assignments, alone, intents, memory.aggregated)
    waiting |= wait(unread, aggregated.decisions, announced, intents, now)
    decisions = {**alone, **aggregated.decisions, **waiting} if aggregates else alone
    until = unread.until if unread and waiting else None
    deadlines = (*last.dues.values(), restrained.look_again, until)
    return Assessment(
        decisions,
        {prefix: decision.route for prefix, decision in decisions.items()},
        {**last.health, **aggregated.health} if aggregates else last.health,
        _memory(last, restrained, alone, aggregates, aggregated, now),
        min((when for when in deadlines if when is not None), default=None),
        alone,
        frozenset(waiting),
    )


def _aggregates(assignments: Mapping[Prefix, Assignment], memory: Memory) -> Aggregates:
    """Return the aggregates among the duties: those known already, while the duties are the same."""
    last = memory.last
    if memory.aggregates is not None and last and last.inputs.assignments is assignments:
        return memory.aggregates
    return Aggregates.of(assignments)


def _kept(
    last_one: LastOne,
    inputs: Inputs,
    decisions: Mapping[Prefix, Decision],
    announced: Collection[Prefix],
) -> Mapping[Prefix, Decision]:
    """Return what is kept because no other data centre announces it."""
    return keep(
        last_one,
        decisions,
        announced,
        inputs.was_announced,
        lambda prefix: inputs.assignments[prefix].announced(inputs.intents.get(prefix)),
    )


def _waiting(
    unread: Unread | None,
    decisions: Mapping[Prefix, Decision],
    announced: Collection[Prefix],
    intents: Collection[Prefix],
    aggregates: Aggregates,
    now: float,
) -> dict[Prefix, Decision]:
    """Return what waits for the orders of the site. An aggregate goes by its members first, and waits then.

    Members that it is announced in place of count as announced: else it would go because they wait.
    """
    if unread is None:
        return {}
    stood_for = aggregates.standing_for(announced, aggregates.keepers)
    waiting = wait(unread, decisions, stood_for.union(announced), intents, now)
    return {p: decision for p, decision in waiting.items() if p not in aggregates.members}


def _restrained(
    guard: GuardRule,
    inputs: Inputs,
    decisions: Mapping[Prefix, Decision],
    announced: Collection[Prefix],
    memory: GuardMemory,
    now: float,
) -> Restrained:
    """Restrain what would be withdrawn."""
    return restrain(
        guard,
        [decision for decision in decisions.values() if decision.route is None],
        announced,
        lambda prefix: inputs.assignments[prefix].announced(inputs.intents.get(prefix)),
        lambda prefix: _counted(inputs.assignments.get(prefix)),
        memory,
        now,
    )


def _counted(assignment: Assignment | None) -> str | None:
    """Return the VIP that is withdrawn here when a prefix is, None where it is not this data centre's.

    An aggregate is none: who goes with it, goes by itself.
    """
    if assignment is None or assignment.route is None or assignment.vip.aggregate:
        return None
    return assignment.vip.name


def _memory(
    last: Judged,
    restrained: Restrained,
    alone: Mapping[Prefix, Decision],
    aggregates: Aggregates,
    aggregated: Aggregated,
    now: float,
) -> Memory:
    """Return what is to be remembered of an assessment."""
    damping = _damping(last, alone, now)
    return Memory(
        last.remembered, restrained.memory, damping, last.cases, last, aggregates, aggregated
    )


def _damping(
    judged: Judged, decisions: Mapping[Prefix, Decision], now: float
) -> dict[Prefix, Damping]:
    """Return what is to be remembered of the prefixes that flapped.

    What counts is that health withdraws a prefix, or would, were it not held down: not what an
    operator does, and not what the guard does not let go.
    """
    remembered = {}
    for prefix in judged.damped:
        facts, _, health, _, _ = judged.cases[prefix]
        decision = decisions[prefix]
        rule, last = facts.assignment.vip.health.damping, facts.damping
        if rule is None or health is None:
            continue
        was_up = facts.was_announced if last is None else last.up
        if health.health is Health.DOWN and was_up and decision.cause is Cause.HEALTH:
            last = withdrawn(rule, last, now)
        elif last is not None and decision.cause not in (Cause.GUARD, Cause.LAST, Cause.ASKING):
            if health.health is not Health.UNKNOWN:
                last = replace(last, up=health.health is Health.UP)
            if not last.now(rule, now):
                last = None
        if last is not None:
            remembered[prefix] = last
    return remembered
