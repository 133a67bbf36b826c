"""vip_mgmt roll: machine by machine of a data centre, drains it softly, runs a command, restores it, and waits until it announces all again.

See `policy.roll` for the stages. Each is recorded before it begins; what fails stops the roll where it is, and the same
command goes on there. What a machine did not announce when its turn came, it is not asked about: an operator's drain stays.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from policy.intent import Mode
from policy.roll import Roll, RollStage, announced_by, nowhere_without
from policy.route import parse_prefix
from policy.wording import count, named, span
from speaker.cli.commands import UsageError
from speaker.cli.draining import patience
from speaker.cli.messages import tell_operator
from speaker.cli.roll_file import RollFile, RollProgress
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.site_values import SiteOrder
from speaker.site_words import MACHINE, MAX_WITHIN
from speaker.terminal import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from policy.roll import RolledMachine
    from policy.route import Prefix
    from speaker.cli.arguments import Call
    from speaker.config.settings import Config
    from speaker.site_values import MachineStatus, Ordered, SiteStatus

    class RolledSite(Protocol):
        """The machines, as a watchdog knows them and orders of them. `speaker.control.running.RunningWatchdog` is one."""

        def site(self, prefixes: Sequence[Prefix] = (), *, whole: bool = False) -> SiteStatus:
            """Return what is known of the machines."""

        def order(self, order: SiteOrder) -> Ordered:
            """Have some of them obey."""


NAME = "{machine}"
"""What stands for a machine's name in the arguments of the command."""
VARIABLE = "VIP_MACHINE"
"""Where the command finds it."""
EVERY = 1.0
"""How often it is looked what a machine announces, in seconds."""
RESTORED_WITHIN = 600.0
"""For how long a machine is waited for that was restored, in seconds, where nothing says so."""
NAMED = 3
"""How many prefixes a line names that is about many."""
States = dict[str, dict[str, bool | None]]


class NotRolledError(SpeakerError):
    """A machine did not do what it was to do."""


class Limits(NamedTuple):
    """For how long a machine is waited for: until it has drained, and until it announces all again; in seconds."""

    drained: float
    restored: float


