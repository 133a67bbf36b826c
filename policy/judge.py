"""One address: the counts of its services' live realservers -> up, down or unknown, with the reason.

What one service is, `service_state.py` says; here they are put together, and into words.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from policy.health import (
    FWMARK,
    NEW,
    AddressHealth,
    Health,
    Need,
    Service,
    ServiceMemory,
    State,
)
from policy.service_look import Doubt, Seen, ServiceCase, may_come_back
from policy.service_state import step
from policy.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.health import Checker, HealthRule, Thresholds

FROZEN = "keepalived not running: what IPVS has is not checked"
ITSELF = Service(FWMARK, 0)
"""What is remembered of an address itself, where none of its services was there, or it has a rule without any. IPVS has no such mark."""


class _Verdict(NamedTuple):
    """What one service is: up, down or unknown (None); until when at most; and a word on it."""

    up: bool | None
    memory: ServiceMemory
    until: float | None = None
    note: str = ""


class ServiceVerdict(NamedTuple):
    """What one service is at a moment: how many are live (None: not in IPVS), up, down or unknown (None).

    `until`: when time alone may change that, if it may (steady clock). `note`: a word on what is not plainly up.
    """

    service: Service
    live: int | None
    up: bool | None
    memory: ServiceMemory
    until: float | None
    note: str


class _Look(NamedTuple):
    """One look at one address.

    `frozen`: nothing keeps the table. `started` is when the checker started, `warm_at` when it will
    have checked everything: None where that does not matter, or has passed. `was_down`: the last
    look found the address down, so that a service that it did not remember was not there.
    """

    rule: HealthRule
    live: Mapping[Service, int]
    was_announced: bool
    now: float
    frozen: bool
    started: float | None
    warm_at: float | None
    was_down: bool


def _look(
    rule: HealthRule,
    live: Mapping[Service, int],
    memory: Mapping[Service, ServiceMemory],
    checker: Checker | None,
    now: float,
    *,
    was_announced: bool,
) -> _Look:
    ups = [last.up for last in memory.values()]
    was_down = bool(ups) and _together(rule.need, ups) is Health.DOWN
    trusted = checker is not None and rule.checker.required
    started = None if checker is None or not trusted else checker.started
    frozen, warm_at = trusted and started is None, None
    if started is not None:
        started = min(started, now)
        warm = started + rule.checker.warm_up
        warm_at = warm if now < warm else None
    return _Look(rule, live, was_announced, now, frozen, started, warm_at, was_down)


def judge(
    rule: HealthRule,
    live: Mapping[Service, int] | None,
    memory: Mapping[Service, ServiceMemory],
    *,
    was_announced: bool,
    now: float,
    unknown: str = "",
    checker: Checker | None = None,
) -> AddressHealth:
    """Judge one address by the live realservers of its services.

    Args:
        rule: the VIP's rule.
        live: live realservers per service; None where unknown.
        memory: what the last call gave for this address.
        was_announced: what a service without memory is taken to have been, where its count says
            nothing: between the thresholds, or when the checker has only just started.
        now: seconds on the steady clock.
        unknown: why `live` is None.
        checker: the program that keeps the services, None where it is not known.
    """
    if live is None:
        return AddressHealth(Health.UNKNOWN, None, unknown or "not observed", memory)
    look = _look(rule, live, memory, checker, now, was_announced=was_announced)
    total = 0
    verdicts = []
    remembered = {}
    for service in _services(look, memory):
        verdict = _service(look, service, memory.get(service, NEW))
        verdicts.append(verdict)
        total += live.get(service, 0)
        if verdict.memory.state is not State.NEW:
            remembered[service] = verdict.memory
    if not verdicts:
        nothing = {ITSELF: ServiceMemory(State.DOWN)} if rule.checker.required else {}
        return AddressHealth(Health.DOWN, 0, "0 realservers: no service exists", nothing)
    until = min((v.until for v in verdicts if v.until is not None), default=None)
    health = _together(rule.need, [verdict.up for verdict in verdicts])
    if health is Health.UNKNOWN:
        return AddressHealth(health, None, _unknown(verdicts), remembered, until)
    notes = [verdict.note for verdict in verdicts if verdict.note]
    return AddressHealth(health, total, _reason(total, notes), remembered, until)


def each_service(
    rule: HealthRule,
    live: Mapping[Service, int],
    memory: Mapping[Service, ServiceMemory],
    *,
    was_announced: bool,
    now: float,
    checker: Checker | None = None,
) -> list[ServiceVerdict]:
    """Judge each service of an address by itself, as `judge` does that puts them together. See there."""
    look = _look(rule, live, memory, checker, now, was_announced=was_announced)
    found = []
    for service in _services(look, memory):
        one = _service(look, service, memory.get(service, NEW))
        found.append(
            ServiceVerdict(service, live.get(service), one.up, one.memory, one.until, one.note)
        )
    return found


def _services(look: _Look, memory: Mapping[Service, ServiceMemory]) -> Iterable[Service]:
    """Return the services that count: those required; else all there are, or may come back.

    Where none exists any more, those that were there have none alive: `fall` holds for that too.
    """
    if look.rule.required:
        return look.rule.required
    held = [
        s
        for s, last in memory.items()
        if s != ITSELF and s not in look.live and may_come_back(_case(look, s, last))
    ]
    return [*look.live, *held] or [service for service in memory if service != ITSELF]


def _together(need: Need, ups: Sequence[bool | None]) -> Health:
    """Return an address's health. What is unknown of its services may not matter."""
    decisive = need is Need.ANY
    if decisive in ups:
        up: bool | None = decisive
    else:
        up = None if None in ups else not decisive
    return Health.UNKNOWN if up is None else Health.UP if up else Health.DOWN


