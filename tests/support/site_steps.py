"""Random faults and operations of a whole site: a seed makes a list of steps, the same each time. Pure."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIENT = "client"
"""Whose certificate the machines show."""
CALM = 10
"""After so many steps all is healed, and the site must come to rest."""
BREAKS = {
    "cut": "join",
    "part": "unite",
    "deaf": "hear",
    "mute": "speak",
    "slow": "fast",
    "kill": "start",
    "stop": "continue",
    "expire": "renew",
    "lone": "peer",
    "sick": "well",
}
"""Each fault that lasts, and what heals it."""
ONCE = ("crash", "compact", "drop", "replace")
"""Faults that are over at once: the watchdog dies, etcd's history goes, all leases go, a certificate gets a successor."""
ALIKE = (("cut", "part", "deaf", "mute", "slow"), ("kill", "stop"))
"""Faults of one link, and of one process: what heals the one would not heal the other, so there is one of them at a time."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `what` is a fault, what heals one, `drain`, `restore`, or `calm`; `on` who or what it befalls.

    `on` of `cut`, `crash`: a machine. `lone`: a machine, whose router ends the session. `part`, `slow`: a place, whose trunk is
    cut, or delays and loses packets. `deaf`, `mute`: a machine or a place, which nothing reaches, or from which nothing comes, on
    etcd's LAN. `kill`, `stop`: a member of etcd. `expire`, `replace`: whose certificate, a member's or `client`. `sick`: a machine
    and a prefix. `drain`, `restore`: the machine where it is typed, the prefix, and its scope, as vip_mgmt's option and its value.
    `pause` are the seconds before the next step.
    """

    what: str
    on: tuple[str, ...] = ()
    pause: float = 0.0

    @property
    def is_fault(self) -> bool:
        """Whether it breaks something."""
        return self.what in BREAKS or self.what in ONCE

    def __str__(self) -> str:
        return " ".join((self.what, *self.on))


def steps(
    seed: int,
    faults: int,
    machines: Sequence[str],
    places: Sequence[str],
    members: Sequence[str],
    prefixes: Sequence[str],
) -> list[Step]:
    """Return steps with so many faults among them, and a calm after every few and at the end.

    Args:
        seed: what they are made of.
        faults: how many.
        machines: as `par1/lb1`.
        places: whose trunks can be cut.
        members: of etcd.
        prefixes: that all machines announce.
    """
    made = _Made(random.Random(seed), machines, places, members, prefixes)
    found: list[Step] = []
    while faults:
        step = made.next()
        faults -= step.is_fault
        found.append(step)
        if len(found) % CALM == 0 or not faults:
            found.append(made.calm())
    return found


class _Made:
    """What is broken so far, and what may come next."""

    def __init__(
        self,
        chance: random.Random,
        machines: Sequence[str],
        places: Sequence[str],
        members: Sequence[str],
        prefixes: Sequence[str],
    ) -> None:
        self._chance = chance
        self._machines, self._prefixes = machines, prefixes
        self._can: dict[str, list[tuple[str, ...]]] = {
            "cut": [(each,) for each in machines],
            "part": [(each,) for each in places],
            "deaf": [(each,) for each in (*machines, *places)],
            "mute": [(each,) for each in (*machines, *places)],
            "slow": [(each,) for each in places],
            "kill": [(each,) for each in members],
            "stop": [(each,) for each in members],
            "expire": [(each,) for each in (*members, CLIENT)],
            "lone": [(each,) for each in machines],
            "sick": list(itertools.product(machines, prefixes)),
            "crash": [(each,) for each in machines],
            "compact": [()],
            "drop": [()],
            "replace": [(each,) for each in (*members, CLIENT)],
        }
        self._broken: set[tuple[str, tuple[str, ...]]] = set()

    def next(self) -> Step:
        """Return one more step: of five, two break something, one heals, two are an operator's."""
        choice = self._chance.choice(("break", "break", "heal", "operate", "operate"))
        if choice == "heal" and self._broken:
            what, on = self._chance.choice(sorted(self._broken))
            self._broken.discard((what, on))
            return self._step(BREAKS[what], on)
        if choice == "operate":
            return self._operation()
        return self._fault()

    def calm(self) -> Step:
        """Return the step that heals all."""
        self._broken.clear()
        return Step("calm")

    def _fault(self) -> Step:
        what = self._chance.choice((*BREAKS, *ONCE))
        on = self._chance.choice(self._can[what])
        if what in ONCE:
            return self._step(what, on)
        alike = next((kinds for kinds in ALIKE if what in kinds), (what,))
        if any((other, on) in self._broken for other in alike):
            return self._fault()
        self._broken.add((what, on))
        return self._step(what, on)

    def _operation(self) -> Step:
        at, prefix = self._chance.choice(self._machines), self._chance.choice(self._prefixes)
        what = self._chance.choice(("drain", "restore"))
        dcs = sorted({each.partition("/")[0] for each in self._machines})
        scopes = [(), ("--here",), ("--everywhere",), *(("--at", dc) for dc in dcs)]
        return self._step(what, (at, prefix, *self._chance.choice(scopes)))

    def _step(self, what: str, on: tuple[str, ...]) -> Step:
        return Step(what, on, round(self._chance.uniform(0.0, 0.6), 3))
