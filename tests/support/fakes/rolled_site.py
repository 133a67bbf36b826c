"""Machines of a site that do what they are ordered, after a while: what `vip_mgmt roll` asks and orders, without a watchdog."""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from typing import TYPE_CHECKING

from policy.intent import Intent, Mode
from policy.site_intent import Extent, SiteIntent, asked, holding, merged
from policy.site_view import Level
from speaker.site_values import (
    MachineReport,
    MachineState,
    MachineStatus,
    Ordered,
    SitePrefix,
    SiteReport,
    SiteStatus,
)
from speaker.site_words import MACHINE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from policy.route import Prefix
    from speaker.site_values import SiteOrder

TAKES = 2.0
"""How long a machine takes to withdraw or announce, in seconds of its clock."""


class FakeRolledSite:
    """The machines of one data centre, what was asked of each by the rules of `policy.site_intent`, and what an operator drained before."""

    def __init__(
        self,
        names: Collection[str],
        prefixes: Collection[str],
        drained: Mapping[str, Collection[str]],
    ) -> None:
        self.names, self._prefixes = [*names], [*prefixes]
        self._asked: dict[str, tuple[SiteIntent, ...]] = defaultdict(tuple)
        self._ids = map(str, count())
        self._ill: set[tuple[str, str]] = set()
        self.now, self._due = 0.0, 0.0
        for name, some in drained.items():
            for prefix in some:
                self.ask(extent_of(name), prefix, Mode.DRAINED)
        self._show()
        self.silent: set[str] = set()
        self.tells_from = 0.0
        self.obeys, self.obeys_restores, self.comes_back = True, True, True
        self.trouble = ""
        self.connected, self.asked = True, 0
        self.orders: list[SiteOrder] = []
        self.act: Callable[[], None] = lambda: None

    def announces(self, name: str) -> set[str]:
        """Return what a machine announces once it has done what it was ordered."""
        return {p for p in self._prefixes if self._announces(name, p)}

    def _announces(self, name: str, prefix: str) -> bool:
        holds = self.holds(name, prefix)
        return (holds is None or holds.intent.restores) and (name, prefix) not in self._ill

    def lose(self, prefix: str) -> None:
        """Have vip.toml lack a prefix from now on."""
        self._prefixes.remove(prefix)

    def holds(self, name: str, prefix: str) -> SiteIntent | None:
        """Return what a machine obeys of a prefix."""
        return holding(self._asked[prefix], extent_of(name), self.now)

    def ask(self, extent: Extent, prefix: str, mode: Mode) -> SiteIntent:
        """Have an operator ask for something."""
        return self._ask(extent, prefix, Intent(mode, "ann", self.now, "works"), own=False)

    def _ask(self, extent: Extent, prefix: str, intent: Intent, *, own: bool) -> SiteIntent:
        known = self._asked[prefix]
        one = asked(next(self._ids), extent, intent, known, own=own)
        self._asked[prefix] = merged(known, [one])
        self._due = self.now + TAKES
        return one

    def _show(self) -> None:
        self._shown = {
            (name, prefix): (self._announces(name, prefix), self._words(name, prefix))
            for name in self.names
            for prefix in self._prefixes
        }

    def _words(self, name: str, prefix: str) -> str:
        holds = self.holds(name, prefix)
        return "" if holds is None else str(holds.intent)

    def add(self, name: str) -> None:
        """Have another machine, which announces all."""
        self.names.append(name)
        self._show()

    def withdraw(self, name: str) -> None:
        """Have a machine announce nothing, as an operator has drained it."""
        self._ask_all(name, Mode.DRAINED)

    def restore(self, name: str) -> None:
        """Have a machine announce all, as an operator has restored it."""
        self._ask_all(name, Mode.AUTO)

    def _ask_all(self, name: str, mode: Mode) -> None:
        for prefix in self._prefixes:
            self.ask(extent_of(name), prefix, mode)
        self._show()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def order(self, order: SiteOrder) -> Ordered:
        """See `RolledSite.order`."""
        name = order.extent.removeprefix(MACHINE)
        self.orders.append(order)
        obeys = self.obeys and (self.obeys_restores or order.mode is not Mode.AUTO)
        report = SiteReport(
            extent=name,
            here=self.names[0],
            is_here=name == self.names[0],
            committed=not self.trouble,
            trouble=self.trouble,
            machines=(MachineReport(machine=name, obeys=obeys, why="its disk is full"),),
        )
        if self.trouble or not obeys:
            return Ordered((), report)
        for prefix in map(str, order.prefixes):
            if order.mode is Mode.AUTO and not self.comes_back:
                self._ill.add((name, prefix))
            intent = order.intent("root", self.now)
            self._ask(extent_of(name), prefix, intent, own=order.own)
        self.act()
        return Ordered((), report)

    def site(self, prefixes: Sequence[Prefix] = (), *, whole: bool = False) -> SiteStatus:
        """See `RolledSite.site`."""
        assert (len(prefixes), whole) == (0, True)
        self.asked += 1
        if self.now >= self._due:
            self._show()
        return SiteStatus(
            dc="par1",
            machine="lb1",
            connected=self.connected,
            trouble="" if self.connected else "etcd: no answer",
            machines=tuple(
                MachineStatus(
                    dc="par1", machine=name.partition("/")[2], live=name not in self.silent
                )
                for name in self.names
            ),
            prefixes=tuple(
                SitePrefix(
                    vip="vip-1.tld",
                    prefix=prefix,
                    level=Level.WELL,
                    states=tuple(
                        MachineState(
                            machine=name,
                            announced=None
                            if name in self.silent or self.now < self.tells_from
                            else self._shown[name, prefix][0],
                            intent=self._shown[name, prefix][1],
                        )
                        for name in self.names
                    ),
                )
                for prefix in self._prefixes
            ),
        )


def extent_of(name: str) -> Extent:
    """Return a machine as an extent, by its name, such as `par1/lb1`."""
    dc, _, machine = name.partition("/")
    return Extent(dc, machine)
