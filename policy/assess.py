"""Everything decided at once: what this data centre should announce, given all that was observed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from policy.damping import withdrawn
from policy.decide import Cause, Decision, decide
from policy.guard import GuardMemory, restrain
from policy.health import Health
from policy.intent import timestamp
from policy.judge import judge
from policy.preference import profile, rank, route

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from policy.damping import Damping
    from policy.guard import GuardRule
    from policy.health import AddressHealth, Checker, Observation, Service, ServiceMemory
    from policy.intent import Intent
    from policy.route import Prefix, Route
    from policy.topology import Address, DataCentre, Profile, Topology, Vip


@dataclass(frozen=True, slots=True)
class Duty:
    """What this data centre has to do with one prefix."""

    vip: Vip
    address: Address
    rank: int
    profile: Profile
    route: Route


def duties(topology: Topology, dc: DataCentre) -> dict[Prefix, Duty]:
    """Return a data centre's duties, by prefix."""
    return {
        address.prefix: Duty(
            vip,
            address,
            rank(address, dc),
            profile(vip, address, dc),
            route(vip, address, dc),
        )
        for vip, address in topology
    }


class Facts(NamedTuple):
    """All that the decision on one prefix depends on, but time and what is remembered."""

    duty: Duty
    checked: bool
    live: Mapping[Service, int] | None
    unknown: str
    checker: Checker | None
    intent: Intent | None
    was_announced: bool
    here: bool
    damping: Damping | None


class Case(NamedTuple):
    """One prefix: the facts, when they were judged (steady clock), and what came of it.

    `due` is when time alone may change that, if it may.
    """

    facts: Facts
    judged_at: float
    health: AddressHealth | None
    decision: Decision
    due: float | None

    def holds(self, facts: Facts, now: float) -> bool:
        """Tell whether judging again would give the same: neither the facts nor time say otherwise.

        A duty is compared by what it is, not by what it has: its VIP may have thousands of addresses.
        """
        due, before = self.due, self.facts
        same = facts.duty is before.duty and facts == before
        return same and self.judged_at <= now and (due is None or now < due)


@dataclass(frozen=True, slots=True)
class Memory:
    """What must be remembered between two assessments. Times are on the steady clock.

    `health` and `damping` must outlive the process. `cases` only spares work: of a thousand
    prefixes, few change.
    """

    health: Mapping[Prefix, Mapping[Service, ServiceMemory]] = field(default_factory=dict)
    guard: GuardMemory = field(default_factory=GuardMemory)
    damping: Mapping[Prefix, Damping] = field(default_factory=dict)
    cases: Mapping[Prefix, Case] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assessment:
    """A decision for every prefix, the health behind it, and when time alone may change one.

    `desired` is the whole desired set. A prefix that is not in `health` is not checked.
    """

    decisions: Mapping[Prefix, Decision]
    desired: Mapping[Prefix, Route | None]
    health: Mapping[Prefix, AddressHealth]
    memory: Memory
    look_again: float | None


