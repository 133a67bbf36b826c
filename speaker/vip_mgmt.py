"""The command vip_mgmt: an operator restores or withdraws VIPs here, and asks what is so.

From a command line to its subcommand in `speaker.cli`, and to an exit status. What is slow to import
and rarely needed is imported where it is needed.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from speaker import config
from speaker.cli import operate, targets
from speaker.cli.answers import FirstAnswer
from speaker.cli.arguments import ADD, DELETE, after_import, help_on, parse
from speaker.cli.messages import open_syslog, tell_operator
from speaker.cli.query import query, status_of_what_is_loaded
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.resolver.resolver import Resolver
from speaker.terminal import OutputError, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policy.route import Prefix
    from speaker.cli.arguments import Call
    from speaker.config.settings import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        tell_operator("interrupted; the intent may be recorded, see vip_mgmt status")
        return ExitStatus.NOT_AS_WANTED


def _run(arguments: Sequence[str] | None) -> int:
    if arguments is None:
        gc.disable()  # in a short program, looking for garbage takes longer than leaving it
    words = sys.argv[1:] if arguments is None else arguments
    if (imported := after_import(words)) is not None:
        from speaker.migration import import_command

        return import_command.main(imported)
    open_syslog()
    logging.basicConfig(handlers=[logging.NullHandler()])  # what it has to say, it says below
    try:
        if (said := help_on(words)) is not None:
            tell(said)
            return ExitStatus.DONE
        call = parse(words)
        if call.command == "check":
            return _check(call)
        loaded = _load(call)
        if call.command == "compare":
            from speaker.cli.compare import compare

            return compare(call, loaded)
        lookup = Resolver(loaded.settings.resolver).lookup_all
        found = targets.find(call.words, loaded.topology, lookup, dns=call.dns)
    except SpeakerError as error:
        unwritten = isinstance(error, OutputError)
        tell_operator(str(error), tag=unwritten)
        return ExitStatus.NOT_AS_WANTED if unwritten else ExitStatus.USAGE
    for note in found.notes:
        tell_operator(note)
    try:
        return _carry_out(call, loaded, found.prefixes)
    except PolicyError as error:
        tell_operator(str(error))
        return ExitStatus.USAGE
    except SpeakerError as error:
        tell_operator(str(error))
        return ExitStatus.NOT_AS_WANTED


def _load(call: Call) -> Config:
    """Load vip.toml. Where it has faults, status shows besides what the watchdog goes on with."""
    try:
        return config.load(call.path, os.environ)
    except config.ConfigError:
        if call.command == "status":
            status_of_what_is_loaded(call)
        raise


def _check(call: Call) -> ExitStatus:
    loaded = config.load(call.path, os.environ, allow_ties=not call.form)
    if call.form:
        tell(f"{call.path}: {len(loaded.topology.prefixes)} prefixes, valid")
        return ExitStatus.DONE
    from speaker.cli.check import check

    return check(call, loaded)


def _carry_out(call: Call, loaded: Config, prefixes: Sequence[Prefix]) -> ExitStatus:
    operations = FirstAnswer(loaded, tell_operator)
    if call.command in (ADD, DELETE):
        return operate.operate(call, operations, prefixes)
    if call.command == "reload":
        return operate.reload(loaded)
    if call.without:
        from speaker.cli.takeover import takeover

        return takeover(call, loaded.topology, prefixes)
    return query(call, operations, prefixes)


if __name__ == "__main__":
    sys.exit(main())
