"""What vip_mgmt goes on with where vip.toml on the disk has faults: what the watchdog that runs has loaded.

Theory of operation. An operator must be able to drain at night whatever was written into the file by day, and
the watchdog goes on with what it loaded. So it is asked for its state, which has the names and prefixes that are
in force, and then for what is wanted. Whom to ask, the file tells as far as it can be read, else it is the usual
socket. What answers there is believed only where it may be a watchdog (see `speaker.control.client`), and only
where it says that it runs that very file, at the socket that is asked next: nobody is led to another site's. Where none answers, nothing is done
in its place, as is done beside a good file: where intents are recorded, the file alone tells.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.intent import timestamp
from speaker import config
from speaker.cli import operate, reporting, schedule, targets
from speaker.cli.arguments import ADD, DELETE, UsageError
from speaker.cli.extents import for_whom
from speaker.cli.loaded_names import names_in
from speaker.cli.matrix import matrix
from speaker.cli.messages import tell_operator
from speaker.cli.query import query
from speaker.cli.second import drained_beside
from speaker.control.client import NotServedError, RefusedError
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.resolver.resolver import Resolver
from speaker.terminal import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speaker.api import Status
    from speaker.cli.arguments import Call
    from speaker.config import ConfigError
    from speaker.reported import ReportRequest, ReportStatus

PATIENCE = 1.5
"""How long to try a socket that no process serves, in seconds: a watchdog makes it again within one."""
WITHIN = 60.0
"""How long its answers may take, in seconds: how much it has is not known before."""
_ORDERS = (ADD, DELETE, "cancel", "report")
_QUESTIONS = ("status", "explain", "history", "schedule")
_ELSE = "or name the last good one: vip_mgmt --config FILE"


def go_on(call: Call, fault: ConfigError) -> ExitStatus:
    """Do what a call wants by what is in force, and say what is wrong with the file.

    Raises:
        SpeakerError: it can't be done so, and nothing was; says what is wrong with the file. Or a name is none.
    """
    if not _needs_what_is_in_force(call):
        raise fault
    try:
        running, status = in_force(call.path, orders=call.command in _ORDERS)
    except SpeakerError as error:
        order = "nothing was changed: " if call.command in _ORDERS else ""
        raise SpeakerError(
            f"{fault}\n{error}\n{order}correct the file, of which vip_mgmt check --offline names every fault, {_ELSE}"
        ) from error
    if call.command != "status":  # which has it, and ends with it
        first, *more = fault.faults
        text = f"{first}{f' (and {len(more)} more)' if more else ''}"
        tell_operator(f"TROUBLE: vip.toml: {call.path}: {text}; {_runs(status)}")
    try:
        return _carry_out(call, fault, running, status)
    except (UsageError, targets.TargetError, config.ConfigError):
        raise
    except (PolicyError, SpeakerError) as error:
        tell_operator(str(error))
        return ExitStatus.USAGE if isinstance(error, PolicyError) else ExitStatus.NOT_AS_WANTED


def in_force(path: Path, *, orders: bool = False) -> tuple[RunningWatchdog, Status]:
    """Return the watchdog that runs what it loaded of a file which has faults by now, and its state.

    Args:
        path: the file.
        orders: whether it is to do something: then it is asked where orders go. Of a faulty file, the socket for
            questions may be another's.

    Raises:
        SpeakerError: none answers, or it is another's.
    """
    read, control = config.sockets_in(path)
    running = RunningWatchdog(
        control if orders else read, control, patience=PATIENCE, timeout=WITHIN
    )
    with waiting("waiting for an answer"):
        status = running.status()
    if not _is_same(status.configuration.file, path):
        runs = status.configuration.file or "another file"
        asked = control if orders else read
        raise NotServedError(f"control: {asked}: the vip_watchdog there runs {runs}, not {path}")
    return running, status


def _is_same(loaded: str, path: Path) -> bool:
    if not loaded:
        return False
    try:
        return path.samefile(loaded)
    except OSError:  # it is gone, which is a fault of it, too
        return Path(loaded).absolute() == path.absolute()


def _needs_what_is_in_force(call: Call) -> bool:
    """Tell whether the file is needed for no more than names, and for whom to ask."""
    return call.command in (*_ORDERS, *_QUESTIONS) or (call.command == "plan" and not call.without)


def _runs(status: Status) -> str:
    at = status.configuration.loaded
    when = "" if at is None else f" at {timestamp(at)}"
    return f"the watchdog runs what it loaded{when}"


def _carry_out(
    call: Call, fault: ConfigError, running: RunningWatchdog, status: Status
) -> ExitStatus:
    if call.command == "report":
        return reporting.report(call, ReporterInForce(running))
    if call.command == "schedule":
        return schedule.schedule(call, running)
    if call.command == "cancel":
        return schedule.cancel(call, running)
    if call.site:
        raise SpeakerError("status --site: takes a vip.toml without fault; leave out --site")
    call = _for_whom(call, running, status)
    known = names_in(status.dc, status.routes)
    lookup = Resolver(config.resolver_in(call.path)).lookup_all
    found = targets.find(call.words, known, lookup, dns=call.dns)
    for note in found.notes:
        tell_operator(note)
    if call.at:
        return schedule.plan(call, running, found.prefixes)
    if call.command in (ADD, DELETE):
        control = config.sockets_in(call.path)[1]
        beside = partial(drained_beside, control, status.backend)
        return operate.operate(call, running, found.prefixes, drained_beside=beside)
    if call.matrix:
        return matrix(call, running, found.prefixes)
    done = query(call, running, found.prefixes)
    if call.command == "status":
        raise fault
    return done


def _for_whom(call: Call, running: RunningWatchdog, status: Status) -> Call:
    """Return a call of which it is known for whom it is, by what the watchdog has loaded."""
    if call.command not in (ADD, DELETE):
        return call
    try:
        machines = running.site().machines
    except RefusedError:  # it knows of no others, or is older
        return for_whom(call, status.dc, (), has_site=False)
    dcs = dict.fromkeys(machine.dc for machine in machines)
    return for_whom(call, status.dc, dcs, has_site=True)


class ReporterInForce:
    """The watchdog that runs. It is `NamedReporter`."""

    is_served = True

    def __init__(self, running: RunningWatchdog) -> None:
        self._running = running

    @property
    def names(self) -> Sequence[str]:
        """Which may be reported."""
        return [each.name for each in self.reports()]

    def report(self, name: str, request: ReportRequest) -> ReportStatus:
        """See `Reporter.report`."""
        return self._running.report(name, request)

    def reports(self) -> Sequence[ReportStatus]:
        """See `Reporter.reports`."""
        return self._running.reports()
