"""The command vip_mgmt: an operator restores or withdraws VIPs here, and asks what is so."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import syslog
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from policy.errors import PolicyError
from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker import config
from speaker.cli import targets
from speaker.cli.arguments import ADD, DELETE, after_import, parse
from speaker.cli.tables import (
    explanation,
    history_table,
    plan_table,
    status_json,
    status_table,
)
from speaker.cli.targets import ALL
from speaker.control import answers, client, offline
from speaker.control.answers import reason
from speaker.errors import SpeakerError
from speaker.log import MANAGER
from speaker.printable import printable
from speaker.resolver.resolver import Resolver
from speaker.terminal import OutputError, say, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from policy.route import Prefix
    from policy.topology import Topology
    from speaker.cli.arguments import Call
    from speaker.config.settings import Config

ANSWER, ANSWER_EACH = 10.0, 0.01
"""How long to wait for the answer to a question, in seconds, and in addition for each prefix."""
UNTIL_SERVED = 1.5
"""How long to try a socket that nobody serves, in seconds: a watchdog makes it again within one."""
UNTIL_STARTED = 10.0
"""... where it may have waited for a better vip.toml, which it tries every five seconds."""
DONE, NOT_AS_WANTED, DIFFERENT, USAGE = 0, 1, 2, 255


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        _say("interrupted; what was asked for may be recorded all the same, see vip_mgmt status")
        return NOT_AS_WANTED


def _run(arguments: Sequence[str] | None) -> int:
    if arguments is None:
        gc.disable()  # in a short program, looking for garbage takes longer than leaving it
    words = sys.argv[1:] if arguments is None else arguments
    if (imported := after_import(words)) is not None:
        from speaker.migration import import_command  # noqa: PLC0415 - slow to import, and rarely needed

        return import_command.main(imported)
    syslog.openlog(MANAGER, facility=syslog.LOG_DAEMON)
    logging.basicConfig(handlers=[logging.NullHandler()])  # what it has to say, it says below
    try:
        call = parse(words)
        if call.command == "check":
            return _check(call)
        loaded = _load(call)
        if call.command == "compare":
            return _compare(call, loaded)
        lookup = Resolver(loaded.settings.resolver).lookup
        found = targets.find(call.words, loaded.topology, lookup, dns=call.dns)
    except SpeakerError as error:
        unwritten = isinstance(error, OutputError)
        _say(str(error), tag=unwritten)
        return NOT_AS_WANTED if unwritten else USAGE
    for note in found.notes:
        _say(note)
    try:
        if call.command in (ADD, DELETE):
            return _wish(call, loaded, found.prefixes)
        return _ask(call, loaded, found.prefixes)
    except PolicyError as error:
        _say(str(error))
        return USAGE
    except SpeakerError as error:
        _say(str(error))
        return NOT_AS_WANTED


def _load(call: Call) -> Config:
    """Load vip.toml. Where it has faults, status shows besides what the watchdog goes on with."""
    try:
        return config.load(call.path, os.environ)
    except config.ConfigError:
        if call.command == "status":
            _status_of_what_is_loaded(call)
        raise


def _say(text: str, *, tag: bool = True) -> None:
    """Say something on stderr and in syslog, where every line has the tag."""
    for line in printable(text, keep="\n").split("\n"):
        say(f"{MANAGER}: {line}" if tag else line)
        syslog.syslog(line)


# --- wishes ------------------------------------------------------------------------------------


def _elsewhere(loaded: Config) -> ModuleType:
    """Return what answers where no watchdog does: bgpd itself, or the state file alone."""
    if loaded.settings.backend == "exabgp":
        return offline
    from speaker.runtime import bgpd  # noqa: PLC0415 - slow to import, and rarely needed

    return bgpd


def _ask_watchdog(
    loaded: Config,
    method: str,
    target: str,
    check: Callable[[Any], None],
    body: Any = None,
    *,
    timeout: float = client.TIMEOUT,
    patience: float | None = None,
) -> Any:
    """Ask the watchdog, and believe no answer that `check` refuses.

    Beside bgpd none need run; else one that does makes its socket again soon. `patience`: how long to
    try, where that is not enough.
    """
    settings = loaded.settings
    reads = method == "GET"
    path = settings.read.path if reads else settings.control
    instead = settings.control if reads else None
    if patience is None:
        patience = UNTIL_SERVED if loaded.settings.backend == "exabgp" else 0.0
    user = offline.sudo_user()
    answer = client.ask(
        path,
        method,
        target,
        body,
        instead=instead,
        timeout=timeout,
        patience=patience,
        sudo_user=user,
    )
    try:
        check(answer)
    except answers.AnswerError as error:
        raise client.OutcomeUnknownError(
            f"control: {path}: {error}; whether it was done is unknown: restart vip_watchdog, and "
            "see vip_mgmt status"
        ) from error
    return answer


def _wish(call: Call, loaded: Config, prefixes: Sequence[Prefix]) -> int:
    body = {
        "mode": call.mode,
        "prefixes": [str(prefix) for prefix in prefixes],
        "reason": call.reason,
        "seconds": call.seconds,
        "dry_run": call.dry_run,
    }
    now = time.time()
    until = None if call.seconds is None else now + call.seconds
    # Made before anything is done: it refuses a bad reason.
    intent = Intent(call.mode, offline.user(), now, call.reason, until)
    try:
        check = partial(answers.check_outcomes, prefixes=prefixes)
        timeout = client.timeout_for(len(prefixes))
        routes = _ask_watchdog(loaded, "POST", "/intents", check, body, timeout=timeout)
    except client.NotServedError as error:
        if loaded.settings.backend == "exabgp":
            _say(str(error))
        routes = _elsewhere(loaded).wish(loaded, prefixes, intent, dry_run=call.dry_run)
    except client.OutcomeUnknownError as error:
        if call.dry_run:
            raise
        # It hangs, or ended in the midst: perhaps before it recorded the wish.
        _say(str(error))
        when = "takes effect when vip_watchdog answers again, or starts"
        routes = offline.record(loaded, prefixes, intent, when, dry_run=False)
    routes = [{**_UNTOLD, **route} for route in routes]
    if call.mode is not Mode.AUTO:  # which asks for nothing but to lift it
        _say_what_is_replaced(routes, call)
    results = [_report(route, call) for route in routes]
    for text in dict.fromkeys(text for route in routes for text in route["trouble"]):
        _say(f"TROUBLE: {text}")
    return DONE if all(results) else NOT_AS_WANTED


def _reload(loaded: Config) -> int:
    """Have the watchdog take the file that was just found to be without fault."""
    answer = _ask_watchdog(
        loaded,
        "POST",
        "/reload",
        partial(answers.check, form=answers.RELOADED),
        timeout=client.timeout_for(len(loaded.topology.prefixes)),
        patience=UNTIL_STARTED,
    )
    _say(answer["said"])
    return DONE


_UNTOLD: dict[str, Any] = {
    "peers": {},
    "up": [],
    "lack": "",
    "failure": "",
    "was": "",
    "trouble": [],
}
"""What a watchdog does not tell that was started before it could."""
NAMED = 3
"""How many prefixes a line names that is about many."""


def _say_what_is_replaced(routes: Sequence[dict[str, Any]], call: Call) -> None:
    """Say which intents are no longer in force: each once, whatever it was for."""
    replaced: dict[str, list[str]] = {}
    for route in routes:
        if route["was"]:
            replaced.setdefault(route["was"], []).append(route["prefix"])
    would = "would be: " if call.dry_run else ""
    for was, prefixes in replaced.items():
        more = f" and {len(prefixes) - NAMED} more" if len(prefixes) > NAMED else ""
        _say(f"{', '.join(prefixes[:NAMED])}{more}: {would}replaced: {was}")


def _report(route: dict[str, Any], call: Call) -> bool:
    """Say what became of one prefix; return whether it is as the operator wants."""
    if "recorded" in route:
        _say(f"{route['prefix']}: {route['recorded']}")
        return False
    would = "would be: " if call.dry_run else ""
    if call.mode is Mode.DRAINED:
        return _report_withdrawn(route, would)
    return _report_announced(route, would)


def _report_withdrawn(route: dict[str, Any], would: str) -> bool:
    prefix = route["prefix"]
    done: bool = route["as_wanted"]
    if done and route["before"] is False:
        _say(f"{would}Route {prefix} already removed", tag=False)
        return True
    _say(f"{would}Deleting route to {prefix}")
    if not done:
        _say(f"{prefix}: not confirmed as withdrawn: {reason(route)}")
    return done


def _report_announced(route: dict[str, Any], would: str) -> bool:
    prefix, announced = route["prefix"], route["announced"]
    done: bool = announced is True and route["as_wanted"]
    if announced is not True:
        if route["wanted"] and route["lack"]:
            cause = f": not done: {route['failure']}" if route["failure"] else ""
            _say(f"{prefix}: {would}recorded; {route['lack']}{cause}")
        elif announced is None:
            _say(f"{prefix}: not confirmed as announced: {reason(route)}")
        else:
            _say(f"{prefix}: stays withdrawn: {reason(route)}")
        return False
    if route["before"] is True:
        _say(f"{would}Route {prefix} already exists", tag=False)
    else:
        _say(f"{would}Adding route to {prefix}")
    if route["health"] == "unknown":
        _say(f"{prefix}: warning: {route['reason']}")
    if not done:
        _say(f"{prefix}: not as wanted: {reason(route)}")
    return done


# --- questions ---------------------------------------------------------------------------------


def _ask(call: Call, loaded: Config, prefixes: Sequence[Prefix]) -> int:
    named = () if ALL in call.words else prefixes  # without any, all
    query = urlencode([("prefix", str(prefix)) for prefix in named])
    other = _elsewhere(loaded)
    match call.command:
        case "reload":
            return _reload(loaded)
        case "status":
            answer = _either(
                loaded, "/status", answers.STATUS, lambda why: other.status(loaded, why)
            )
            return _status(call, answer, prefixes)
        case "explain":
            asked = f"/explain?{query}"
            explained = _either(
                loaded,
                asked,
                answers.EXPLANATIONS,
                lambda why: other.explain(loaded, prefixes, why),
            )
            tell(explanation([{**_UNTOLD, **route} for route in explained]))
        case "history":
            asked = f"/history?{query}"
            entries = _either(
                loaded, asked, answers.HISTORY, lambda _: other.history(loaded, prefixes)
            )
            tell(history_table(entries))
        case "plan" if call.without:
            return _without(call, loaded.topology, prefixes)
        case "plan":
            changes = _either(loaded, "/plan", answers.PLAN, lambda why: other.plan(loaded, why))
            tell(json.dumps(changes, indent=2) if call.as_json else plan_table(changes))
            return DIFFERENT if changes else DONE
    return DONE


def _check(call: Call) -> int:
    loaded = config.load(call.path, os.environ, allow_ties=not call.form)
    prefixes = len(loaded.topology.prefixes)
    if call.form:
        tell(f"{call.path}: {prefixes} prefixes, taken")
        return DONE
    from speaker.check import check  # noqa: PLC0415 - slow to import, and rarely needed
    from speaker.cli.policy_tables import check_json, check_text  # noqa: PLC0415 - likewise

    others = [*map(Path, call.words)]
    report = check(call.path, os.environ, loaded, others, offline=call.offline)
    if call.as_json:
        tell(check_json(call.path, prefixes, report))
    else:
        for note in report.notes:
            _say(note)
        tell(check_text(call.path, prefixes, report.findings))
    return DIFFERENT if report.findings else DONE


def _without(call: Call, topology: Topology, prefixes: Sequence[Prefix]) -> int:
    from policy.failover import loads, takeovers  # noqa: PLC0415 - rarely needed
    from speaker.cli.policy_tables import takeover_json, takeover_table  # noqa: PLC0415 - likewise

    failed = tuple(dict.fromkeys(call.without))
    moves = takeovers(topology, failed)
    parts = (
        loads(topology, [move.before for move in moves]),
        loads(topology, [move.after for move in moves]),
    )
    wanted = frozenset(prefixes)
    shown = [move for move in moves if not call.words or move.prefix in wanted]
    show = takeover_json if call.as_json else takeover_table
    tell(show(topology, failed, shown, parts))
    lost = [move.prefix for move in shown if not move.after]
    if lost:
        _say(f"without {', '.join(failed)}: no data centre is left for {len(lost)} addresses")
    return DIFFERENT if lost else DONE


def _compare(call: Call, loaded: Config) -> int:
    from speaker.migration import compare_command  # noqa: PLC0415 - wanted once in a site's life

    found = compare_command.make(Path(call.words[0]), loaded, call.daemon)
    say(str(found.read_as))
    show = compare_command.as_json if call.as_json else compare_command.as_table
    tell(show(found))
    return DONE if found.are_equal else DIFFERENT


def _either(loaded: Config, target: str, form: answers.Form, other: Callable[[str], Any]) -> Any:
    """Ask the watchdog, or where none runs, or one that hangs, what answers then."""
    within = ANSWER + ANSWER_EACH * len(loaded.topology.prefixes)
    try:
        check = partial(answers.check, form=form)
        return _ask_watchdog(loaded, "GET", target, check, timeout=within)
    except client.NotServedError as error:
        return other(str(error))
    except client.OutcomeUnknownError:
        return other(f"control: {loaded.settings.control}: vip_watchdog runs, and gives no answer")


def _status_of_what_is_loaded(call: Call) -> None:
    """Show what the watchdog that runs goes on with, where the file on the disk has faults.

    What a word means is told by the answer alone: a VIP's name, an address, a prefix.
    """
    read, control = config.sockets_in(call.path)
    try:
        answer = client.ask(read, "GET", "/status", instead=control, timeout=ANSWER)
        answers.check(answer, answers.STATUS)
    except SpeakerError:
        return  # the faults are what there is to say
    names = {*call.words} - {ALL}
    prefixes = [
        parse_prefix(route["prefix"])
        for route in answer["routes"]
        if not names or {route["vip"], route["prefix"], route["prefix"].split("/")[0]} & names
    ]
    _status(replace(call, words=tuple(names)), answer, prefixes)


def _status(call: Call, answer: dict[str, Any], prefixes: Sequence[Prefix]) -> int:
    unknown = {"file": "", "state": "unknown", "trouble": ""}
    answer = {"sessions": [], "configuration": unknown, **answer}
    answer["peers"] = [{"name": peer["address"], **peer} for peer in answer["peers"]]
    answer["routes"] = [{**_UNTOLD, **route} for route in answer["routes"]]
    missing = []
    if call.words:
        wanted = {str(prefix) for prefix in prefixes}
        answer["routes"] = [route for route in answer["routes"] if route["prefix"] in wanted]
        missing = sorted(wanted - {route["prefix"] for route in answer["routes"]})
        for prefix in missing:
            _say(
                f"{prefix}: vip.toml has it, the watchdog does not know it yet; have "
                "it reloaded, such as by systemctl reload"
            )
    tell(status_json(answer) if call.as_json else status_table(answer))
    done = not missing and all(route["as_wanted"] for route in answer["routes"])
    return DONE if done else NOT_AS_WANTED


if __name__ == "__main__":
    sys.exit(main())