def _service(look: _Look, service: Service, last: ServiceMemory) -> _Verdict:
    """Judge one service: unknown, or by its count."""
    case = _case(look, service, last)
    came = step(case, was_down=look.was_down)
    if isinstance(came.taken, Doubt):
        return _Verdict(
            None, came.memory, came.until, _doubt(look, service, came.taken, came.memory)
        )
    return _Verdict(came.taken, came.memory, came.until, _note(look, service, came.memory))


def _case(look: _Look, service: Service, last: ServiceMemory) -> ServiceCase:
    thresholds = look.rule.of(service)
    checker = look.rule.checker
    if last.state is State.RETURNED and not checker.restart_grace:
        last = replace(last, state=State.LOST, gone_since=last.since)
    seen = _seen(look, thresholds, look.live.get(service))
    proven = _proven(look, last, seen)
    return ServiceCase(
        last,
        seen,
        thresholds,
        checker,
        look.now,
        look.started,
        look.warm_at,
        look.was_announced,
        proven,
    )


def _seen(look: _Look, thresholds: Thresholds, count: int | None) -> Seen:
    if count is None:
        return Seen.ABSENT
    if look.frozen:
        return Seen.FROZEN
    if count <= thresholds.drop_at:
        return Seen.BAD
    return Seen.GOOD if count >= thresholds.restore_at else Seen.BETWEEN


def _proven(look: _Look, last: ServiceMemory, seen: Seen) -> float | None:
    """Return when the checker that runs now was first seen to have filled the service, if it was.

    That a service is full proves nothing by itself: a checker that was killed leaves it so, and
    the next one may empty it when it has read its configuration. It must have been seen without.
    """
    if look.started is None:
        return last.proven_at
    if last.proven_at is not None and last.proven_at >= look.started:
        return last.proven_at
    was_without = last.state not in (State.NEW, State.UP, State.RISING)
    fills = seen is Seen.GOOD or (last.up and seen is Seen.BETWEEN)
    return look.now if was_without and fills else None


def _doubt(look: _Look, service: Service, why: Doubt, memory: ServiceMemory) -> str:
    """Say why a service is unknown."""
    if why is Doubt.FROZEN:
        return FROZEN
    if why is Doubt.GONE:
        return f"{service} gone from IPVS for {_ago(look, memory.gone_since)}, may come back"
    text = _age(look)
    if why is Doubt.BACK:
        text = f"it appeared {_ago(look, memory.since)} ago"
    return f"{service} has {look.live.get(service, 0)}, not checked yet: {text}"


def _note(look: _Look, service: Service, memory: ServiceMemory) -> str:
    """Say what a service is that is down, falling or rising; nothing of one that is plainly up."""
    age = f", {_age(look)}" if look.warm_at is not None else ""
    ago = _ago(look, memory.since)
    match memory.state:
        case State.FALLING | State.LOST:
            return f"{service} falling for {ago}"
        case State.RISING:
            return f"{service} rising for {ago}{age}"
        case State.APPEARED:
            return f"{service} appeared {ago} ago, not checked yet{age}"
        case State.DOWN | State.GONE:
            missing = "" if service in look.live else ", does not exist"
            return f"{service} down with {look.live.get(service, 0)}{missing}"
    return ""


def _ago(look: _Look, when: float | None) -> str:
    return f"{0.0 if when is None else look.now - when:.1f}s"


def _age(look: _Look) -> str:
    return f"keepalived started {look.now - (look.started or look.now):.1f}s ago"


def _reason(total: int, notes: Sequence[str]) -> str:
    """Return `3 realservers`, and the services that are down or turning: at most three by name."""
    text = count(total, "realserver") if total else "0 realservers"
    return f"{text}: {_few(notes)}" if notes else text


def _unknown(verdicts: Iterable[_Verdict]) -> str:
    return _few([*dict.fromkeys(verdict.note for verdict in verdicts if verdict.up is None)])


def _few(notes: Sequence[str]) -> str:
    if len(notes) > 3:
        notes = [*notes[:3], f"{len(notes) - 3} more"]
    return ", ".join(notes)
