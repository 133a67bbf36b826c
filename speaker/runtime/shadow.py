"""Beside bgpd and what announces VIPs there now: what vip_watchdog would have done, and where the two disagree.

Nothing is written: neither to bgpd, nor to the state file, nor is a socket served.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from policy.plan import Announce, Drift
from policy.wording import count as counted
from speaker import config as configuration
from speaker.backends.dry_run import DryRun
from speaker.clock import SystemClock
from speaker.errors import SpeakerError
from speaker.reconcile.alarms import Alarms
from speaker.reconcile.loop import run_cycles
from speaker.runtime import assemble, bgpd
from speaker.runtime.disagreements import Disagreements
from speaker.runtime.shortage import Shortage
from speaker.runtime.signals import heeded
from speaker.supervision.cancellation import heed_cancellation
from speaker.supervision.supervisor import PARTING, Part, end, keep
from speaker.supervision.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from policy.plan import Change
    from policy.route import Prefix, Route
    from speaker.backends.base import Backend, Reading
    from speaker.config.settings import Config
    from speaker.health.base import HealthSource

log = logging.getLogger(__name__)


class Shadow(DryRun):
    """A dry run that tells, after whatever it was asked, where the daemon is not as decided.

    Args:
        daemon: the driver of the daemon.
        tell: takes what the daemon has and what is wanted, by prefix, where they differ.
    """

    def __init__(
        self, daemon: Backend, tell: Callable[[Mapping[Prefix, tuple[str, str]]], None]
    ) -> None:
        self._daemon = _Remembering(daemon)
        super().__init__(self._daemon)
        self._tell = tell

    async def apply(self, changes: Sequence[Change]) -> Mapping[Prefix, str]:
        """See `Backend.apply`."""
        failures = await super().apply(changes)
        self._compare()
        return failures

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`."""
        reading = await super().read(prefixes)
        self._compare()
        return reading

    def _compare(self) -> None:
        found = self._daemon.routes
        self._tell(
            {
                change.prefix: (_found(found.get(change.prefix)), _wanted(change))
                for change in self.changes
                if found.get(change.prefix)
                != (change.route if isinstance(change, Announce) else None)
            }
        )


class _Remembering:
    """A backend that keeps what it read last."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.routes: Mapping[Prefix, Route | Drift | None] = {}
        self.read_interval = backend.read_interval
        self.apply = backend.apply
        self.until_sent = backend.until_sent
        self.owes_end_of_rib = False  # it sends nothing
        self.end_of_rib = backend.end_of_rib
        self.peers, self.heard = backend.peers, backend.heard
        self.daemon = backend.daemon

    async def read(self, prefixes: Collection[Prefix]) -> Reading:
        """See `Backend.read`."""
        reading = await self._backend.read(prefixes)
        self.routes = reading.routes
        return reading


def _found(seen: Route | Drift | None) -> str:
    match seen:
        case None:
            return "does not announce it"
        case Drift(found):
            return f"has it otherwise: {found}"
        case _:
            return f"announces {seen.described}"


def _wanted(change: Change) -> str:
    if isinstance(change, Announce):
        return f"would announce {change.route.described}"
    return "would delete the route"


# --- the command -------------------------------------------------------------------------------


class _Run:
    """A watchdog over a shadow."""

    def __init__(self, config: Config, alarms: Alarms | None = None) -> None:
        clock = SystemClock()
        self.disagreements = Disagreements(clock, self._reason)
        # vip.toml is for what comes, mostly ExaBGP; what is looked at is the bgpd of now.
        self._driver = assemble.driver(_observed(config), "quagga")
        shadow = Shadow(self._driver.backend, self.disagreements.note)
        self.reconciler = assemble.reconciler(
            config, shadow, clock=clock, alarms=alarms, dry_run=True, follow=True
        )

    def _reason(self, prefix: Prefix) -> str:
        assessment = self.reconciler.assessment
        decision = assessment.decisions.get(prefix) if assessment is not None else None
        return decision.reason if decision is not None else "not in the configuration"

    def sum_up(self) -> None:
        self.disagreements.sum_up(len(self.reconciler.assignments))

    async def take(self, path: Path) -> None:
        """Take another configuration, which is loaded beside the event loop: it may take seconds."""

        def load() -> tuple[Config, HealthSource]:
            config = configuration.load(path, os.environ)
            return config, assemble.sources(config, self.reconciler.clock)

        config, source = await asyncio.to_thread(load)
        await self.reconciler.configure(
            config, source, lambda config: self._driver.configure(_observed(config))
        )


def _observed(config: Config) -> Config:
    """Return a configuration with which the driver gives no neighbour anything, and looks who has what."""
    settings = config.settings
    quagga = replace(settings.quagga, outbound=False)
    return replace(config, settings=replace(settings, quagga=quagga))


def once(config: Config) -> bool:
    """Look once. Return whether bgpd is as it should be.

    Raises:
        SpeakerError: bgpd or the state file can't be read.
    """

    async def look() -> bool:
        run = _Run(config)
        await run.reconciler.observe_and_read()
        await bgpd.complete(run.reconciler)
        run.sum_up()
        return not run.disagreements.open

    return asyncio.run(look())


def stay(path: Path, config: Config) -> None:
    """Stay until SIGTERM or SIGINT, which sum up; HUP sums up too, and loads the configuration again.

    Raises:
        SpeakerError: the state file can't be read.
    """
    asyncio.run(_stay(path, config))


async def _stay(path: Path, config: Config) -> None:
    loop = asyncio.get_running_loop()
    alarms = Alarms()
    loop.set_exception_handler(Shortage(alarms).met)
    loop.set_default_executor(Threads())  # none of them holds up the end
    stop, reload = asyncio.Event(), asyncio.Event()
    calls = {**dict.fromkeys((signal.SIGTERM, signal.SIGINT), stop.set), signal.SIGHUP: reload.set}
    with heeded(calls) as signals:
        comparing = asyncio.create_task(_compare(path, config, reload, alarms), name="shadow")
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({comparing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        signals.ignore()
        stopped.cancel()
        if comparing.done():
            comparing.result()  # it does not return: this raises why it could not begin
        await end(comparing, 2 * PARTING)


async def _compare(path: Path, config: Config, reload: asyncio.Event, alarms: Alarms) -> None:
    """Compare for ever; what ends unexpectedly is an alarm, and is started again."""
    run = await asyncio.to_thread(_Run, config, alarms)
    prefixes = counted(len(run.reconciler.assignments), "prefix")
    log.warning("started: dc %s, %s; nothing is written", config.settings.dc.name, prefixes)
    cycles = Part("cycles", partial(run_cycles, run.reconciler, acts=False))
    keeping = asyncio.create_task(keep(cycles, alarms.note), name="cycles")
    try:
        while True:
            await reload.wait()
            reload.clear()
            run.sum_up()
            await _take(run, path)
    finally:
        run.sum_up()
        await end(keeping)


async def _take(run: _Run, path: Path) -> None:
    """Load the configuration again. A bad one changes nothing."""
    try:
        await run.take(path)
    except Exception as error:
        heed_cancellation()
        if isinstance(error, SpeakerError):
            log.critical("%s", error)
        else:
            log.exception("the configuration could not be applied")
        log.critical("the configuration stays as it was")
        return
    prefixes = counted(len(run.reconciler.assignments), "prefix")
    log.warning("configuration applied: %s", prefixes)
