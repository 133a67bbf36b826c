"""The command vip_mgmt: an operator restores or withdraws VIPs here, and asks what is so.

From a command line to its subcommand in `speaker.cli`, and to an exit status. What is slow to import
is imported where it is needed: a watchdog that can be asked at once does not wait for it.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.intent import Mode
from policy.wording import count
from speaker import interpreter
from speaker.cli.arguments import ADD, DELETE, after_import, help_on, parse
from speaker.cli.commands import NAMES, UsageError
from speaker.cli.messages import open_syslog, tell_operator
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.files import vip_toml
from speaker.terminal import OutputError, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from policy.route import Prefix
    from speaker.api import Operations
    from speaker.cli.arguments import Call
    from speaker.cli.at_once import AtOnce
    from speaker.cli.connections import ConnectionsSeen
    from speaker.cli.targets import Targets
    from speaker.config.settings import Config
    from speaker.control.early import EarlyRequest


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    if arguments is None:
        interpreter.begin()
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        tell_operator("interrupted; the intent may be recorded, see vip_mgmt status")
        return ExitStatus.NOT_AS_WANTED
    finally:
        if arguments is None:
            interpreter.end()


def _answered_at_once(words: Sequence[str]) -> str | None:
    """Return what needs neither a watchdog nor more than the names of vip.toml: help, and completion."""
    if words[:1] == [NAMES]:
        from speaker.cli.names import names

        return "\n".join(names(words[1:], vip_toml.find(None, os.environ)))
    return help_on(words)


def _run(words: Sequence[str]) -> int:
    if (imported := after_import(words)) is not None:
        from speaker.migration import import_command

        return import_command.main(imported)
    open_syslog()
    logging.basicConfig(handlers=[logging.NullHandler()])  # what it has to say, it says below
    asked = early = None
    try:
        if (said := _answered_at_once(words)) is not None:
            tell(said)
            return ExitStatus.DONE
        call = parse(words)
        if call.command == "check":
            return _check(call)
        if (asked := _ask(call)) is not None:
            if (done := asked.carry_out()) is not None:
                return _ended(done)
            early = asked.early
        loaded = _begin(call, early)
        if isinstance(loaded, ExitStatus):
            return loaded
        call = _for_whom(call, loaded)
        found = _find(call, loaded, asked)
    except SpeakerError as error:
        unwritten = isinstance(error, OutputError)
        tell_operator(str(error), tag=unwritten)
        if unwritten or (early is not None and _was_applied(early)):
            return ExitStatus.NOT_AS_WANTED
        return ExitStatus.USAGE
    for note in found.notes:
        tell_operator(note)
    return _ended(partial(_carry_out, call, loaded, found, asked))


def _ended(do: Callable[[], ExitStatus]) -> ExitStatus:
    """Do what was understood, and say what is wrong where that can't be done."""
    try:
        return do()
    except (PolicyError, UsageError) as error:
        tell_operator(str(error))
        return ExitStatus.USAGE
    except SpeakerError as error:
        tell_operator(str(error))
        return ExitStatus.NOT_AS_WANTED


def _ask(call: Call) -> AtOnce | None:
    """Ask a watchdog for what it can do, or tell, before vip.toml is parsed here."""
    if call.command not in (ADD, DELETE, "status"):
        return None
    from speaker.cli.at_once import AtOnce

    return AtOnce(call, os.environ)


def _was_applied(early: EarlyRequest) -> bool:
    """Say that what can't be told of was, or may have been, applied: the file is another than a moment ago."""
    if not early.may_be_done():
        return False
    tell_operator("vip_watchdog was asked before, and may have applied it; see vip_mgmt status")
    return True


def _for_whom(call: Call, loaded: Config) -> Call:
    if call.command not in (ADD, DELETE):
        return call
    from speaker.cli.extents import for_whom

    settings, dcs = loaded.settings, [dc.name for dc in loaded.topology.dcs]
    return for_whom(call, settings.dc.name, dcs, has_site=settings.site is not None)


def _find(call: Call, loaded: Config, asked: AtOnce | None) -> Targets:
    from speaker.cli import about
    from speaker.resolver.resolver import Resolver

    resolve = Resolver(loaded.settings.resolver).lookup_all
    lookup = partial(resolve, known=asked.answers if asked else {})
    return about.meant(call, loaded, lookup)


def _begin(call: Call, early: EarlyRequest | None) -> Config | ExitStatus:
    """Load vip.toml; or do all that is wanted, where that takes no VIP's name, or the file has faults."""
    loaded = _load(call, early)
    if isinstance(loaded, ExitStatus):
        return loaded
    done = _without_names(call, loaded)
    return loaded if done is None else done


