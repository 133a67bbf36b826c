"""vip_mgmt roll: machine by machine of a data centre: which ones, by what limits, what is said at the end. See `speaker.cli.rolling`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.roll import Roll, RollStage, announced_by, nowhere_without
from policy.site_members import is_drain
from policy.wording import count, named
from speaker.cli.announced_by_machines import dc_of
from speaker.cli.commands import UsageError
from speaker.cli.draining import patience
from speaker.cli.messages import tell_operator
from speaker.cli.roll_command import check_program, check_words, run, shown
from speaker.cli.roll_file import RollFile, RollProgress
from speaker.cli.rolling import NAMED, REASON, Limits, Rolling, nowhere, states_of
from speaker.control.running import RunningWatchdog
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from speaker.cli.arguments import Call
    from speaker.cli.rolling import RolledSite
    from speaker.config.settings import Config
    from speaker.site_values import MachineStatus, SiteStatus

RESTORED_WITHIN = 600.0
"""For how long a machine is waited for that was restored, in seconds, where nothing says so."""


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
    check_words(call.words)
    site = RunningWatchdog.of(config)
    file = RollFile(settings.state.parent, call.at)
    with file.held():
        progress = file.load()
        if progress is not None and progress.command != call.words and not call.again:
            raise UsageError(
                f"roll: a roll over {call.at} has not ended, and runs {shown(progress.command)}; go on with that, or begin with --again: "
                "the machine that is under way first"
            )
        found = _begun(call, site) if progress is None else progress.roll
        if progress is not None and call.again:
            found = found.again()
        check_program(call.words, [each.name.partition("/")[2] for each in found.machines])
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
    if other := by_another_roll(status, call.at):
        raise SpeakerError(
            f"roll: {other}; nothing was changed: wait for the end of the roll that did that, or go on with it where it was typed"
        )
    states = states_of(status)
    refused = (
        []
        if call.last
        else [(m.name, p) for m in machines if (p := nowhere_without(m.name, states))]
    )
    if refused and not call.dry_run:
        raise SpeakerError(f"roll: {nowhere(*refused[0])}; nothing was changed")
    return Roll.over([each.name for each in machines])


def by_another_roll(status: SiteStatus, dc: str) -> str:
    """Return which machine of a data centre is drained by a roll that is not known here, in words; nothing for none."""
    found = (
        f"{state.machine}: {each.prefix}: {state.intent}"
        for each in status.prefixes
        for state in each.states
        if dc_of(state) == dc and is_drain(state.intent) and state.intent.endswith(f": {REASON}")
    )
    return next(found, "")


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
            f"{current.name} was ordered to drain, and may be drained: the same command goes on with it, --again begins from the start, "
            f"with it first; to restore it without either, on {machine}: vip_mgmt -a all --here"
        )
    else:
        lines.append("no machine is drained by it; the same command goes on with the next one")
    return lines
