"""A site in one process: a fake ExaBGP, realservers as numbers, and a real watchdog between them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from policy.connections import ConnectionCount, Counted
from policy.health import Observation, Service
from policy.route import Asn, parse_prefix
from policy.wanted import WantedRoutes
from speaker import config
from speaker.backends.exabgp.driver import ExabgpBackend
from speaker.backends.exabgp.neighbors import ConfiguredNeighbor
from speaker.clock import SystemClock
from speaker.reconcile.loop import run_cycles
from speaker.reconcile.reconciler import Reconciler
from speaker.state.store import Store
from speaker.state.waits import BUSY
from tests.support.fakes.exabgp import Daemon, Dialect, Exabgp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from policy.route import Prefix
    from speaker.clock import Clock
    from speaker.config.settings import Config
    from tests.support.fakes.exabgp import Given

WEB = Service("tcp", 80)
PEER = "203.0.113.11"
INSIDE = "2001:db8:ffff::11"
NEIGHBORS = (
    ConfiguredNeighbor(
        IPv4Address(PEER),
        IPv4Address("203.0.113.2"),
        Asn(64699),
        Asn(64496),
        frozenset({4, 6}),
        frozenset({"speaker"}),
        told=frozenset({"speaker"}),
    ),
    ConfiguredNeighbor(
        IPv6Address(INSIDE),
        IPv6Address("2001:db8:ffff::2"),
        Asn(64511),
        Asn(64511),
        frozenset({4, 6}),
        frozenset({"speaker"}),
    ),
)
TOML = """
[node]
dc = "par1"
state = "{directory}/state.sqlite3"
control = "{directory}/control.sock"
[dc.par1]
asn = 64699
[dc.lyo1]
asn = 64699
[backend.exabgp]
next_hop = {{ ipv4 = "203.0.113.2", ipv6 = "2001:db8:ffff::2" }}
[vip."vip-1.tld"]
addresses = ["192.0.2.1", "2001:db8::1"]
[vip."vip-2.tld"]
addresses = ["192.0.2.2"]
"""
V4, V6, SECOND = map(parse_prefix, ("192.0.2.1/32", "2001:db8::1/128", "192.0.2.2/32"))


@dataclass
class Source:
    """Live realservers as a test sets them. None is unknown."""

    live: dict[Prefix, int | None] = field(default_factory=dict)
    looks: int = 0
    counts: dict[int, dict[Service, int]] = field(default_factory=dict)
    """What is told of a number: the same object, as of what stays the same."""

    async def observe(self) -> Observation:
        """See `HealthSource.observe`."""
        self.looks += 1
        known = {
            prefix: self.counts.setdefault(count, {WEB: count})
            for prefix, count in self.live.items()
            if count is not None
        }
        return Observation(known, "unreadable")

    async def close(self) -> None:
        """See `HealthSource.close`."""


@dataclass
class Connections:
    """Connections as a test sets them. None is unknown."""

    active: dict[Prefix, int | None] = field(default_factory=dict)
    counts: int = 0
    takes: float = 0.0
    """How long a count takes, in seconds."""

    async def count(self) -> Counted:
        """See `Counter.count`."""
        self.counts += 1
        await asyncio.sleep(self.takes)
        known = {p: ConnectionCount(n, 7) for p, n in self.active.items() if n is not None}
        return Counted(0.0, known, "IPVS: unreadable")


class Life:
    """A watchdog from when a fake ExaBGP spawns it until it is killed."""

    def __init__(
        self,
        exabgp: Exabgp,
        loaded: Config,
        source: Source,
        clock: Clock,
        state: Path,
        connections: Connections | None = None,
    ) -> None:
        """Have it spawned; nothing of it runs yet."""
        reader = exabgp.spawn()
        self._alive = True

        def write(data: bytes) -> None:
            if self._alive and reader is exabgp.reader:
                exabgp.write(data)

        self.backend = ExabgpBackend(reader, write, wake=self._wake)
        self.configure(loaded)
        # In virtual time, real time that is waited for a held file passes for nothing.
        self.store = Store(state, most_wait=BUSY if isinstance(clock, SystemClock) else 0.1)
        counter = connections or Connections()
        self.reconciler = Reconciler(
            loaded, self.backend, source, self.store, clock, counter=lambda _: counter
        )
        self.tasks: list[asyncio.Task[None]] = []

    def configure(self, loaded: Config) -> None:
        """Give the driver its part of a configuration."""
        wanted = WantedRoutes(loaded.topology, loaded.settings.dc)
        self.backend.configure(loaded.settings.dc.asn, loaded.settings.exabgp, wanted)

    def _wake(self) -> None:
        if self._alive:
            self.reconciler.wake_and_read()

    def listen(self) -> None:
        """Read what ExaBGP says from now on."""
        self.tasks.append(asyncio.get_running_loop().create_task(self.backend.run()))

    def watch(self) -> None:
        """Run cycles from now on."""
        self.tasks.append(asyncio.get_running_loop().create_task(run_cycles(self.reconciler)))

    async def kill(self) -> None:
        """End it at once: it says no word more."""
        self._alive = False
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.store.close()


@dataclass
class Site:
    """What runs, and what a test may turn."""

    directory: Path
    exabgp: Exabgp
    source: Source
    life: Life

    @property
    def reconciler(self) -> Reconciler:
        """The one that runs."""
        return self.life.reconciler

    @property
    def store(self) -> Store:
        """What outlives it."""
        return self.life.store

    @property
    def control(self) -> Path:
        """Where the control socket belongs."""
        return self.directory / "control.sock"

    def table(self, peer: str = PEER) -> set[str]:
        """Return the prefixes that a peer has."""
        return set(self.exabgp.table(peer))


def write_config(directory: Path, more: str = "", *, marks: bool = False) -> Path:
    """Write the site's vip.toml; with marks, 64699:1 is par1's, and 64699:2 lyo1's."""
    path = directory / "vip.toml"
    text = TOML.format(directory=directory)
    if marks:
        for name, mark in (("par1", "64699:1"), ("lyo1", "64699:2")):
            text = text.replace(f"[dc.{name}]\n", f'[dc.{name}]\nmark = "{mark}"\n')
    path.write_text(text + more)
    path.chmod(0o644)  # as it is installed, whatever the umask: root obeys no other
    return path


