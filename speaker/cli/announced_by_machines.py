"""Which machines of the site announce a prefix, as they tell it by etcd: what a rehearsal of a soft drain says of who takes over. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.wording import named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from speaker.site_values import MachineState

NAMED = 3
"""How many machines a line names that say the same."""


def dc_of(machine: str) -> str:
    """Return the data centre of a machine's name, such as `lyo1/lb1`."""
    return machine.partition("/")[0]


def announced_by_machines(states: Sequence[MachineState], expected: Collection[str]) -> str:
    """Say of the machines of some data centres whether they announce a prefix, and its health there; those together that say the same.

    Args:
        states: what is known of all machines that are to announce it.
        expected: the data centres.
    """
    said: dict[str, list[str]] = {}
    for dc in sorted(expected):
        of = [each for each in states if dc_of(each.machine) == dc]
        for each in of:
            said.setdefault(_said(each), []).append(each.machine)
        if not of:
            said.setdefault("no machine there is known", []).append(dc)
    return "; ".join(f"{named(names, NAMED)}: {text}" for text, names in said.items())


def _said(state: MachineState) -> str:
    if state.announced is None:
        return "not known whether it is announced"
    health = f", health {state.health}" if state.health else ""
    return f"{'announced' if state.announced else 'NOT announced'}{health}{_intent(state)}"


def _intent(state: MachineState) -> str:
    return f", {state.intent}" if state.intent not in ("", "auto") else ""


def mates(states: Sequence[MachineState], here: str) -> Iterator[str]:
    """Yield the other machines of a machine's data centre that announce a prefix: what it drains alone goes there.

    Args:
        states: what is known of all machines that are to announce it.
        here: the machine, such as `par1/lb1`.
    """
    for each in states:
        if dc_of(each.machine) == dc_of(here) and each.machine != here and each.announced:
            yield each.machine
