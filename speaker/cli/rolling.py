"""Rolls over machines of a site: machine by machine, drains it softly, runs a command, restores it, and waits until it announces all again.

See `policy.roll` for the stages. Each is recorded before it begins; what fails stops the roll where it is, and the same
command goes on there. Its orders overrule only its own (`policy.site_intent`): what an operator asked, before or meanwhile, stands. What
an operator drains is not waited for to be announced again.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from policy.intent import Mode
from policy.roll import RollStage, announced_by, unknown_of
from policy.route import parse_prefix
from policy.site_members import is_drain
from policy.wording import count, named, span
from speaker.cli.announced_by_machines import dc_of
from speaker.cli.messages import tell_operator
from speaker.cli.not_begun import not_begun
from speaker.cli.other_rolls import GO_ON, by_another_roll, is_by_roll, reason_of
from speaker.cli.roll_command import NotRolledError, ended_with
from speaker.errors import SpeakerError
from speaker.site_values import SiteOrder
from speaker.site_words import MACHINE, MAX_WITHIN
from speaker.terminal import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from policy.roll import Roll, RolledMachine
    from policy.route import Prefix
    from speaker.site_values import Ordered, SiteStatus

    class RolledSite(Protocol):
        """The machines, as a watchdog knows them and orders of them. `speaker.control.running.RunningWatchdog` is one."""

        def site(self, prefixes: Sequence[Prefix] = (), *, whole: bool = False) -> SiteStatus:
            """Return what is known of the machines."""

        def order(self, order: SiteOrder) -> Ordered:
            """Have some of them obey."""


EVERY = 1.0
"""How often it is looked what a machine announces, in seconds."""
NAMED, MOST = 3, 10
"""How many prefixes a line names that is about many, and how many drains of operators are told of."""
States = dict[str, dict[str, bool | None]]


class GaveWayError(NotRolledError):
    """Another roll drains, too; what this one drained of the machine was taken back."""


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
            try:
                self._step(current)
            except GaveWayError:
                self._recorded(roll.back())
                raise
            roll = self._recorded(roll.advance())

    def _step(self, current: RolledMachine) -> None:
        if current.stage is RollStage.DRAINING:
            self._drain(current)
        elif current.stage is RollStage.RUNNING:
            self._drain(current)
            self._command(current.name)
        else:
            self._restore(current)

    def _recorded(self, roll: Roll) -> Roll:
        self._record(roll)
        return roll

    def _announced(self, name: str) -> tuple[str, ...]:
        """Return what a machine announces now, all of which is to drain: once that is known of each prefix."""

        def unknown(status: SiteStatus) -> str:
            found = unknown_of(name, states_of(status))
            return f"not known whether it announces {named(found, NAMED)}" if found else ""

        with waiting(f"waiting to hear of {name}"):
            status = self._until(name, unknown, self._limits.restored)
        _refuse_another(status, name)
        states = states_of(status)
        if why := not_begun(status, states, name, last=self._last):
            raise NotRolledError(why)
        if not (found := announced_by(name, states)):
            tell_operator(f"{name}: announces nothing; the command runs at once")
        return found

    def _hear(self, name: str) -> SiteStatus:
        """Wait until a machine is there: it may be just what restarts; return what is known then."""
        with waiting(f"waiting to hear of {name}"):
            return self._until(name, lambda _: "", self._limits.restored)

    def _drain(self, machine: RolledMachine) -> None:
        if self._drained == machine.name or not machine.prefixes:
            return
        name, status = machine.name, self._hear(machine.name)
        _refuse_another(status, name, under_way=name)
        if not (machine := without_gone(machine, status)).prefixes:
            return
        self._order(machine, Mode.DRAINING, reason_of(status))
        began = self._steady()

        def lack(status: SiteStatus) -> str:
            states = states_of(status)
            has = [p for p in machine.prefixes if states.get(p, {}).get(name) is not False]
            return f"it still announces {named(has, NAMED)}" if has else ""

        with waiting(f"waiting for {name} to drain"):
            status = self._until(name, lack, self._limits.drained)
        if other := by_another_roll(status, dc_of(name), name):
            self._order(machine, Mode.AUTO, reason_of(status))
            raise GaveWayError(
                f"{other}, which began at the same time: this roll's drain of {name} was taken back: {GO_ON}"
            )
        self._drained = name
        tell_operator(
            f"{name}: drained, {count(len(machine.prefixes), 'prefix')} in {span(self._steady() - began)}"
        )

    def _command(self, name: str) -> None:
        if status := self._run(name.partition("/")[2]):
            raise NotRolledError(f"{name}: the command ended with {ended_with(status)}")
        tell_operator(f"{name}: the command is done")

    def _restore(self, machine: RolledMachine) -> None:
        name, status = machine.name, self._hear(machine.name)
        machine = without_gone(machine, status)
        if machine.prefixes:
            self._order(machine, Mode.AUTO, reason_of(status))

        def lack(status: SiteStatus) -> str:
            states, kept = states_of(status), drained_by_operators(status, name)
            lacks = [
                p
                for p in machine.prefixes
                if p not in kept and p in states and not states[p].get(name)
            ]
            return f"it does not announce {named(lacks, NAMED)} yet" if lacks else ""

        with waiting(f"waiting for {name} to announce all again"):
            status = self._until(name, lack, self._limits.restored)
        kept = drained_by_operators(status, name)
        if not {*machine.prefixes} <= kept.keys():
            rest = " but what stays drained" if {*machine.prefixes} & kept.keys() else ""
            tell_operator(f"{name}: announces all of it again{rest}")
        for line in stays_drained(kept):
            tell_operator(f"{name}: {line}")

    def _order(self, machine: RolledMachine, mode: Mode, reason: str) -> None:
        ordered = self._site.order(
            SiteOrder(
                mode=mode,
                prefixes=tuple(map(parse_prefix, machine.prefixes)),
                reason=reason,
                last=self._last and mode is Mode.DRAINING,
                extent=f"{MACHINE}{machine.name}",
                within=min(self._limits.restored, MAX_WITHIN),
                own=True,
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

    def _until(self, name: str, lack: Callable[[SiteStatus], str], within: float) -> SiteStatus:
        """Look until a machine is there and lacks nothing; return what is known then."""
        end = self._steady() + within
        while True:
            why, status = "", None
            try:
                status = self._site.site(whole=True)
            except SpeakerError as error:  # this machine's own watchdog may be what is restarted
                why = f"not known: {error}"
            if status is not None:
                why = away(status, name) or lack(status)
                if not why:
                    return status
            if self._steady() >= end:
                raise NotRolledError(f"{name}: {why}, after {span(within)}")
            self._wait(EVERY)


def _refuse_another(status: SiteStatus, name: str, under_way: str = "") -> None:
    if other := by_another_roll(status, dc_of(name), under_way):
        raise NotRolledError(f"{other}: {GO_ON}")


def states_of(status: SiteStatus) -> States:
    """Return which machine announces what."""
    return {
        each.prefix: {state.machine: state.announced for state in each.states}
        for each in status.prefixes
    }


def without_gone(machine: RolledMachine, status: SiteStatus) -> RolledMachine:
    """Return a machine without what vip.toml has no more: nothing can be ordered for that, nor known of it; that is said."""
    there = states_of(status)
    if gone := [prefix for prefix in machine.prefixes if prefix not in there]:
        tell_operator(f"{machine.name}: {named(gone, NAMED)}: not in vip.toml any more; left out")
    return replace(machine, prefixes=tuple(p for p in machine.prefixes if p in there))


def drained_by_operators(status: SiteStatus, name: str) -> dict[str, str]:
    """Return the prefixes that a machine drains, or has drained, and no roll asked that; each with the intent in words."""
    return {
        each.prefix: state.intent
        for each in status.prefixes
        for state in each.states
        if state.machine == name and is_drain(state.intent) and not is_by_roll(state.intent)
    }


def stays_drained(kept: Mapping[str, str]) -> list[str]:
    """Say what stays drained, a line for each intent; see `drained_by_operators`."""
    of: dict[str, list[str]] = {}
    for prefix, intent in kept.items():
        of.setdefault(intent, []).append(prefix)
    lines = [
        f"stays drained, as asked: {named(prefixes, NAMED)} ({intent})"
        for intent, prefixes in of.items()
    ]
    more = len(lines) - MOST
    return [*lines[:MOST], *([f"and {more} more drains stay"] if more > 0 else [])]


def away(status: SiteStatus, name: str) -> str:
    """Return why nothing is known of a machine, in words; nothing where it is there."""
    if not status.connected:
        return f"etcd is away: {status.trouble or 'not connected'}"
    found = next((each for each in status.machines if each.name == name), None)
    if found is None:
        return "no machine of that name is known"
    return "" if found.live else "it is silent"