@asynccontextmanager
async def running(
    directory: Path,
    *,
    more: str = "",
    dialect: Dialect = 5,
    static: Mapping[Prefix, Given] | None = None,
    clock: Clock | None = None,
    cycles: bool = True,
    other: Callable[[Daemon], None] = lambda _: None,
    marks: bool = False,
) -> AsyncIterator[Site]:
    """Run a site whose sessions are up and whose realservers are alive.

    Args:
        directory: for its files.
        more: what vip.toml has besides.
        dialect: of the fake ExaBGP.
        static: routes of ExaBGP's own configuration.
        clock: the time, where it is not the machine's.
        cycles: whether the watchdog looks by itself; else only when it is told to.
        other: makes the ExaBGP another one before it starts.
        marks: whether data centres have marks.
    """
    daemon = Daemon(NEIGHBORS, dialect, static)
    other(daemon)
    exabgp = Exabgp(daemon)
    loaded = config.load(write_config(directory, more, marks=marks), {})
    source = Source(dict.fromkeys(loaded.topology.prefixes, 2))
    life = Life(exabgp, loaded, source, clock or SystemClock(), loaded.settings.state)
    for peer in (PEER, INSIDE):
        exabgp.daemon.establish(peer)
    life.listen()
    try:
        await asyncio.sleep(0)
        await life.reconciler.cycle()
        await life.reconciler.read_back_if_changed()
        if cycles:
            life.watch()
        yield Site(directory, exabgp, source, life)
    finally:
        await life.kill()
        exabgp.stop()
