"""A run of random faults and orders against a site in memory, in virtual time: what was done and seen, for the checker."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent
from tests.support.fakes.machines import NAMES, Machine, machine, machines
from tests.support.fakes.site import SECOND, V4
from tests.support.site_history import (
    HealthChange,
    Hindrance,
    Operation,
    SeenRoute,
    SiteHistory,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from policy.route import Prefix
    from tests.support.fakes.etcd import Copy
    from tests.support.fakes.machines import Machines

VIPS = (V4, SECOND)
LOOK, CALM, HEALED = 0.02, 60.0, 120.0
"""Seconds of virtual time: how often the router's view is looked at, how long a calm is, and how long it may take to heal."""
ETCD_FAULTS = ("well", "away", "hangs", "deaf", "slow", "late", "refused", "lost", "held", "breaks")
CLUSTER_FAULTS = ("compact", "leases", "keep", "restore", "leader", "full", "room")


class RunStep(NamedTuple):
    """What happens, where, to what; and how long until the next step, in seconds."""

    what: str
    at: int
    number: int
    pause: float


class SiteRun:
    """One run. `steps` are taken by `play`; a machine that was killed is another one afterwards."""

    def __init__(self, directory: Path, site: Machines, stack: AsyncExitStack) -> None:
        self._directory, self._site, self._stack = directory, site, stack
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._operations: dict[int, Operation] = {}
        self._orders: dict[int, tuple[str, asyncio.Task[None]]] = {}
        self._seen: list[SeenRoute] = []
        self._health = [
            HealthChange(self._began, each.here, vip, up=True) for each in site.all for vip in VIPS
        ]
        self._hindrances: list[Hindrance] = []
        self._away: dict[str, float] = {}
        self._announced: dict[tuple[str, Prefix], bool] = {}
        self._copies: list[Copy] = [site.cluster.copy()]
        self._down: set[str] = set()

    async def play(self, steps: Sequence[RunStep]) -> SiteHistory:
        """Take all steps, then heal all. Return what was recorded; the site is at rest."""
        looking = self._loop.create_task(self._look_for_ever())
        try:
            for step in steps:
                await self._take(step, NAMES[step.at])
                await asyncio.sleep(step.pause)
            await self._heal()
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        return self._recorded()

    async def _take(self, step: RunStep, name: str) -> None:
        match step.what:
            case "drain" | "restore":
                self._order(step, name)
            case "crash":
                await self._crash(name)
            case "sick" | "well again":
                self._turn(name, VIPS[step.number % 2], up=step.what == "well again")
            case "clock":
                self._site[name].clock.jump((60.0, -60.0, 5.0)[step.number % 3])
            case "etcd":
                self._hinder(name, ETCD_FAULTS[step.number % len(ETCD_FAULTS)])
            case "cluster":
                self._turn_cluster(CLUSTER_FAULTS[step.number % len(CLUSTER_FAULTS)], step.number)

    # --- operators ---------------------------------------------------------------------------

    def _order(self, step: RunStep, name: str) -> None:
        one = self._site[name]
        extents = (Extent(one.here.dc), one.here, EVERYWHERE, Extent("par1"), Extent("lyo1"))
        number, drains = len(self._operations), step.what == "drain"
        vips = frozenset(VIPS[: 1 + step.number % 2])
        extent = extents[step.number // 2 % len(extents)]
        self._operations[number] = Operation(
            number, drains, vips, extent, one.here, self._loop.time()
        )
        task = self._loop.create_task(self._carry_out(self._operations[number], one))
        self._orders[number] = name, task

    async def _carry_out(self, op: Operation, one: Machine) -> None:
        mode = Mode.DRAINED if op.drains else Mode.AUTO
        intent = Intent(mode, "ann", one.clock.wall(), f"operation {op.number}")
        done = await one.site.order(dict.fromkeys(op.prefixes, intent), op.extent, 2.0)
        confirmed = frozenset(Extent(m.dc, m.machine) for m in done.members if m.obeys)
        status = 0 if done.complete else 1
        self._operations[op.number] = replace(
            op, returned=self._loop.time(), status=status, confirmed=confirmed
        )

    # --- faults ------------------------------------------------------------------------------

    async def _crash(self, name: str) -> None:
        """End a watchdog with its ExaBGP in the middle of whatever it does, and begin another one."""
        began, one = self._loop.time(), self._site[name]
        for at, task in self._orders.values():
            if at == name and not task.done():
                task.cancel()
        self._down.add(name)
        self._look()
        await one.kill()
        await asyncio.sleep(1.0)
        found = await self._stack.enter_async_context(
            machine(self._directory, self._site.cluster, name)
        )
        found.source.live.update(one.source.live)
        self._site.of[name] = found
        self._down.discard(name)
        self._end_away(name)
        self._hindrances.append(Hindrance(frozenset({one.here}), began, self._loop.time(), "down"))

    def _turn(self, name: str, vip: Prefix, *, up: bool) -> None:
        one = self._site[name]
        one.source.live[vip] = 2 if up else 0
        one.life.reconciler.wake()
        self._health.append(HealthChange(self._loop.time(), one.here, vip, up))

    def _hinder(self, name: str, fault: str) -> None:
        client = self._site[name].etcd
        client.away = client.hangs = client.deaf = False
        client.slow = client.late = client.held = 0.0
        client.lost, client.refused = 0, ""
        self._end_away(name)
        match fault:
            case "away":
                client.away = True
                self._away[name] = self._loop.time() + 3.0  # what was under way may still be done
            case "hangs":
                client.hangs = True
            case "deaf":
                client.deaf = True
            case "slow":
                client.slow = 0.8
            case "late":
                client.late = 1.5
            case "refused":
                client.refused = "etcdserver: permission denied"
            case "lost":
                client.lost = 3
            case "held":
                client.held = 1.0
            case "breaks":
                client.break_watches()

    def _end_away(self, name: str) -> None:
        if name in self._away:
            who = frozenset({self._site[name].here})
            self._hindrances.append(Hindrance(who, self._away.pop(name), self._loop.time(), "cut"))

    def _turn_cluster(self, fault: str, number: int) -> None:
        cluster = self._site.cluster
        match fault:
            case "compact":
                cluster.compact()
            case "leases":
                cluster.end_leases()
            case "keep":
                self._copies.append(cluster.copy())
            case "restore":
                old = self._copies[number % len(self._copies)]
                cluster.restore(old, new_identity=number % 2 == 0)
            case "leader":
                cluster.new_leader()
            case "full" | "room":
                cluster.full = fault == "full"

    async def _heal(self) -> None:
        """Have all be well, and wait until each has heard all, and a while longer."""
        self._site.cluster.full = False
        for name, one in self._site.of.items():
            self._hinder(name, "well")
            for vip in VIPS:
                if one.source.live[vip] != 2:
                    self._turn(name, vip, up=True)
        orders = [task for _, task in self._orders.values()]
        await asyncio.gather(*orders, return_exceptions=True)
        failed = [task.exception() for task in orders if not task.cancelled()]
        assert not any(failed), failed
        await self._site.until(
            lambda: all(each.site.connected and not each.site.queued for each in self._site.all),
            HEALED,
        )
        await asyncio.sleep(CALM)

    # --- what is seen ------------------------------------------------------------------------

    async def _look_for_ever(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(LOOK)

    def _look(self) -> None:
        """Note what the router has that has not been noted; by a machine that is down it has nothing."""
        for name, one in self._site.of.items():
            table = set[str]() if name in self._down else one.table()
            for vip in VIPS:
                has = str(vip) in table
                if has != self._announced.get((name, vip), False):
                    self._announced[name, vip] = has
                    self._seen.append(SeenRoute(self._loop.time(), one.here, vip, has))

    def _recorded(self) -> SiteHistory:
        drained = {}
        for each in self._site.all:
            intents = each.life.store.intents().of
            for vip in VIPS:
                intent = intents.get(vip)
                drained[each.here, vip] = intent is not None and not intent.restores
        return SiteHistory(
            machines=frozenset(each.here for each in self._site.all),
            prefixes=frozenset(VIPS),
            ended=self._loop.time(),
            operations=tuple(self._operations.values()),
            seen=tuple(self._seen),
            health=tuple(self._health),
            hindrances=tuple(self._hindrances),
            drained=drained,
        )


@asynccontextmanager
async def site_run(directory: Path) -> AsyncIterator[SiteRun]:
    """Run two data centres of two load balancers each."""
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(machines(directory))
        yield SiteRun(directory, site, stack)
