"""`[check]` and a VIP's rule in place of a healthcheck's command and its disable file; and what of it has no place there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.health import Health
from policy.rule import AtLeast, Term
from policy.sources import CHECK
from speaker.config.settings_checks import ADDRESS, REALSERVER, CheckSettings, ExecCheck, others
from speaker.migration.bgpd_conf.statement import MigrationError
from speaker.migration.healthcheck.announced import HealthcheckState, states
from speaker.migration.healthcheck.shell_words import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from policy.rule import Rule
    from speaker.migration.healthcheck.program import Healthcheck

TEST = "/usr/bin/test"
_MIN_INTERVAL, _MAX_INTERVAL, _MAX_TIMEOUT, _MOST_TIMES = 0.1, 86400.0, 60, 1000


@dataclass(frozen=True, slots=True)
class Checked:
    """What a healthcheck becomes: its checks, and the rule of them, None where it has none.

    `told` is what was assumed, `refused` what is not taken over. `lacking` are the programs that can't be run here.
    """

    checks: tuple[CheckSettings, ...]
    rule: Rule | None
    told: tuple[str, ...]
    refused: tuple[str, ...]
    lacking: tuple[str, ...] = ()


def convert(check: Healthcheck, which: Callable[[str], str | None]) -> Checked:
    """Return the checks of a healthcheck.

    Args:
        check: it.
        which: finds a program that can be run here, by its name or its path.

    Raises:
        MigrationError: an option can't be taken over; says what to do.
    """
    told: list[str] = []
    name = re.sub(r"[^A-Za-z0-9_.:-]", "-", check.process)[:50]
    made = [_command(check, name, which, told)] if check.has("command") else []
    made += [_enabled(check, f"{name}-enabled")] if check.has("disable") else []
    terms = tuple(Term(f"{CHECK}{each.name}") for each in made)
    rule: Rule | None = None
    if terms:
        rule = terms[0] if len(terms) == 1 else AtLeast(len(terms), terms)
    if check.has("path-id"):
        raise check.error("path-id", "vip-speaker announces one path of a prefix; remove it")
    lacking = tuple(program for program in _programs(made) if which(program) is None)
    return Checked(tuple(made), rule, tuple(told), tuple(_refused(check)), lacking)


def _programs(made: Iterable[CheckSettings]) -> Iterator[str]:
    for each in made:
        match each.asks:
            case ExecCheck(words=(program, *_)):
                yield program


def _command(
    check: Healthcheck, name: str, which: Callable[[str], str | None], told: list[str]
) -> CheckSettings:
    try:
        program, *arguments = words_of(check.text("command") or "")
    except MigrationError as error:
        raise check.error("command", str(error)) from error
    if not program.startswith("/"):
        found = which(program)
        if found is None:
            raise check.error(
                "command",
                f"{program} is not found on this machine; write its absolute path in a copy of the file",
            )
        told.append(f"{check}: {program} is {found}, as on this machine")
        program = found
    for word in (ADDRESS, REALSERVER):
        if any(word in each for each in arguments):
            raise check.error(
                "command", f"{word} means something in vip.toml; put the command into a script"
            )
    rise, fall = (_times(check, option) for option in ("rise", "fall"))
    return CheckSettings(
        name,
        ExecCheck((program, *arguments), None, (0,), others((0,))),
        _interval(check, told, changes=max(rise, fall) > 1),
        _timeout(check),
        rise,
        fall,
        Health.DOWN,
    )


def _enabled(check: Healthcheck, name: str) -> CheckSettings:
    """Return the check that the disable file is not there."""
    file = check.text("disable") or ""
    if not file.startswith("/") or ADDRESS in file or REALSERVER in file:
        raise check.error("disable", f"{file!r} is no absolute path; write one")
    return CheckSettings(
        name, ExecCheck((TEST, "!", "-e", file)), _interval(check, [], changes=False), 1.0, 1, 1
    )


def _interval(check: Healthcheck, told: list[str], *, changes: bool) -> float:
    """Return how often to ask: as often as healthcheck does when a change is about to occur, so that none is seen later."""
    usual, fast = check.number("interval", 5), check.number("fast-interval", 1)
    if usual == 0:
        raise check.error(
            "interval", 'announces once and ends; use a VIP with health.source = "none"'
        )
    seconds = min(usual, fast) if changes else usual
    option = "fast-interval" if seconds < usual <= _MAX_INTERVAL else "interval"
    found = seconds if option == "fast-interval" else usual
    if not _MIN_INTERVAL <= found <= _MAX_INTERVAL:
        raise check.error(
            option, f"{found:g} is not from 0.1 s to a day; change it in a copy of the file"
        )
    if seconds < usual:
        told.append(
            f"{check}: it runs every {seconds:g} s, as its fast interval, so that nothing is noticed later than before; "
            f'interval = "{usual:g}s" runs it as seldom as before'
        )
    return seconds


def _timeout(check: Healthcheck) -> float:
    seconds = check.number("timeout", 5)
    if not 0 < seconds <= _MAX_TIMEOUT:
        raise check.error(
            "timeout",
            f"{seconds:g} is not from 1 to {_MAX_TIMEOUT} s; change it in a copy of the file",
        )
    return float(seconds)


def _times(check: Healthcheck, option: str) -> int:
    times = max(int(check.number(option, 3)), 1)
    if times > _MOST_TIMES:
        raise check.error(
            option, f"{times} is more than {_MOST_TIMES}; change it in a copy of the file"
        )
    return times


def _refused(check: Healthcheck) -> Iterator[str]:
    """Yield what is not taken over, and what to do about it."""
    lost = [state for state in states(check) if state is not HealthcheckState.UP]
    if lost and not check.has("withdraw-on-down"):
        yield (
            f"{check.where}: {check}: without --withdraw-on-down it stays announced while {' or '.join(lost)}, with a worse MED; "
            "vip-speaker withdraws it then: see that another data centre announces it"
        )
    if not check.has("no-ip-setup"):
        yield (
            f"{check.where}: {check}: it adds its addresses to lo; vip-speaker changes no addresses: keep them there by the "
            "means of your distribution"
        )
    for option, remedy in _NOT_TAKEN.items():
        if check.has(option):
            yield f"{check.place(option)}: {check}: --{option}: {remedy}"


_AS_WHOM = "vip_watchdog runs checks as itself, and under ExaBGP that is not root; leave it out, or give the program its rights by other means"
_EVENTS = "is not taken over; [events] of vip.toml runs a program at each change"
_NOT_TAKEN = {
    "dynamic-ip-setup": "vip-speaker changes no addresses: they stay on the machine while it is down",
    "user": _AS_WHOM,
    "group": _AS_WHOM,
    "sudo": _AS_WHOM,
    "execute": _EVENTS,
    "up-execute": _EVENTS,
    "down-execute": _EVENTS,
    "disabled-execute": _EVENTS,
}