def _load(call: Call, early: EarlyRequest | None) -> Config | ExitStatus:
    """Load vip.toml. Where it has faults, do what the call wants by what the watchdog goes on with, and return its status."""
    from speaker import config

    try:
        return config.load(call.path, os.environ)
    except config.ConfigError as fault:
        if early is not None and early.may_be_done():
            raise
        from speaker.cli.in_force import go_on

        return go_on(call, fault)


def _check(call: Call) -> int:
    if call.nagios:
        from speaker.cli.monitoring import monitor

        return monitor(call)
    from speaker import config

    try:
        loaded = config.load(call.path, os.environ, allow_ties=not call.form)
    except config.ConfigError:  # ranks that tie are then faults among the others
        loaded = config.load(call.path, os.environ)
    if call.form:
        tell(f"{call.path}: {count(len(loaded.topology.prefixes), 'prefix')}, valid")
        return ExitStatus.DONE
    from speaker.cli.check import check

    return check(call, loaded)


def _without_names(call: Call, loaded: Config) -> ExitStatus | None:
    """Do what needs no VIP's name; None where the call is another."""
    if call.command == "compare":
        from speaker.cli.compare import compare

        return compare(call, loaded)
    try:
        if call.command == "restart":
            from speaker.cli.restart import restart

            return restart(call, loaded)
        if call.command == "roll":
            from speaker.cli.roll import roll
            from speaker.control.running import RunningWatchdog

            return roll(call, loaded, RunningWatchdog.of(loaded))
        if call.command not in ("schedule", "cancel", "report"):
            return None
        from speaker.cli import reporting, schedule

        if call.command == "report":
            return reporting.report(call, reporting.FirstReporter(loaded))
        do = schedule.cancel if call.command == "cancel" else schedule.schedule
        return do(call, schedule.FirstPlanner(loaded))
    except UsageError:
        raise
    except SpeakerError as error:
        tell_operator(str(error))
        return ExitStatus.NOT_AS_WANTED


def _carry_out(call: Call, loaded: Config, found: Targets, asked: AtOnce | None) -> ExitStatus:
    from speaker.cli.answers import FirstAnswer

    prefixes = found.prefixes
    if call.at:
        from speaker.cli import schedule

        if loaded.settings.site is not None and not call.here:
            tell_operator(schedule.HERE_ALONE)
        return schedule.plan(call, schedule.FirstPlanner(loaded), prefixes)
    early, told = (asked.early, asked.told) if asked is not None else (None, None)
    operations = FirstAnswer(loaded, tell_operator, early, told)
    if call.command in (ADD, DELETE):
        from speaker.cli.operate import operate

        return operate(
            call,
            operations,
            prefixes,
            partial(_rehearse, call, loaded, operations),
            partial(_after_a_drain, call, loaded, early),
            partial(_foresee, loaded),
            _patience(call, loaded, prefixes),
            partial(_connections, loaded),
            *([] if loaded.settings.site is None else [loaded.settings.site.timeout]),
        )
    if call.command == "reload":
        from speaker.cli.operate import reload

        return reload(loaded)
    if call.without:
        from speaker.cli.takeover import takeover

        return takeover(call, loaded.topology, prefixes)
    if call.site:
        from speaker.cli.site_shown import show_site

        return show_site(call, loaded, prefixes)
    if call.matrix:
        from speaker.cli.matrix import matrix

        return matrix(call, operations, prefixes)
    from speaker.cli.query import query

    return query(call, operations, prefixes, partial(_connections, loaded), found.reports)


def _rehearse(call: Call, loaded: Config, operations: Operations, prefixes: Sequence[str]) -> None:
    from speaker.cli.rehearsal import asked_others, rehearse

    rehearse(loaded, prefixes, asked_others(call, loaded, operations))


def _foresee(loaded: Config, prefixes: Sequence[str]) -> None:
    from speaker.cli.rehearsal import foresee

    foresee(loaded, prefixes)


def _patience(call: Call, loaded: Config, prefixes: Sequence[Prefix]) -> float:
    if call.mode is not Mode.DRAINING:
        return 0.0
    from speaker.cli.draining import patience

    return patience(loaded.topology, prefixes)


def _after_a_drain(
    call: Call, loaded: Config, early: EarlyRequest | None, prefixes: Collection[str]
) -> ExitStatus:
    from speaker.cli.left_over import after_a_drain

    return after_a_drain(call, loaded, early, prefixes)


def _connections(loaded: Config) -> ConnectionsSeen:
    from speaker.cli.connections import seen_of

    return seen_of(loaded)


if __name__ == "__main__":
    sys.exit(main())
