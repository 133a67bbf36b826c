"""An address's health in sentences: each service against its thresholds, and the timers that run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.explain.line import About, Line
from policy.health import Need, State
from policy.judge import each_service
from policy.wording import count, span, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy.explain.line import Decided
    from policy.health import HealthRule, Thresholds
    from policy.judge import ServiceVerdict

MOST = 20
"""How many services are told of by name."""
_NEED = {
    Need.ALL: 'each of its services must be up (services = "all")',
    Need.ANY: 'any of its services must be up (services = "any")',
}
_STATES = {True: "up", False: "down", None: "unknown"}
_TIMERS = {
    State.FALLING: "fall",
    State.LOST: "fall",
    State.MISSING: "restart_grace",
    State.RETURNED: "warm_up",
    State.APPEARED: "warm_up",
    State.RISING: "rise",
}
"""What a deadline of a service is called in vip.toml, by what the service is."""


def health_lines(decided: Decided) -> list[Line]:
    """Return the address's health, and each of its services, those that are not plainly up first."""
    facts, health = decided.facts, decided.health
    if health is None and facts.assignment.route is None:
        return [Line(About.HEALTH, "not looked at: not announced here")]
    if health is None:
        return [Line(About.HEALTH, 'not checked (source = "none"): only an operator decides')]
    rule = facts.assignment.vip.health
    services = sorted(verdicts(decided), key=_plainly_up)
    told = (
        f"{health.health}; {_NEED[rule.need]}" if services else f"{health.health}: {health.reason}"
    )
    if rule.rule is not None:
        told = f"{health.health}, by its rule {rule.rule}: {health.reason}"
    lines = [Line(About.HEALTH, told), *_sources(decided)]
    lines += [Line(About.SERVICE, service_text(rule, one, decided)) for one in services[:MOST]]
    if (more := len(services) - MOST) > 0:
        worst = "all of them up" if _plainly_up(services[MOST]) else "not all of them up"
        lines.append(Line(About.SERVICE, f"and {count(more, 'service')} more, {worst}"))
    return lines


def _sources(decided: Decided) -> Iterable[Line]:
    """Tell what the sources of a rule say, since when, and why."""
    for name, said in decided.facts.said.items():
        since = "" if said.since is None else f" for {span(decided.now - said.since)}"
        reason = f": {said.reason}" if said.reason else ""
        yield Line(About.SOURCE, f"{name}: {said.health}{since}{reason}")


def verdicts(decided: Decided) -> Sequence[ServiceVerdict]:
    """Return what each service is now; nothing where the address could not be looked at."""
    facts, health = decided.facts, decided.health
    if facts.live is None or health is None:
        return ()
    return each_service(
        facts.assignment.vip.health,
        facts.live,
        health.memory,
        was_announced=facts.was_announced,
        now=decided.now,
        checker=facts.checker,
    )


def _plainly_up(service: ServiceVerdict) -> bool:
    return service.up is True and not service.note


def service_text(rule: HealthRule, service: ServiceVerdict, decided: Decided) -> str:
    """Return `tcp/80: up with 2 live realservers; goes down at 0 (drop_at)`."""
    live = "not in IPVS" if service.live is None else f"{count(service.live, 'live realserver')}"
    parts = [f"{service.service}: {_STATES[service.up]}, {live}"]
    parts += _timer(service, decided)
    if service.up is None and service.until is None:
        parts.append("stays what it was until that is known")
    limits = rule.of(service.service)
    parts.append(_down_at(limits) if service.up is not False else _up_at(limits))
    return "; ".join(parts)


def _timer(service: ServiceVerdict, decided: Decided) -> Iterable[str]:
    """Say since when it turns, and when that ends."""
    memory, now = service.memory, decided.now
    since = memory.gone_since if memory.state is State.MISSING else memory.since
    doing = {
        State.FALLING: "has too few",
        State.LOST: "is gone",
        State.MISSING: "may come back, is gone",
        State.RETURNED: "not checked yet since it came back,",
        State.APPEARED: "not checked yet since it appeared,",
        State.RISING: "has enough again",
    }.get(memory.state)
    if doing is not None and since is not None:
        yield f"{doing} for {span(now - since)}"
    if service.until is not None and now < service.until:
        end = until(service.until, now, decided.wall)
        yield f"{_name(service, decided)} ends {end}"


def _name(service: ServiceVerdict, decided: Decided) -> str:
    """Return the name of the timer that runs."""
    name = _TIMERS.get(service.memory.state, "warm_up")
    if service.up is None and name == "fall":  # what it falls for is not believed yet
        return "warm_up"
    limits = decided.facts.assignment.vip.health.of(service.service)
    return "warm_up" if name == "rise" and not limits.rise else name


def _down_at(limits: Thresholds) -> str:
    at = f"{limits.drop_at} or fewer" if limits.drop_at else "0"
    text = f"goes down at {at} (drop_at)"
    return f"{text} for {span(limits.fall)} (fall)" if limits.fall else text


def _up_at(limits: Thresholds) -> str:
    text = f"comes back at {limits.restore_at} or more (restore_at)"
    return f"{text} for {span(limits.rise)} (rise)" if limits.rise else text