def assess(
    duties: Mapping[Prefix, Duty],
    observation: Observation,
    unchecked: Collection[Prefix],
    intents: Mapping[Prefix, Intent],
    announced: Collection[Prefix],
    was_announced: Collection[Prefix],
    guard: GuardRule,
    memory: Memory,
    now: float,
) -> Assessment:
    """Decide for every prefix.

    Args:
        duties: this data centre's, by prefix.
        observation: the live realservers of every prefix whose health is checked.
        unchecked: the prefixes whose health is not checked: only the operator decides.
        intents: the operator's wishes that are in force.
        announced: the prefixes that are announced now.
        was_announced: those that were, when health last decided: a restart of the daemon
            empties `announced`, and must not turn what was up into what was never known.
        guard: how many VIPs may be withdrawn at once.
        memory: what the last call gave.
        now: seconds on the steady clock.
    """
    presence = observation.presence
    # Where it was never known which are here, those that are announced go on.
    here = announced if presence is None or presence.here is None else presence.here
    cases = {}
    judged: dict[object, AddressHealth] = {}
    for prefix, duty in duties.items():
        facts = Facts(
            duty,
            prefix not in unchecked,
            observation.live.get(prefix),
            observation.unknown,
            observation.checker,
            intents.get(prefix),
            prefix in was_announced,
            not duty.vip.health.require_address or prefix in here,
            memory.damping.get(prefix),
        )
        case = memory.cases.get(prefix)
        if case is None or not case.holds(facts, now):
            case = _case(facts, memory.health.get(prefix, {}), now, judged)
        cases[prefix] = case
    health = {prefix: case.health for prefix, case in cases.items() if case.health is not None}
    decisions = [case.decision for case in cases.values()]
    restrained = restrain(
        guard,
        decisions,
        announced,
        lambda prefix: duties[prefix].route,
        lambda prefix: duties[prefix].vip.name if prefix in duties else None,
        memory.guard,
        now,
    )
    deadlines = [case.due for case in cases.values()]
    return Assessment(
        {decision.prefix: decision for decision in restrained.decisions},
        {decision.prefix: decision.route for decision in restrained.decisions},
        health,
        Memory(
            {prefix: verdict.memory for prefix, verdict in health.items()},
            restrained.memory,
            _damping(cases.values(), restrained.decisions, now),
            cases,
        ),
        min(
            (when for when in (*deadlines, restrained.look_again) if when is not None),
            default=None,
        ),
    )


def _case(
    facts: Facts,
    memory: Mapping[Service, ServiceMemory],
    now: float,
    judged: dict[object, AddressHealth],
) -> Case:
    """Judge and decide one prefix."""
    health = _health(facts, memory, now, judged) if facts.checked else None
    decision = _decide(facts, facts.intent, health, now)
    rule = facts.duty.vip.health.damping
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
    rule, live = facts.duty.vip.health, facts.live
    counts = None if live is None else tuple(live.items())
    key = (rule, counts, facts.was_announced, tuple(memory.items()))
    if (verdict := judged.get(key)) is None:
        verdict = judged[key] = judge(
            rule,
            live,
            memory,
            was_announced=facts.was_announced,
            now=now,
            unknown=facts.unknown,
            checker=facts.checker,
        )
    return verdict


def _decide(
    facts: Facts, intent: Intent | None, health: AddressHealth | None, now: float
) -> Decision:
    damped, rule = "", facts.duty.vip.health.damping
    if rule and facts.damping and (until := facts.damping.until(rule, now)) is not None:
        damped = f"penalty {facts.damping.now(rule, now):.0f}, until {timestamp(until)}"
    return decide(
        facts.duty.route,
        intent,
        health,
        was_announced=facts.was_announced,
        here=facts.here,
        damped=damped,
    )


def foresee(case: Case, intent: Intent, now: float) -> Decision:
    """Return what would be decided if an operator wished so. Restoring lifts the damping."""
    facts = case.facts
    if intent.restores:
        facts = facts._replace(was_announced=True, damping=None)
    return _decide(facts, intent, case.health, now)


def _damping(
    cases: Iterable[Case], decisions: Iterable[Decision], now: float
) -> dict[Prefix, Damping]:
    """Return what is to be remembered of the prefixes that flapped.

    What counts is that health withdraws a prefix, or would, were it not held down: not what an
    operator does, and not what the guard does not let go.
    """
    remembered = {}
    for (facts, _, health, _, _), decision in zip(cases, decisions, strict=True):
        rule, last = facts.duty.vip.health.damping, facts.damping
        if rule is None or health is None:
            continue
        was_up = facts.was_announced if last is None else last.up
        if health.health is Health.DOWN and was_up and decision.cause is Cause.HEALTH:
            last = withdrawn(rule, last, now)
        elif last is not None and decision.cause is not Cause.GUARD:
            if health.health is not Health.UNKNOWN:
                last = replace(last, up=health.health is Health.UP)
            if not last.now(rule, now):
                last = None
        if last is not None:
            remembered[decision.prefix] = last
    return remembered
