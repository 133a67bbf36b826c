"""Counts of live realservers -> up, down or unknown, with hysteresis, rise and fall.

A checker that ends empties the table, one that starts fills it before it has checked anything,
and one that was killed leaves it as it was: the next one adopts that, or empties it when it has read
its configuration, however long that takes. None of that says how the realservers are: a service is
*unknown* meanwhile, and what was known of it is kept.
Its new configuration fills a service unchecked, too, or, in alpha mode, has it empty until a check
passes: one that was missing is not believed at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from policy.health import FWMARK, AddressHealth, Health, Need, Service, ServiceMemory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from policy.health import Checker, HealthRule, Thresholds

FROZEN = "keepalived not running: what IPVS has is not checked"
_NOTHING = Service(FWMARK, 0)
"""What is remembered of an address that was looked for and had no service. IPVS has no such mark."""


class _Verdict(NamedTuple):
    """What one service is: up, down or unknown (None); until when at most; and a word on it."""

    up: bool | None
    memory: ServiceMemory | None
    until: float | None = None
    note: str = ""


class _Look(NamedTuple):
    """One look at one address.

    `frozen`: nobody keeps the table. `started` is when the checker started, `warm_at` when it will
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
        verdict = _service(look, service, memory.get(service))
        verdicts.append(verdict)
        total += live.get(service, 0)
        if verdict.memory is not None:
            remembered[service] = verdict.memory
    if not verdicts:
        nothing = {_NOTHING: ServiceMemory(up=False)} if rule.checker.required else {}
        return AddressHealth(Health.DOWN, 0, "0 realservers: no service exists", nothing)
    until = min((v.until for v in verdicts if v.until is not None), default=None)
    health = _together(rule.need, [verdict.up for verdict in verdicts])
    if health is Health.UNKNOWN:
        return AddressHealth(health, None, _doubt(verdicts), remembered, until)
    notes = [verdict.note for verdict in verdicts if verdict.note]
    return AddressHealth(health, total, _reason(total, notes), remembered, until)


def _services(look: _Look, memory: Mapping[Service, ServiceMemory]) -> Iterable[Service]:
    """Return the services that count: those required; else all there are, or may come back.

    Where none exists any more, those that were there have none alive: `fall` holds for that too.
    """
    if look.rule.required:
        return look.rule.required
    held = [
        s for s, last in memory.items() if s not in look.live and _grace(look, last) is not None
    ]
    return [*look.live, *held] or [service for service in memory if service != _NOTHING]


def _together(need: Need, ups: Sequence[bool | None]) -> Health:
    """Return an address's health. What is unknown of its services may not matter."""
    decisive = need is Need.ANY
    if decisive in ups:
        up: bool | None = decisive
    else:
        up = None if None in ups else not decisive
    return Health.UNKNOWN if up is None else Health.UP if up else Health.DOWN


def _service(look: _Look, service: Service, last: ServiceMemory | None) -> _Verdict:
    """Judge one service: unknown, or by its count."""
    count = look.live.get(service)
    if count is None:
        gone_at = None if last is None else _grace(look, last)
        if gone_at is not None and last is not None:
            since = _missed_since(look, last)
            note = f"{service} gone from IPVS for {look.now - since:.1f}s, may come back"
            return _Verdict(None, ServiceMemory(up=True, gone_since=since), gone_at, note)
    elif look.frozen:
        if last is not None and last.up:
            last = replace(last, gone_since=None)
        return _Verdict(None, last, note=FROZEN)
    thresholds = look.rule.of(service)
    bad, good = (count or 0) <= thresholds.drop_at, (count or 0) >= thresholds.restore_at
    was_up = look.was_announced if last is None else last.up
    proven = _proven(look, last, fills=not bad if was_up else good)
    if bad and was_up and proven is None:
        appeared = None if count is None else _reappeared(look, last)
        until = look.warm_at if appeared is None else appeared + look.rule.checker.warm_up
        if until is not None and look.now < until:
            return _unchecked(look, service, last, appeared, until)
    return _counted(look, service, count, _returned(look, last, count), proven)


def _unchecked(
    look: _Look,
    service: Service,
    last: ServiceMemory | None,
    appeared: float | None,
    until: float,
) -> _Verdict:
    """Return unknown: it was up, and the checker may not have checked those that it has not got."""
    count = look.live.get(service)
    why = _age(look) if appeared is None else f"it appeared {look.now - appeared:.1f}s ago"
    note = f"{service} has {count or 0}, not checked yet: {why}"
    if last is not None and count is not None:
        since = _past(last.turning_since, look.now) if appeared is None else appeared
        last = replace(last, turning_since=since, gone_since=appeared)
    return _Verdict(None, last, until, note)


