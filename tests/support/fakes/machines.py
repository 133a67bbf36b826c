"""Load balancers of several data centres in one process: each a real watchdog at a fake ExaBGP, all at one etcd in memory."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.errors import PolicyError
from policy.intent import Intent, Mode
from policy.site_intent import EVERYWHERE, Extent, holding
from speaker import config
from speaker.runtime.site import run_site
from speaker.site.base import EtcdError
from speaker.site.keys import KeyKind, parse_key
from speaker.site.site import WholeSite
from speaker.site.told import ANY, ObeysTold, parse_told
from speaker.state.site_text import parse_site_text
from tests.support.fakes.etcd import Client, Cluster
from tests.support.fakes.exabgp import Daemon, Exabgp
from tests.support.fakes.site import INSIDE, NEIGHBORS, PEER, Life, Source, write_config
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from pathlib import Path

    from policy.route import Prefix
    from policy.site_intent import SiteIntent
    from policy.site_members import SiteOutcome
    from speaker.site.base import Changed

EPOCH = 1_700_000_000.0
"""What all clocks show when the loop's time is nought."""
PREFIX = "/vip-speaker/"
SITE = '[site]\netcd = ["http://127.0.0.1:2379"]\nmachine = "{machine}"\n'
NAMES = ("par1/lb1", "par1/lb2", "lyo1/lb1", "lyo1/lb2")


@dataclass
class Machine:
    """A load balancer, and what a test may turn: its realservers, its way to etcd, its clock."""

    here: Extent
    directory: Path
    exabgp: Exabgp
    source: Source
    clock: VirtualClock
    etcd: Client
    life: Life
    more: str
    linked: asyncio.Task[None] | None = None
    is_killed: bool = False

    @property
    def site(self) -> WholeSite:
        """What it knows of the others."""
        found = self.life.reconciler.site
        assert isinstance(found, WholeSite)
        return found

    @property
    def alarms(self) -> str:
        """What it says is wrong."""
        return "\n".join(self.life.reconciler.alarms.texts)

    def table(self) -> set[str]:
        """Return the prefixes that its router has."""
        return set(self.exabgp.table(PEER))

    def link(self) -> None:
        """Be in touch with the others from now on."""
        self.linked = asyncio.get_running_loop().create_task(
            run_site(self.life.reconciler, lambda _: self._connect())
        )

    def _connect(self) -> Client:
        if self.etcd.closed:
            self.etcd = self.etcd.cluster.client()
        return self.etcd

    async def order(
        self,
        mode: Mode,
        prefixes: Collection[Prefix],
        extent: Extent = EVERYWHERE,
        within: float = 5.0,
    ) -> SiteOutcome:
        """Ask for something, as an operator does here."""
        intent = Intent(mode, "ann", self.clock.wall(), "works")
        return await self.site.order(dict.fromkeys(prefixes, intent), extent, within)

    async def kill(self) -> None:
        """End the watchdog at once: its routes stay, and its lease for a while."""
        self.is_killed = True
        tasks = [self.linked] if self.linked is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.life.kill()
        self.exabgp.stop()


