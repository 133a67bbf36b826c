"""Machines of a site that do what they are ordered, after a while: what `vip_mgmt roll` asks and orders, without a watchdog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.intent import Mode
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
    """The machines of one data centre, and which of them an operator has drained before, of what."""

    def __init__(
        self,
        names: Collection[str],
        prefixes: Collection[str],
        drained: Mapping[str, Collection[str]],
    ) -> None:
        self.names, self._prefixes = [*names], [*prefixes]
        self._drained = {name: {*drained.get(name, ())} for name in names}
        self._shown = {name: {*prefixes} - self._drained[name] for name in names}
        self.silent: set[str] = set()
        self.tells_from = 0.0
        self.obeys, self.comes_back, self.trouble = True, True, ""
        self.connected, self.asked = True, 0
        self.orders: list[SiteOrder] = []
        self.now, self._due = 0.0, 0.0
        self.act: Callable[[], None] = lambda: None

    def announces(self, name: str) -> set[str]:
        """Return what a machine announces once it has done what it was ordered."""
        return {*self._prefixes} - self._drained[name]

    def add(self, name: str) -> None:
        """Have another machine, which announces all."""
        self.names.append(name)
        self.restore(name)

    def withdraw(self, name: str) -> None:
        """Have a machine announce nothing, as an operator has drained it."""
        self._drained[name] = {*self._prefixes}
        self._shown[name] = set()

    def restore(self, name: str) -> None:
        """Have a machine announce all, as an operator has restored it."""
        self._drained[name] = set()
        self._shown[name] = {*self._prefixes}

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def order(self, order: SiteOrder) -> Ordered:
        """See `RolledSite.order`."""
        name = order.extent.removeprefix(MACHINE)
        self.orders.append(order)
        report = SiteReport(
            extent=name,
            here=self.names[0],
            is_here=name == self.names[0],
            committed=not self.trouble,
            trouble=self.trouble,
            machines=(MachineReport(machine=name, obeys=self.obeys, why="its disk is full"),),
        )
        if self.trouble or not self.obeys:
            return Ordered((), report)
        for prefix in map(str, order.prefixes):
            if order.mode is Mode.DRAINING:
                self._drained[name].add(prefix)
            elif self.comes_back:
                self._drained[name].discard(prefix)
        self._due = self.now + TAKES
        self.act()
        return Ordered((), report)

    def site(self, prefixes: Sequence[Prefix] = (), *, whole: bool = False) -> SiteStatus:
        """See `RolledSite.site`."""
        assert (len(prefixes), whole) == (0, True)
        self.asked += 1
        if self.now >= self._due:
            self._shown = {name: self.announces(name) for name in self.names}
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
                            else prefix in self._shown[name],
                        )
                        for name in self.names
                    ),
                )
                for prefix in self._prefixes
            ),
        )
