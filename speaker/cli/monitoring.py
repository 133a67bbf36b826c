"""vip_mgmt check --nagios: asks, prints the one line, and returns a plugin's exit status, whatever happens."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from speaker import config
from speaker.cli import nagios
from speaker.cli.answers import FirstAnswer
from speaker.control.client import NotServedError, OutcomeUnknownError
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.terminal import tell

if TYPE_CHECKING:
    from speaker.cli.arguments import Call
    from speaker.cli.nagios import Verdict

PATIENCE = 1.5
"""How long to try a socket that no process serves, in seconds: a watchdog makes it again within one."""


def monitor(call: Call) -> int:
    """Print what monitoring is told, and return its exit status: 0 to 3."""
    found = _verdict(call)
    tell(found.line)
    return found.level


def _verdict(call: Call) -> Verdict:
    try:
        loaded = config.load(call.path, os.environ, allow_ties=True)
    except SpeakerError as error:
        return _of_a_faulty_file(call, str(error))
    try:
        if loaded.settings.is_spawned:
            return nagios.verdict(RunningWatchdog.of(loaded, patience=PATIENCE).status())
        return nagios.verdict(FirstAnswer(loaded, lambda _: None).status())
    except (NotServedError, OutcomeUnknownError) as error:
        return nagios.silent(f"no vip_watchdog answers: {error}")
    except SpeakerError as error:
        return nagios.unanswered(str(error))


def _of_a_faulty_file(call: Call, fault: str) -> Verdict:
    """Return the state of the watchdog that goes on with what it loaded, where one does; it knows of the fault."""
    from speaker.cli.in_force import in_force  # noqa: PLC0415 - of no use beside a good file

    try:
        return nagios.verdict(in_force(call.path)[1])
    except SpeakerError:
        return nagios.unanswered(fault.replace("\n", "; "))