@dataclass
class Machines:
    """All of them."""

    cluster: Cluster
    of: dict[str, Machine]
    audited: int = 0
    """How often a machine's word that it obeys was held against what its router has."""
    untrue: list[str] = field(default_factory=list)
    """What was not so."""

    def audit(self, change: Changed) -> None:
        """Hold a machine's word that it obeys against what its router has, in the moment in which it is stored.

        A prefix of which something else was asked after what it names is not looked at.
        """
        key = parse_key(change.key.removeprefix(PREFIX))
        if key is None or key.kind is not KeyKind.OBEYS or change.value is None:
            return
        told = parse_told(ObeysTold, change.value)
        found = self.of.get(f"{key.extent.dc}/{key.extent.machine}")
        if found is None or found.is_killed:
            return
        asked: dict[Prefix, list[SiteIntent]] = {}
        later: set[Prefix] = set()
        for each in self.cluster.stored(f"{PREFIX}intent/"):
            of = parse_key(each.key.removeprefix(PREFIX))
            assert of is not None
            assert of.prefix is not None
            if of.extent.covers(key.extent):
                with suppress(PolicyError):  # which nobody obeys
                    asked.setdefault(of.prefix, []).extend(parse_site_text(each.value, of.extent))
                if each.modified > told.revision:
                    later.add(of.prefix)
        own = found.life.store.site_known([*asked])
        for prefix, some in own.items():  # what it was asked alone need not be in etcd
            asked[prefix].extend(each for each in some if each.extent == key.extent)
        for prefix, known in asked.items():
            holds = holding(known, key.extent, found.clock.wall())
            is_drained = holds is not None and holds.intent.mode is Mode.DRAINED
            if prefix in later or ANY in told.differs or str(prefix) in told.differs:
                continue
            self.audited += 1
            if is_drained and str(prefix) in found.table():
                self.untrue.append(
                    f"{key.extent} obeys up to {told.revision}, and announces {prefix}"
                )

    async def keep_auditing(self) -> None:
        """Do so with each word, for ever."""
        while True:
            client, since = self.cluster.client(), self.cluster.revision + 1
            with suppress(EtcdError):
                async for changes in client.watch(f"{PREFIX}obeys/", since):
                    for change in changes:
                        self.audit(change)

    def __getitem__(self, name: str) -> Machine:
        return self.of[name]

    @property
    def all(self) -> list[Machine]:
        """Each."""
        return [*self.of.values()]

    async def until(self, what: Callable[[], object], within: float = 60.0) -> float:
        """Wait until something is so. Return how long that took, in seconds of the loop's time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not what():
            assert loop.time() < began + within, "it is not so in time"
            await asyncio.sleep(0.005)
        return loop.time() - began


@asynccontextmanager
async def machine(
    directory: Path,
    cluster: Cluster,
    name: str,
    more: str = "",
    *,
    away: bool = False,
    looked: bool = True,
    keys: str = "",
    other: Callable[[Daemon], None] = lambda _: None,
) -> AsyncIterator[Machine]:
    """Run one load balancer, whose sessions are up and whose realservers are alive.

    Args:
        directory: for its files.
        cluster: etcd.
        name: what it is called, as `par1/lb1`.
        more: what vip.toml has besides.
        away: whether etcd is away at first.
        looked: whether it announces all before it stays, as a pass does.
        keys: what `[site]` has besides.
        other: makes its ExaBGP another one before it starts.
    """
    dc, _, own = name.partition("/")
    folder = directory / f"{dc}-{own}"
    folder.mkdir(exist_ok=True)
    more += SITE.format(machine=own) + keys
    loaded = config.load(write_config(folder, more), {"VIP_DC": dc})
    daemon = Daemon(NEIGHBORS, 5, None)
    other(daemon)
    exabgp = Exabgp(daemon)
    source = Source(dict.fromkeys(loaded.topology.prefixes, 2))
    loop = asyncio.get_running_loop()
    clock = VirtualClock(loop, EPOCH + loop.time())
    life = Life(exabgp, loaded, source, clock, loaded.settings.state)
    for peer in (PEER, INSIDE):
        exabgp.daemon.establish(peer)
    life.listen()
    found = Machine(Extent(dc, own), folder, exabgp, source, clock, cluster.client(), life, more)
    try:
        await asyncio.sleep(0)
        if looked:
            await life.reconciler.cycle()
            await life.reconciler.read_back_if_changed()
        life.watch()
        found.etcd.away = away
        found.link()
        yield found
    finally:
        await found.kill()


@asynccontextmanager
async def machines(
    directory: Path, *names: str, more: str = "", cluster: Cluster | None = None
) -> AsyncIterator[Machines]:
    """Run several, until each knows of all: par1/lb1 and such, four where none is named."""
    cluster = cluster or Cluster()
    names = names or NAMES
    async with AsyncExitStack() as stack:
        found = {
            name: await stack.enter_async_context(machine(directory, cluster, name, more))
            for name in names
        }
        all_of_them = Machines(cluster, found)
        auditing = asyncio.create_task(all_of_them.keep_auditing())

        def know_each_other() -> bool:
            return all(
                each.life.reconciler.site is not None
                and sum(m.live for m in each.site.members()) == len(names)
                and len(cluster.contents(f"{PREFIX}obeys/")) == len(names)
                for each in found.values()
            )

        await all_of_them.until(know_each_other)
        yield all_of_them
        assert not auditing.done()
        auditing.cancel()
        assert not all_of_them.untrue, all_of_them.untrue
