"""What would change a decision: what to do, what to wait for, and what would come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.cases import without_intent
from policy.decide import Cause
from policy.drain import Then
from policy.explain.health import verdicts
from policy.guard import held_until
from policy.health import Health, Need
from policy.intent import Mode
from policy.rule import asks_services
from policy.wording import count, span, until

if TYPE_CHECKING:
    from policy.decide import Decision
    from policy.explain.line import Decided
    from policy.health import AddressHealth
    from policy.judge import ServiceVerdict
    from policy.rule import Rule
    from policy.topology import Vip

_ONLY = {
    Cause.ADDRESS: "announced once the address is on this machine, or require_address is not set for it",
    Cause.LAST: "announced while its health is good, too; withdrawn once another data centre, or machine of the site, is seen to announce it",
    Cause.ASKING: "withdrawn once etcd says that another machine announces it; kept where none does",
    Cause.PREFERENCE: "announced here once prefer in vip.toml has this data centre",
    Cause.AGGREGATE: "announced once no aggregate in vip.toml that it is in has summary_only",
}
"""The one way out of some decisions."""
NAMED = 3
"""How many services are named."""


def change(decided: Decided) -> str:
    """Return what would change the decision."""
    name = decided.facts.assignment.vip.name
    intent = decided.facts.intent
    if intent is not None and intent.is_soft and decided.decision.route is not None:
        return _stage_ends(intent.mode, decided.facts.assignment.vip)
    match decided.decision.cause:
        case Cause.OPERATOR:
            return _intent_ends(decided, name)
        case Cause.GUARD:
            return _held(decided)
        case Cause.DAMPING:
            return _damped(decided, name)
        case Cause.SITE:
            return (
                "announced once etcd was read and has no drain of it, or after [site] start_wait; "
                f"now by vip_mgmt -a --here {name}"
            )
        case Cause.MEMBERS:
            return _members(decided.decision, name)
        case Cause.HOLD:
            return f"{_held_so(decided.decision)} until health is known: {_unknown(decided)}"
        case cause if cause in _ONLY:
            return _ONLY[cause]
    if decided.health is None:
        return f"nothing but an operator: vip_mgmt -d {name}"
    return _by_health(decided, decided.health, name)


def _by_health(decided: Decided, health: AddressHealth, name: str) -> str:
    judged = decided.facts.assignment.vip.health
    rule, limits = judged.rule, judged.thresholds
    if health.health is Health.UP:
        when = _lasts(rule, "down", limits.fall) if rule else _loses(decided)
        return f"withdrawn when {when}; or by vip_mgmt -d {name}"
    when = _lasts(rule, "up", limits.rise) if rule else _gains(decided)
    return f"announced when {when}; or in spite of it by vip_mgmt -a --force {name}"


def _lasts(rule: Rule, what: str, least: float) -> str:
    """Return what a rule must be, and for how long: for services that it asks for, these times are theirs."""
    lasting = least and not asks_services(rule)
    return f"{rule} is {what}" + (f" for {span(least)}" if lasting else "")


def _intent_ends(decided: Decided, name: str) -> str:
    intent = decided.facts.intent
    ways = [f"vip_mgmt -a {name} lifts it"]
    if intent is not None and intent.until is not None:
        ways.append(f"it ends {until(intent.until, decided.wall, decided.wall)}")
    if intent is not None and intent.mode is Mode.FORCED:
        ways.append(f"vip_mgmt -d {name} withdraws")
    then = without_intent(decided.facts, decided.health, decided.now)
    return f"{'; '.join(ways)}. Without it: {_would(then)}"


def _stage_ends(mode: Mode, vip: Vip) -> str:
    if mode is Mode.RETURNING:
        return f"announced as its rank when that has lasted; vip_mgmt -a {vip.name} does so now"
    limit = ", or at the time limit" if vip.drain.then is Then.WITHDRAW else ""
    return (
        f"withdrawn when its connections are few{limit}; vip_mgmt -d {vip.name} withdraws "
        f"now, vip_mgmt -a {vip.name} undoes it"
    )


def _would(decision: Decision) -> str:
    state = "withdrawn" if decision.route is None else "announced"
    return f"{state}, {decision.reason}"


def _members(decision: Decision, name: str) -> str:
    if decision.route is not None:
        return f"withdrawn when fewer of the VIPs inside are up; or by vip_mgmt -d {name}"
    return f"announced when more of the VIPs inside are up; or in spite of it by vip_mgmt -a --force {name}"


def _held_so(decision: Decision) -> str:
    return "stays withdrawn" if decision.route is None else "stays announced"


def _held(decided: Decided) -> str:
    prefix = decided.decision.prefix
    when = held_until(decided.guard, decided.restrained, prefix)
    end = "" if when is None else f" {until(when, decided.now, decided.wall)}"
    return f"withdrawn{end} if it is still bad then; kept if its health comes back, or fewer VIPs are bad"


def _damped(decided: Decided, name: str) -> str:
    rule, damping = decided.facts.assignment.vip.health.damping, decided.facts.damping
    end = damping.until(rule, decided.now) if rule and damping else None
    when = "" if end is None else f" {until(end, decided.now, decided.wall)}"
    return f"announced{when} if its health is good then; vip_mgmt -a {name} lifts it now"


def _unknown(decided: Decided) -> str:
    doubtful = [one for one in verdicts(decided) if one.up is None]
    ends = [one.until for one in doubtful if one.until is not None]
    if not ends:
        return decided.health.reason if decided.health else "it was not looked at"
    return f"at the latest {until(max(ends), decided.now, decided.wall)}"


def _loses(decided: Decided) -> str:
    rule = decided.facts.assignment.vip.health
    ups = [one for one in verdicts(decided) if one.up]
    joined = " or " if rule.need is Need.ALL else " and "
    return _listed([_loss(one, decided) for one in ups], joined) or "no service is up"


def _loss(service: ServiceVerdict, decided: Decided) -> str:
    if service.until is not None and service.until > decided.now:
        return (
            f"{service.service} still has too few {until(service.until, decided.now, decided.wall)}"
        )
    limits = decided.facts.assignment.vip.health.of(service.service)
    spare = (service.live or 0) - limits.drop_at
    if service.live is None or spare <= 0:
        return f"{service.service} still has too few at the next look"
    return f"{service.service} loses {_of(spare, service.live)}"


def _of(some: int, whole: int) -> str:
    if some < whole:
        return f"{some} of its {count(whole, 'live realserver')}"
    return "its live realserver" if whole == 1 else f"all of its {count(whole, 'live realserver')}"


def _gains(decided: Decided) -> str:
    rule = decided.facts.assignment.vip.health
    downs = [one for one in verdicts(decided) if not one.up]
    joined = " and " if rule.need is Need.ALL else " or "
    return (
        _listed([_gain(one, decided) for one in downs], joined)
        or "a service of it exists in IPVS with enough live realservers"
    )


def _gain(service: ServiceVerdict, decided: Decided) -> str:
    if service.until is not None and service.until > decided.now:
        end = until(service.until, decided.now, decided.wall)
        return f"{service.service} still has enough {end}"
    limits = decided.facts.assignment.vip.health.of(service.service)
    missing = limits.restore_at - (service.live or 0)
    if missing <= 0:
        return f"{service.service} still has enough at the next look"
    return f"{service.service} has {missing} more live {'realserver' if missing == 1 else 'realservers'}"


def _listed(texts: list[str], joined: str) -> str:
    if (more := len(texts) - NAMED) > 0:
        texts = [*texts[:NAMED], f"{more} more in the same way"]
    return joined.join(texts)
