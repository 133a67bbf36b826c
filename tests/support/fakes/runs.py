"""Several runs of this program at one fake bgpd, in one event loop: a daemon, passes, vip_mgmt."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policy.intent import Intent, Mode
from policy.route import parse_prefix
from speaker import config as configuration
from speaker.api import RecordedIntent
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.reconcile.intents import apply_intent
from speaker.reconcile.lock import FileLock
from speaker.reconcile.loop import run_cycles
from speaker.reconcile.reconciler import Reconciler
from speaker.runtime import bgpd as beside
from speaker.runtime.assemble import configure_bgpd
from speaker.runtime.one_shot import operate
from speaker.state.store import Store
from tests.support.fakes.bgpd import Bgpd
from tests.support.fakes.site import Source
from tests.support.fakes.virtual_time import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from policy.route import Prefix
    from speaker.api import IntentOutcome
    from speaker.backends.quagga.vtysh import Output
    from speaker.config.settings import Config
    from speaker.reconcile.lock import Lock

    Outcomes = Sequence[IntentOutcome | RecordedIntent]

TOML = """
[node]
dc = "par1"
backend = "quagga"
state = "{directory}/state.sqlite3"
[dc.par1]
asn = 64699
[policy]
{policy}
[vip."vip-1.tld"]
addresses = ["192.0.2.1"]
[vip."vip-2.tld"]
addresses = ["192.0.2.2"]
"""
FIRST, SECOND = map(parse_prefix, ("192.0.2.1/32", "192.0.2.2/32"))


class Watched(Bgpd):
    """A bgpd that notes each network line that is entered for a prefix that must not be."""

    def __init__(self) -> None:
        super().__init__("frr-8.4.4")
        self.drained: set[Prefix] = set()
        self.wrongs: list[Prefix] = []

    def _network(self, prefix: Prefix, name: str) -> None:
        if prefix in self.drained:
            self.wrongs.append(prefix)
        super()._network(prefix, name)


@dataclass
class Runs:
    """What runs at one bgpd, and what was promised of it."""

    directory: Path
    gate: Callable[[str, str], Awaitable[None]]
    """Awaited before each vtysh, with who runs it and whether it is to read or to write."""
    bgpd: Watched = field(default_factory=Watched)
    source: Source = field(default_factory=lambda: Source({FIRST: 2, SECOND: 2}))
    policy: str = 'max_withdraw = "100%"'
    daemon: Reconciler | None = None
    stores: list[Store] = field(default_factory=list)
    restoring: Counter[Prefix] = field(default_factory=Counter)
    """How many operators are about to restore each."""

    def __post_init__(self) -> None:
        """Write the configuration."""
        path = self.directory / "vip.toml"
        path.write_text(TOML.format(directory=self.directory, policy=self.policy))
        self.config: Config = configuration.load(path, {})
        self.clock = VirtualClock(asyncio.get_running_loop())

    def reconciler(
        self, who: str, only: Sequence[Prefix] | None = None, lock: Lock | None = None
    ) -> Reconciler:
        """Make a run's watchdog."""

        async def vtysh(commands: Sequence[str]) -> Output:
            await self.gate(who, "write" if "configure terminal" in commands else "read")
            return await self.bgpd(commands)

        backend = QuaggaBackend(vtysh)
        configure_bgpd(backend, self.config)
        store = Store(self.config.settings.state, most_wait=0.1)
        self.stores.append(store)
        return Reconciler(
            self.config, backend, self.source, store, self.clock, only=only, lock=lock
        )

    def start_daemon(self) -> asyncio.Task[None]:
        """Have a daemon run. Its control socket is gone: see `by_socket` for one that is there."""
        lock = FileLock(beside.DAEMONS_PATIENCE, self.config.settings.state)
        self.daemon = self.reconciler("daemon", lock=lock)
        return asyncio.create_task(run_cycles(self.daemon))

    async def run_pass(self) -> bool:
        """Run a pass of cron."""
        return await beside.one_pass(self.config, lambda lock: self.reconciler("pass", lock=lock))

    async def operate(self, prefix: Prefix, mode: Mode, *, by_socket: bool = False) -> bool:
        """Run vip_mgmt. Return whether it exits with 0, and hold bgpd to what that promises."""
        intent = Intent(mode, "alice", self.clock.wall())
        if not intent.restores:
            done = await self._ask(prefix, intent, by_socket=by_socket)
            if done and not self.restoring[prefix]:
                assert prefix not in self.bgpd.networks
                self.bgpd.drained.add(prefix)
            return done
        self.bgpd.drained.discard(prefix)
        self.restoring[prefix] += 1
        try:
            return await self._ask(prefix, intent, by_socket=by_socket)
        finally:
            self.restoring[prefix] -= 1

    async def _ask(self, prefix: Prefix, intent: Intent, *, by_socket: bool) -> bool:
        if by_socket and self.daemon is not None:
            outcomes: Outcomes = await apply_intent(self.daemon, [prefix], intent, dry_run=False)
        else:
            outcomes = await self.operate_alone(prefix, intent)
        return self.is_done(outcomes, intent.mode)

    async def operate_alone(self, prefix: Prefix, intent: Intent) -> Outcomes:
        """Run vip_mgmt where no daemon serves it. Return what it is told."""
        return await operate(
            self.config,
            [prefix],
            intent,
            lambda: self.reconciler("vip_mgmt", [prefix]),
            dry_run=False,
        )

    @staticmethod
    def is_done(outcomes: Outcomes, mode: Mode) -> bool:
        """Tell whether vip_mgmt says of the one prefix that all is as wanted."""
        (outcome,) = outcomes
        if isinstance(outcome, RecordedIntent):
            return False
        return outcome.announced is False if mode is Mode.DRAINED else outcome.as_wanted

    async def end(self, *tasks: asyncio.Task[None]) -> None:
        """End what runs, and close all files."""
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for store in self.stores:
            store.close()
