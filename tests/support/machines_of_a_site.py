"""Machines that keep copies of what is asked of a site, and what they know of each other's by happening before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent, SiteIntent, Width, asked, folded, merged

if TYPE_CHECKING:
    from collections.abc import Iterable

PAR, LYO = Extent("par1"), Extent("lyo1")
MACHINES = (Extent("par1", "lb1"), Extent("par1", "lb2"), Extent("lyo1", "lb1"))
START = 1_700_000_000.0
Copies = dict[Extent, tuple[SiteIntent, ...]]


@dataclass(frozen=True, slots=True)
class AskedEvent:
    """Something that was asked, and all of whose asking its machine had heard by then: what happened before it."""

    number: int
    extent: Extent
    intent: Intent
    past: frozenset[int]

    @property
    def drains(self) -> bool:
        """Whether it is a drain."""
        return not self.intent.restores


@dataclass(frozen=True, slots=True)
class Letter:
    """What one machine has at a time, on its way to another, or kept as an old copy."""

    copies: Copies
    heard: frozenset[int]


@dataclass(slots=True)
class SiteMachine:
    """A machine: its name, how much its clock is off, its copy, and what it has heard of."""

    here: Extent
    skew: float
    copies: Copies = field(default_factory=dict)
    heard: frozenset[int] = frozenset()

    def known(self) -> list[SiteIntent]:
        """Return all that stands in its copy."""
        return [each for some in self.copies.values() for each in some]

    def letter(self) -> Letter:
        """Return what it has."""
        return Letter(dict(self.copies), self.heard)

    def restore(self, old: Letter) -> None:
        """Go on from an old copy."""
        self.copies, self.heard = dict(old.copies), old.heard


class ManyMachines:
    """The machines of a site, and all that was ever asked."""

    def __init__(self, skews: Iterable[float], *, fold: bool = False) -> None:
        self.machines = [
            SiteMachine(here, skew) for here, skew in zip(MACHINES, skews, strict=True)
        ]
        self.events: dict[int, AskedEvent] = {}
        self._fold = fold
        self._numbers, self._own = count(), count()

    def ask(
        self, machine: SiteMachine, width: Width, mode: Mode, at: float, seconds: float | None
    ) -> AskedEvent:
        """Ask a machine for something: for itself, its data centre, or all."""
        here = machine.here
        extent = {Width.MACHINE: here, Width.DC: Extent(here.dc), Width.SITE: EVERYWHERE}[width]
        since = START + at + machine.skew
        until = None if seconds is None else since + seconds
        number = next(self._numbers)
        intent = Intent(mode, f"user{number}", since, "", until)
        one = asked(f"{number:04}", extent, intent, machine.known())
        machine.copies[extent] = merged(machine.copies.get(extent, ()), [one])
        event = AskedEvent(number, extent, intent, machine.heard)
        self.events[number] = event
        machine.heard |= {number}
        return event

    def ask_own(self, machine: SiteMachine, extent: Extent, mode: Mode, at: float) -> SiteIntent:
        """Have a program ask at a machine for something that overrules only its own."""
        intent = Intent(mode, "root", START + at + machine.skew, "roll")
        one = asked(f"own{next(self._own)}", extent, intent, machine.known(), own=True)
        machine.copies[extent] = merged(machine.copies.get(extent, ()), [one])
        return one

    def deliver(self, letter: Letter, to: SiteMachine) -> None:
        """Have a machine take over what another had: of single machines, what is for itself."""
        for extent, standing in letter.copies.items():
            if extent.width is Width.MACHINE and extent != to.here:
                continue
            both = merged(to.copies.get(extent, ()), standing)
            to.copies[extent] = folded(both) if self._fold else both
        to.heard |= {
            n
            for n in letter.heard
            if self.events[n].extent.width is not Width.MACHINE or self.events[n].extent == to.here
        }

    def exchange_all(self) -> None:
        """Have all hear all: twice, since what one folds, the others hear in the second round."""
        for _ in range(3):
            for one in self.machines:
                for other in self.machines:
                    if other is not one:
                        self.deliver(one.letter(), other)

    def drains_by_the_rule(self, machine: SiteMachine, now: float) -> set[int]:
        """Return the drains that hold on a machine, by what happened before what alone: see docs/site.md."""
        of_it = [
            self.events[n] for n in machine.heard if self.events[n].extent.covers(machine.here)
        ]
        standing = [
            e for e in of_it if not any(e.number in f.past and f.extent == e.extent for f in of_it)
        ]
        in_force = [e for e in standing if e.intent.until is None or now < e.intent.until]
        return {
            e.number
            for e in in_force
            if e.drains
            and not any(
                e.number in f.past and not f.drains and e.extent.covers(f.extent) for f in in_force
            )
        }