class Rolling:
    """Rolls over machines.

    Args:
        site: knows them.
        record: records how far it has come, durably.
        run: runs the command for a machine of that name, and returns its exit status.
        limits: for how long to wait.
        last: drain also what no other machine announces.
        wait: lets some seconds pass.
        steady: seconds on the steady clock.
    """

    def __init__(
        self,
        site: RolledSite,
        record: Callable[[Roll], None],
        run: Callable[[str], int],
        limits: Limits,
        *,
        last: bool = False,
        wait: Callable[[float], None] = time.sleep,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site, self._record, self._run = site, record, run
        self._limits, self._last = limits, last
        self._wait, self._steady = wait, steady
        self._drained = ""

    def go(self, roll: Roll) -> None:
        """Go on until all machines are done.

        Raises:
            SpeakerError: it stops where it is; says why.
        """
        while (current := roll.current) is not None:
            if current.stage is RollStage.WAITING:
                roll = self._recorded(roll.begin(self._announced(current.name)))
                continue
            if current.stage is RollStage.DRAINING:
                self._drain(current)
            elif current.stage is RollStage.RUNNING:
                self._drain(current)
                self._command(current.name)
            else:
                self._restore(current)
            roll = self._recorded(roll.advance())

    def _recorded(self, roll: Roll) -> Roll:
        self._record(roll)
        return roll

    def _announced(self, name: str) -> tuple[str, ...]:
        """Return what a machine announces now, all of which is to drain."""
        states = states_of(self._known(name))
        lost = () if self._last else nowhere_without(name, states)
        if lost:
            raise NotRolledError(nowhere(name, lost))
        return announced_by(name, states)

    def _known(self, name: str) -> SiteStatus:
        """Return what is known of the site, once that is known of a machine, too."""
        with waiting(f"waiting to hear of {name}"):
            return self._until(name, lambda _: "", self._limits.restored)

    def _drain(self, machine: RolledMachine) -> None:
        if self._drained == machine.name or not machine.prefixes:
            return
        name = machine.name
        self._known(name)
        self._order(machine, Mode.DRAINING)
        began = self._steady()

        def lack(states: States) -> str:
            has = [p for p in machine.prefixes if states.get(p, {}).get(name) is not False]
            return f"it still announces {named(has, NAMED)}" if has else ""

        with waiting(f"waiting for {name} to drain"):
            self._until(name, lack, self._limits.drained)
        self._drained = name
        tell_operator(
            f"{name}: drained, {count(len(machine.prefixes), 'prefix')} in {span(self._steady() - began)}"
        )

    def _command(self, name: str) -> None:
        if status := self._run(name.partition("/")[2]):
            raise NotRolledError(f"{name}: the command ended with exit status {status}")
        tell_operator(f"{name}: the command is done")

    def _restore(self, machine: RolledMachine) -> None:
        if not machine.prefixes:
            return
        name = machine.name
        self._known(name)
        self._order(machine, Mode.AUTO)

        def lack(states: States) -> str:
            lacks = [p for p in machine.prefixes if not states.get(p, {}).get(name)]
            return f"it does not announce {named(lacks, NAMED)} yet" if lacks else ""

        with waiting(f"waiting for {name} to announce all again"):
            self._until(name, lack, self._limits.restored)
        tell_operator(f"{name}: announces all of it again")

    def _order(self, machine: RolledMachine, mode: Mode) -> None:
        ordered = self._site.order(
            SiteOrder(
                mode=mode,
                prefixes=tuple(map(parse_prefix, machine.prefixes)),
                reason="vip_mgmt roll",
                last=self._last and mode is Mode.DRAINING,
                extent=f"{MACHINE}{machine.name}",
                within=min(self._limits.restored, MAX_WITHIN),
            )
        )
        report = ordered.site
        if report is None or not report.committed:
            why = "" if report is None else report.trouble
            raise NotRolledError(f"{machine.name}: not ordered: {why or 'etcd does not have it'}")
        refused = next((each for each in report.machines if not each.obeys), None)
        if refused is not None or not report.machines:
            why = "it is silent" if refused is None else refused.why
            raise NotRolledError(f"{machine.name}: does not obey: {why or 'no answer in time'}")

    def _until(self, name: str, lack: Callable[[States], str], within: float) -> SiteStatus:
        """Look until a machine is there and lacks nothing; return what is known then."""
        end = self._steady() + within
        while True:
            why, status = "", None
            try:
                status = self._site.site(whole=True)
            except SpeakerError as error:  # this machine's own watchdog may be what is restarted
                why = f"not known: {error}"
            if status is not None:
                why = away(status, name) or lack(states_of(status))
                if not why:
                    return status
            if self._steady() >= end:
                raise NotRolledError(f"{name}: {why}, after {span(within)}")
            self._wait(EVERY)


def states_of(status: SiteStatus) -> States:
    """Return which machine announces what."""
    return {
        each.prefix: {state.machine: state.announced for state in each.states}
        for each in status.prefixes
    }


def away(status: SiteStatus, name: str) -> str:
    """Return why nothing is known of a machine, in words; nothing where it is there."""
    if not status.connected:
        return f"etcd is away: {status.trouble or 'not connected'}"
    found = next((each for each in status.machines if each.name == name), None)
    if found is None:
        return "no machine of that name is known"
    return "" if found.live else "it is silent"


def nowhere(name: str, prefixes: Sequence[str]) -> str:
    """Say that no other machine announces what one does."""
    return f"{name}: no other machine announces {named(prefixes, NAMED)}; with --last it drains all the same"


def roll(call: Call, config: Config) -> ExitStatus:
    """Roll over the machines of a data centre.

    Raises:
        UsageError: it can't be asked so.
        SpeakerError: no watchdog answers, or how far it has come can't be recorded.
    """
    settings = config.settings
    if settings.site is None:
        raise UsageError(
            "roll: vip.toml has no [site], so other machines can't be drained from here; without it, on each: "
            "vip_mgmt -d all --soft, what there is to do, vip_mgmt -a all"
        )
    dcs = [dc.name for dc in config.topology.dcs]
    if call.at not in dcs:
        raise UsageError(
            f"roll: --at: {call.at[:80]!r}: write a data centre of vip.toml ({named(dcs, 10)})"
        )
    site = RunningWatchdog.of(config)
    file = RollFile(settings.state.parent, call.at)
    with file.held():
        progress = None if call.again else file.load()
        if progress is not None and progress.command != call.words:
            raise UsageError(
                f"roll: a roll over {call.at} has not ended, and runs {_shown(progress.command)}; go on with that, or begin with --again"
            )
        found = _begun(call, site) if progress is None else progress.roll
        if call.dry_run:
            return _would(found, states_of(site.site(whole=True)), last=call.last)
        return _rolled(call, config, site, file, found)


def _begun(call: Call, site: RolledSite) -> Roll:
    """Return a roll over all machines of the data centre, each of which is there, and can be drained."""
    status = site.site(whole=True)
    machines = [each for each in status.machines if each.dc == call.at]
    if not status.connected or not machines:
        why = status.trouble or "no machine of it is known"
        raise SpeakerError(
            f"roll: {call.at}: {why}; nothing was changed: see vip_mgmt status --site"
        )
    _refuse_silent(machines)
    states = states_of(status)
    refused = (
        []
        if call.last
        else [(m.name, p) for m in machines if (p := nowhere_without(m.name, states))]
    )
    if refused and not call.dry_run:
        raise SpeakerError(f"roll: {nowhere(*refused[0])}; nothing was changed")
    return Roll.over([each.name for each in machines])


def _refuse_silent(machines: Sequence[MachineStatus]) -> None:
    silent = [each.name for each in machines if not each.live]
    if silent:
        raise SpeakerError(
            f"roll: {named(silent, NAMED)}: silent; nothing was changed: see to it first, as what it announces can't be known"
        )


def _would(
    roll: Roll, states: Mapping[str, Mapping[str, bool | None]], *, last: bool
) -> ExitStatus:
    """Say what would be done."""
    status = ExitStatus.DONE
    for each in roll.machines:
        prefixes = each.prefixes or announced_by(each.name, states)
        said = f"{each.name}: {each.stage}, {count(len(prefixes), 'prefix')}"
        lost = (
            ()
            if last or each.stage is not RollStage.WAITING
            else nowhere_without(each.name, states)
        )
        if lost:
            status = ExitStatus.NOT_AS_WANTED
            said = nowhere(each.name, lost)
        tell_operator(said)
    return status


def _rolled(
    call: Call, config: Config, site: RolledSite, file: RollFile, begun: Roll
) -> ExitStatus:
    """Roll, and say where it stopped."""
    at = begun

    def record(now: Roll) -> None:
        nonlocal at
        file.save(RollProgress.of(call.words, now))
        at = now

    limits = Limits(
        call.timeout or patience(config.topology, config.topology.prefixes),
        call.timeout or RESTORED_WITHIN,
    )
    rolling = Rolling(site, record, lambda name: run(call.words, name), limits, last=call.last)
    try:
        rolling.go(begun)
    except SpeakerError as error:
        tell_operator(f"roll: {error}")
    except KeyboardInterrupt:
        tell_operator("roll: interrupted")
    else:
        file.forget()
        tell_operator(f"roll: {call.at}: all of {count(len(at.machines), 'machine')} are done")
        return ExitStatus.DONE
    if not at.has_begun:
        file.forget()
        tell_operator("roll: nothing was changed")
        return ExitStatus.NOT_AS_WANTED
    for line in stopped(at):
        tell_operator(line)
    return ExitStatus.NOT_AS_WANTED


def stopped(roll: Roll) -> list[str]:
    """Say how far a roll has come that stopped, and how it goes on."""
    lines = [f"{each.name}: {each.stage}" for each in roll.machines]
    current = roll.current
    if current is not None and current.stage is not RollStage.WAITING:
        machine = current.name.partition("/")[2]
        lines.append(
            f"{current.name} was ordered to drain, and may be drained: the same command goes on with it, --again begins with the first "
            f"machine; to restore it without either, on {machine}: vip_mgmt -a all --here"
        )
    else:
        lines.append("no machine is drained by it; the same command goes on with the next one")
    return lines


def run(command: Sequence[str], machine: str) -> int:
    """Run the command for a machine, and return its exit status; a signal's is negative.

    Raises:
        SpeakerError: it can't be started.
    """
    words = [word.replace(NAME, machine) for word in command]
    tell_operator(f"{machine}: {_shown(words)}")
    try:
        done = subprocess.run(words, env={**os.environ, VARIABLE: machine}, check=False)
    except OSError as error:
        raise NotRolledError(
            f"{words[0]!r}: {error.strerror}; write a program that is there, and its arguments"
        ) from error
    return done.returncode


def _shown(words: Sequence[str]) -> str:
    return " ".join(
        word if word.isprintable() and word and " " not in word else repr(word) for word in words
    )[:200]
