"""An address whose VIP has a rule: what its services and other sources say together, as one verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from policy.health import NEW, AddressHealth, CheckerRule, Health, State
from policy.judge import ITSELF, judge
from policy.rule import AtLeast, Said, Term, asks_services, decisive, terms, value
from policy.service_look import Seen, ServiceCase
from policy.service_state import step
from policy.sources import SERVICES, VIP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.cases import Facts
    from policy.health import HealthRule, Service, ServiceMemory, Thresholds
    from policy.rule import Rule


def asked_vips(rule: Rule) -> tuple[str, ...]:
    """Return the names of the VIPs that a rule asks for, each once."""
    return tuple(
        dict.fromkeys(name.removeprefix(VIP) for name in terms(rule) if name.startswith(VIP))
    )


def ruled(rule: Rule, own: AddressHealth | None, said: Mapping[str, Said]) -> AddressHealth:
    """Return an address's verdict by a rule.

    Args:
        rule: the VIP's.
        own: what its services are; None where the rule does not ask for them.
        said: what the other sources say.
    """
    if own is not None:
        said = {**said, **dict.fromkeys(SERVICES, Said(own.health, own.reason))}
    health, part = value(rule, said), decisive(rule, said)
    settling = health is Health.UNKNOWN and all(
        name in said and said[name].settling for name in part.names
    )
    if own is None:
        return AddressHealth(health, None, part.text, settling=settling)
    return AddressHealth(
        health, own.realservers, part.text, own.memory, own.look_again, settling=settling
    )


def lasting(
    found: AddressHealth,
    limits: Thresholds,
    memory: Mapping[Service, ServiceMemory],
    now: float,
    *,
    was_announced: bool,
) -> AddressHealth:
    """Return the verdict of a rule without services once it has lasted for `fall`, or `rise`; as those of services do.

    Args:
        found: what the rule comes to now.
        limits: the VIP's, of which times alone count.
        memory: what the last call gave for this address.
        now: seconds on the steady clock.
        was_announced: whether the address is announced.
    """
    if found.health is Health.UNKNOWN:
        return replace(found, memory=memory)
    seen = Seen.GOOD if found.health is Health.UP else Seen.BAD
    last = memory.get(ITSELF, NEW)
    case = ServiceCase(
        last, seen, limits, CheckerRule(), now, None, None, was_announced, proven_at=None
    )
    taken, remembered, until = step(case, was_down=False)
    turning = {State.FALLING: "falling", State.RISING: "rising"}.get(remembered.state)
    since = now if remembered.since is None else remembered.since
    note = f", {turning} for {now - since:.1f}s" if turning else ""
    return AddressHealth(
        Health.UP if taken is True else Health.DOWN,
        None,
        found.reason + note,
        {ITSELF: remembered},
        until,
    )


def judge_address(
    rule: HealthRule, facts: Facts, memory: Mapping[Service, ServiceMemory], now: float
) -> AddressHealth:
    """Judge an address by its services, by its rule, or by both."""
    own = None
    if rule.rule is None or asks_services(rule.rule):
        own = judge(
            rule,
            facts.live,
            memory,
            was_announced=facts.was_announced,
            now=now,
            unknown=facts.unknown,
            checker=facts.checker,
        )
        if rule.rule is None:
            return own
    found = ruled(rule.rule, own, facts.said)
    if own is not None:
        return found
    return lasting(found, rule.thresholds, memory, now, was_announced=facts.was_announced)


def together(verdicts: Iterable[AddressHealth | None]) -> Said:
    """Return what a VIP is to the rules of others: up where all of its addresses here are.

    Args:
        verdicts: its addresses'; None for those whose health is not checked.
    """
    said = {
        str(index): Said(Health.UP, "health is not checked")
        if verdict is None
        else Said(verdict.health, verdict.reason, settling=verdict.settling)
        for index, verdict in enumerate(verdicts)
    }
    if not said:
        return Said(Health.UNKNOWN, "not announced here")
    rule = AtLeast(len(said), tuple(map(Term, said)))
    names = decisive(rule, said).names
    settling = all(said[name].settling for name in names)
    return Said(value(rule, said), said[names[0]].reason, settling=settling)


def circle(asks: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return a circle of what asks for what, the first at both ends; nothing where there is none.

    Args:
        asks: what each asks for; what is not in it asks for nothing.
    """
    done: set[str] = set()
    for start in asks:
        path: dict[str, Iterable[str]] = {}  # the way from the start, with what is left to follow
        todo = [start]
        while todo:
            name = todo[-1]
            if name in done:
                todo.pop()
                continue
            left = path.setdefault(name, iter(asks.get(name, ())))
            inner = next(iter(left), None)
            if inner is None:
                done.add(name)
                path.pop(name)
                todo.pop()
            elif inner in path:
                way = [*path]
                return (*way[way.index(inner) :], inner)
            elif inner not in done:
                todo.append(inner)
    return ()