def _counted(
    look: _Look,
    service: Service,
    count: int | None,
    last: ServiceMemory | None,
    proven: float | None,
) -> _Verdict:
    """Judge one service by its count, None where it does not exist."""
    thresholds = look.rule.of(service)
    good, bad = (count or 0) >= thresholds.restore_at, (count or 0) <= thresholds.drop_at
    if last is None and look.was_down and look.started is not None and not look.was_announced:
        last = ServiceMemory(up=False, gone_since=look.now)
    if last is not None and (since := _appeared(look, last, thresholds, count)) is not None:
        state = replace(last, turning_since=since, proven_at=proven)
        return _known(look, service, state, since + look.rule.checker.warm_up)
    if last is None:
        up = good or (not bad and look.was_announced)
        gone = look.now if count is None else None
        if look.warm_at is None or look.was_announced or not up:
            return _known(look, service, ServiceMemory(up, None, gone, proven))
        last = ServiceMemory(up=False)  # it is full, but nobody has checked it
    gone = _past(last.gone_since, look.now) if count is None else None
    if not (bad if last.up else good):
        return _known(look, service, ServiceMemory(last.up, None, gone, proven))
    since = _past(last.turning_since, look.now)
    delay = thresholds.fall if last.up else thresholds.rise
    if last.up and look.started is not None and proven is None:
        since = max(since, min(look.started + look.rule.checker.warm_up, look.now))
    ready = since + delay
    if not last.up and look.started is not None:
        since = max(since, look.started)
        ready = since + delay if delay else look.warm_at or since
    if look.now >= ready:
        return _known(look, service, ServiceMemory(not last.up, None, gone, proven))
    return _known(look, service, ServiceMemory(last.up, since, gone, proven), ready)


def _appeared(
    look: _Look, last: ServiceMemory, thresholds: Thresholds, count: int | None
) -> float | None:
    """Return since when a service that was missing is there, while it is not believed; else None.

    keepalived puts all realservers of a new service into IPVS, and checks them then. While they
    are not believed, `gone_since` stays set and `turning_since` is when the service appeared.
    """
    if last.up or last.gone_since is None or count is None:
        return None
    if look.started is None or look.was_announced or thresholds.rise:
        return None
    since = max(_past(last.turning_since, look.now), look.started)
    return since if look.now < since + look.rule.checker.warm_up else None


def _grace(look: _Look, last: ServiceMemory) -> float | None:
    """Return until when a service that vanished may come back, None where it is given up."""
    end = _missed_since(look, last) + look.rule.checker.restart_grace
    return end if last.up and look.now < end else None


def _missed_since(look: _Look, last: ServiceMemory) -> float:
    """Return since when a service that vanished is missing, if it was up."""
    return look.now if _came_back(look, last) else _past(last.gone_since, look.now)


def _came_back(look: _Look, last: ServiceMemory) -> bool:
    """Tell whether a service that was up vanished, came back with too few, and waits to be checked.

    Both its times are when it came back then. What was given up began to fall later than it went.
    """
    came_back = last.gone_since is not None and last.gone_since == last.turning_since
    return last.up and came_back and look.rule.checker.restart_grace > 0


def _reappeared(look: _Look, last: ServiceMemory | None) -> float | None:
    """Return when a service that was up vanished and came back, if so; else None.

    In alpha mode it has no realservers then until a check passes.
    """
    if last is None or not last.up or last.gone_since is None or look.started is None:
        return None
    if _came_back(look, last):
        return max(_past(last.turning_since, look.now), look.started)
    return look.now if last.turning_since is None else None


def _returned(look: _Look, last: ServiceMemory | None, count: int | None) -> ServiceMemory | None:
    """Return what is remembered of a service that was up and is there again: it is not missed."""
    if last is None or not last.up or last.gone_since is None or count is None:
        return last
    back = _reappeared(look, last)
    since = last.turning_since if back is None else back + look.rule.checker.warm_up
    return replace(last, gone_since=None, turning_since=since)


def _proven(look: _Look, last: ServiceMemory | None, *, fills: bool) -> float | None:
    """Return when the checker that runs now was first seen to have filled the service, if it was.

    That a service is full proves nothing by itself: a checker that was killed leaves it so, and
    the next one may empty it when it has read its configuration. It must have been seen without.
    """
    if look.started is None:
        return None if last is None else last.proven_at
    if last is None:
        return None
    if last.proven_at is not None and last.proven_at >= look.started:
        return last.proven_at
    was_bad = last.gone_since is not None or (last.turning_since is not None) == last.up
    return look.now if was_bad and fills else None


def _past(when: float | None, now: float) -> float:
    """Return a time that was remembered; the clock may have been set since."""
    return now if when is None else min(when, now)


def _known(
    look: _Look, service: Service, state: ServiceMemory, until: float | None = None
) -> _Verdict:
    """Return the verdict on a service that is up or down, with a word where that is not plain."""
    note = ""
    if state.turning_since is not None:
        ago = f"{look.now - state.turning_since:.1f}s"
        note = f"{service} {'falling' if state.up else 'rising'} for {ago}"
        if not state.up and state.gone_since is not None:
            note = f"{service} appeared {ago} ago, not checked yet"
        if not state.up and look.warm_at is not None:
            note += f", {_age(look)}"
    elif not state.up:
        missing = "" if service in look.live else ", does not exist"
        note = f"{service} down with {look.live.get(service, 0)}{missing}"
    return _Verdict(state.up, state, until, note)


def _age(look: _Look) -> str:
    return f"keepalived started {look.now - (look.started or look.now):.1f}s ago"


def _reason(total: int, notes: Sequence[str]) -> str:
    """Return `3 realservers`, and the services that are down or turning: at most three by name."""
    text = "1 realserver" if total == 1 else f"{total} realservers"
    return f"{text}: {_few(notes)}" if notes else text


def _doubt(verdicts: Iterable[_Verdict]) -> str:
    return _few([*dict.fromkeys(verdict.note for verdict in verdicts if verdict.up is None)])


def _few(notes: Sequence[str]) -> str:
    if len(notes) > 3:
        notes = [*notes[:3], f"{len(notes) - 3} more"]
    return ", ".join(notes)
