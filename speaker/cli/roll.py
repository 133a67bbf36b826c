"""vip_mgmt roll: machine by machine of a data centre: which ones, by what limits, what is said at the end. See `speaker.cli.rolling`."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.roll import Roll, nowhere_without
from policy.wording import count, named
from speaker.cli.commands import UsageError
from speaker.cli.draining import patience
from speaker.cli.messages import tell_operator
from speaker.cli.not_begun import nowhere
from speaker.cli.other_rolls import GO_ON, by_another_roll
from speaker.cli.roll_command import check_program, check_words, run, shown
from speaker.cli.roll_file import RollFile, RollProgress
from speaker.cli.rolling import NAMED, Limits, Rolling, states_of
from speaker.cli.would_roll import would_roll
from speaker.errors import SpeakerError
from speaker.exit_status import ExitStatus
from speaker.site_values import is_machine_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from speaker.cli.arguments import Call
    from speaker.cli.rolling import RolledSite
    from speaker.config.settings import Config
    from speaker.site_values import MachineStatus, SiteStatus

_RESTORE_MANY = (
    "vip_mgmt -a PREFIX… --here, of those that vip_mgmt status shows as drained by vip_mgmt roll"
)
RESTORED_WITHIN = 600.0
"""For how long a machine is waited for that was restored, in seconds, where nothing says so."""


@dataclass(frozen=True, slots=True)
class RollMeans:
    """What a roll has at hand: it runs the command for a machine, lets some seconds pass, and has seconds on the steady clock."""

    run: Callable[[Sequence[str], str], int] = run
    wait: Callable[[float], None] = time.sleep
    steady: Callable[[], float] = time.monotonic


def roll(
    call: Call, config: Config, site: RolledSite, means: RollMeans = RollMeans()
) -> ExitStatus:
    """Roll over the machines of a data centre.

    Args:
        call: what is asked for.
        config: what vip.toml has.
        site: the machines, as the watchdog knows them.
        means: what there is at hand.

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
    file = RollFile(settings.state.parent, call.at)
    if call.dry_run:
        holder = file.lock.holder()
        found, status = _planned(call, site, file)
        if holder:
            tell_operator(f"roll: another one is under way: {holder}: what follows is as of now")
        would = would_roll(found, call.at, status, last=call.last)
        return ExitStatus.NOT_AS_WANTED if holder else would
    with file.lock.held():
        begun, _ = _planned(call, site, file)
        return _rolled(call, config, site, file, begun, means)


def _planned(call: Call, site: RolledSite, file: RollFile) -> tuple[Roll, SiteStatus]:
    """Return how far the roll has come, over the machines that are there now, and what is known of these. Nothing is changed."""
    progress = file.load()
    if progress is not None and progress.command != call.words and not call.again:
        raise UsageError(
            f"roll: a roll over {call.at} has not ended, and runs {shown(progress.command)}; go on with that, or begin with --again: "
            "the machine that is under way first"
        )
    status = site.site(whole=True)
    machines = _machines(status, call.at)
    found = (
        _begun(call, status, machines)
        if progress is None
        else _gone_on(progress.roll, [each.name for each in machines], again=call.again)
    )
    check_program(call.words, [each.name.partition("/")[2] for each in found.machines])
    return found, status


def _machines(status: SiteStatus, dc: str) -> Sequence[MachineStatus]:
    """Return the machines of a data centre. Their names are words of a command: others than such are not believed."""
    machines = [each for each in status.machines if each.dc == dc]
    odd = next((each.name for each in machines if not is_machine_name(each.machine)), None)
    if status.connected and machines and odd is None:
        return machines
    why = f"{odd[:80]!r}: no name of a machine" if odd is not None else "no machine of it is known"
    raise SpeakerError(
        f"roll: {dc}: {why if status.connected else status.trouble or 'etcd is away'}; nothing was changed: see vip_mgmt status --site"
    )


def _begun(call: Call, status: SiteStatus, machines: Sequence[MachineStatus]) -> Roll:
    """Return a roll over machines each of which is there, and can be drained."""
    _refuse_silent(machines)
    if other := by_another_roll(status, call.at):
        raise SpeakerError(f"roll: {other}; nothing was changed: {GO_ON}")
    states = states_of(status)
    refused = (
        []
        if call.last
        else [(m.name, p) for m in machines if (p := nowhere_without(m.name, states))]
    )
    if refused and not call.dry_run:
        raise SpeakerError(f"roll: {nowhere(*refused[0])}; nothing was changed")
    return Roll.over([each.name for each in machines])


def _gone_on(before: Roll, names: Collection[str], *, again: bool) -> Roll:
    """Return a roll that has begun, over the machines that are there now; says what is another one than before."""
    gone = before.gone(names)
    under_way = before.under_way
    if again:
        if under_way is not None and under_way.name in gone:
            tell_operator(
                f"roll: {under_way.name}: was under way, and is not known any more; it is left out: if it comes back, see whether it is drained (vip_mgmt status --site)"
            )
        return before.again(names)
    if gone:
        raise SpeakerError(
            f"roll: {named(gone, NAMED)}: not known any more; nothing was changed: --again begins over the machines that are there, "
            "with the one that is under way first"
        )
    new = before.new(names)
    for name in new:
        tell_operator(f"roll: {name}: new since the roll began; it is rolled over, too, at the end")
    return before.joined_by(new)


def _refuse_silent(machines: Sequence[MachineStatus]) -> None:
    silent = [each.name for each in machines if not each.live]
    if silent:
        raise SpeakerError(
            f"roll: {named(silent, NAMED)}: silent; nothing was changed: see to it first, as what it announces can't be known"
        )


def _rolled(
    call: Call, config: Config, site: RolledSite, file: RollFile, begun: Roll, means: RollMeans
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
    rolling = Rolling(
        site,
        record,
        lambda name: means.run(call.words, name),
        limits,
        last=call.last,
        wait=means.wait,
        steady=means.steady,
    )
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
        tell_operator(f"roll: nothing {'was changed' if at is begun else 'of it is left'}")
        return ExitStatus.NOT_AS_WANTED
    for line in stopped(at):
        tell_operator(line)
    return ExitStatus.NOT_AS_WANTED


def stopped(roll: Roll) -> list[str]:
    """Say how far a roll has come that stopped, and how it goes on."""
    lines = [f"{each.name}: {each.stage}" for each in roll.machines]
    under_way = roll.under_way
    if under_way is None:
        lines.append("no machine is drained by it; the same command goes on with the next one")
        return lines
    lines.append(
        f"{under_way.name}: was ordered to drain, and may be drained: the same command goes on with it; --again begins from the start, with it first"
    )
    if prefixes := under_way.prefixes:
        machine, few = under_way.name.partition("/")[2], len(prefixes) <= NAMED
        what = f"vip_mgmt -a {shlex.join(prefixes)} --here" if few else _RESTORE_MANY
        lines.append(f"to restore it without either, on {machine}: {what}")
    return lines
