"""What a roll would do with each machine, as far as is known now: `vip_mgmt roll --dry-run`. It looks, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.roll import RollStage, announced_by, unknown_of
from policy.wording import count, named
from speaker.cli.messages import tell_operator
from speaker.cli.not_begun import not_begun
from speaker.cli.other_rolls import GO_ON, by_another_roll
from speaker.cli.rolling import NAMED, away, states_of
from speaker.exit_status import ExitStatus

if TYPE_CHECKING:
    from policy.roll import Roll, RolledMachine
    from speaker.cli.rolling import States
    from speaker.site_values import SiteStatus


def would_roll(roll: Roll, dc: str, status: SiteStatus, *, last: bool) -> ExitStatus:
    """Say what would be done; return whether nothing is in the way of it.

    Args:
        roll: how far it has come.
        dc: the data centre.
        status: what is known of the machines.
        last: whether a machine drains also what no other one announces.
    """
    states = states_of(status)
    found = ExitStatus.DONE
    under_way = roll.under_way
    if other := by_another_roll(status, dc, "" if under_way is None else under_way.name):
        found = ExitStatus.NOT_AS_WANTED
        tell_operator(f"roll: {other}: {GO_ON}")
    for each in roll.machines:
        why = "" if each.stage is RollStage.DONE else _in_the_way(each, status, states, last=last)
        if why:
            found = ExitStatus.NOT_AS_WANTED
        tell_operator(why or f"{each.name}: {_would(each, states)}")
    return found


def _in_the_way(each: RolledMachine, status: SiteStatus, states: States, *, last: bool) -> str:
    """Return what would keep a machine from being rolled over, in words; nothing for nothing."""
    name = each.name
    if why := away(status, name):
        return f"{name}: {why}: it would be waited for"
    if each.stage is not RollStage.WAITING:
        return ""
    if unknown := unknown_of(name, states):
        return f"{name}: not known whether it announces {named(unknown, NAMED)}: it would be waited for"
    return not_begun(status, states, name, last=last)


def _would(each: RolledMachine, states: States) -> str:
    """Return what would be done with a machine that nothing is known to be in the way of."""
    is_waiting = each.stage is RollStage.WAITING
    prefixes = announced_by(each.name, states) if is_waiting else each.prefixes
    of = count(len(prefixes), "prefix")
    match each.stage:
        case RollStage.DONE:
            return "is done"
        case RollStage.RESTORING:
            return f"would restore {of}; the command was run"
        case RollStage.WAITING if not prefixes:
            return "announces nothing; the command would run at once"
        case RollStage.WAITING:
            return f"would drain {of}, run the command, and restore them"
        case _:
            return (
                f"was ordered to drain {of}; would see to that, run the command, and restore them"
            )
