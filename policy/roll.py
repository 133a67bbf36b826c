"""How far a roll over the machines of a data centre has come: which one is next, and with what. Pure.

Theory of operation. Machine by machine, each goes through the stages in their order: what it announces is noted, and drains; a command is
run; the same is restored; it is done once it announces that again. The next one begins when the one before is done, so that at most one
is drained. A stage is recorded before it is begun, so who goes on after an interruption does the stage under way again: to
drain what drains, and to restore what is restored, changes nothing, and the command is run once more. Before the command
what was noted drains again in any case: an operator may have restored it meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from policy.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class RollStage(StrEnum):
    """How far it is with a machine: not begun; it drains; the command runs; it is restored; it announces all again."""

    WAITING = "waiting"
    DRAINING = "draining"
    RUNNING = "running"
    RESTORING = "restoring"
    DONE = "done"


_FOLLOWING = dict(zip(RollStage, [*RollStage][1:], strict=False))


@dataclass(frozen=True, slots=True)
class RolledMachine:
    """A machine, such as `par1/lb1`; and the prefixes that it announced when it began, which the roll drains and restores."""

    name: str
    stage: RollStage = RollStage.WAITING
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Roll:
    """All machines, in the order in which it is their turn."""

    machines: tuple[RolledMachine, ...]

    @classmethod
    def over(cls, names: Collection[str]) -> Roll:
        """Return one that has not begun, over some machines."""
        return cls(tuple(RolledMachine(name) for name in sorted(names)))

    @property
    def current(self) -> RolledMachine | None:
        """The first machine that is not done; None at the end."""
        return next((one for one in self.machines if one.stage is not RollStage.DONE), None)

    @property
    def has_begun(self) -> bool:
        """Whether anything was done."""
        return any(one.stage is not RollStage.WAITING for one in self.machines)

    @property
    def under_way(self) -> RolledMachine | None:
        """The machine that has begun and is not done, which may be drained; None where there is none."""
        current = self.current
        return None if current is None or current.stage is RollStage.WAITING else current

    def gone(self, names: Collection[str]) -> tuple[str, ...]:
        """Return which machines are not done, and not among those that are there."""
        left = (one.name for one in self.machines if one.stage is not RollStage.DONE)
        return tuple(name for name in left if name not in names)

    def new(self, names: Collection[str]) -> tuple[str, ...]:
        """Return which of the machines that are there it does not have."""
        return tuple(sorted({*names} - {one.name for one in self.machines}))

    def joined_by(self, names: Collection[str]) -> Roll:
        """Return it with machines whose turn comes last."""
        return Roll((*self.machines, *Roll.over(names).machines))

    def again(self, names: Collection[str]) -> Roll:
        """Return it from its start, over the machines that are there.

        One that is under way comes first, with what was noted: only here it is known to be drained.
        """
        under_way = self.under_way
        if under_way is None or under_way.name not in names:
            return Roll.over(names)
        rest = Roll.over({*names} - {under_way.name})
        return Roll((replace(under_way, stage=RollStage.DRAINING), *rest.machines))

    def begin(self, prefixes: Sequence[str]) -> Roll:
        """Return it with the current machine draining these prefixes.

        Raises:
            PolicyError: it has begun already, or the roll is at its end.
        """
        return self._with(RollStage.DRAINING, tuple(prefixes))

    def advance(self) -> Roll:
        """Return it with the current machine in its next stage.

        Raises:
            PolicyError: it has not begun, or the roll is at its end.
        """
        current = self.current
        if current is None or current.stage is RollStage.WAITING:
            raise PolicyError("roll: no machine is under way")
        return self._with(_FOLLOWING[current.stage], current.prefixes)

    def back(self) -> Roll:
        """Return it with the machine that is under way as if it had not begun: nothing of it is drained by the roll any more."""
        under_way = self.under_way
        return Roll(
            tuple(RolledMachine(one.name) if one is under_way else one for one in self.machines)
        )

    def _with(self, stage: RollStage, prefixes: tuple[str, ...]) -> Roll:
        current = self.current
        if current is None or _FOLLOWING[current.stage] is not stage:
            raise PolicyError(f"roll: no machine can be {stage} now")
        after = replace(current, stage=stage, prefixes=prefixes)
        return Roll(tuple(after if one is current else one for one in self.machines))


def announced_by(machine: str, states: Mapping[str, Mapping[str, bool | None]]) -> tuple[str, ...]:
    """Return what a machine announces.

    Args:
        machine: such as `par1/lb1`.
        states: prefix -> machine -> whether it announces it, None where that is not known.
    """
    return tuple(prefix for prefix, of in states.items() if of.get(machine))


def unknown_of(machine: str, states: Mapping[str, Mapping[str, bool | None]]) -> tuple[str, ...]:
    """Return of what it is not known whether a machine announces it. See `announced_by`."""
    return tuple(prefix for prefix, of in states.items() if of.get(machine, False) is None)


def nowhere_without(
    machine: str, states: Mapping[str, Mapping[str, bool | None]]
) -> tuple[str, ...]:
    """Return what a machine announces, and no other one for certain. See `announced_by`."""
    return tuple(
        prefix
        for prefix in announced_by(machine, states)
        if not any(has for name, has in states[prefix].items() if name != machine)
    )
