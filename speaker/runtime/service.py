"""The life of a watchdog that stays: its parts, its configuration, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from policy.wording import count
from speaker import config as configuration
from speaker.config import ConfigError
from speaker.config.fault import Fault
from speaker.control import server as control
from speaker.errors import SpeakerError
from speaker.reconcile.alarms import Alarms
from speaker.reconcile.loaded_file import look_at_file
from speaker.reconcile.loop import run_cycles
from speaker.reconcile.report_ends import run_ends
from speaker.reconcile.windows import run_windows
from speaker.runtime import assemble
from speaker.runtime.listeners import LISTENERS
from speaker.runtime.reloads import ReloadOutcome, Reloads
from speaker.runtime.shortage import Shortage
from speaker.runtime.signals import heeded
from speaker.supervision.cancellation import heed_cancellation
from speaker.supervision.supervisor import PARTING, Part, end, keep
from speaker.supervision.threads import Threads, share_interpreter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
    from pathlib import Path

    from speaker.config.settings import Config, Settings
    from speaker.health.base import HealthSource
    from speaker.reconcile.lock import Lock
    from speaker.reconcile.reconciler import Reconciler
    from speaker.runtime.assemble import Driver
    from speaker.supervision.sentinel import Sentinel

log = logging.getLogger(__name__)

RETRY = 5.0
LOOK_AT_FILE = 5.0
"""How often vip.toml is compared with what was loaded of it, in seconds."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    await asyncio.gather(*(end(task, 2 * PARTING) for task in tasks))


async def _serve_readers(reconciler: Reconciler) -> None:
    read = reconciler.config.settings.read
    access = control.Access(read.mode, read.group, control.READERS, asks_only=True)
    await control.serve(read.path, reconciler, access)


_AT_START = "node.state, control, read… and log take effect at the next start only"
_NOT_YET = f"{_AT_START}: vip.toml has others than are used; restart vip_watchdog"


def _places(settings: Settings) -> tuple[object, ...]:
    return settings.state, settings.control, settings.read, settings.log


class ReconcilerService:
    """A watchdog that runs until it is told to stop.

    A configuration or a state file that can't be read is waited for: ExaBGP gives up, and all
    routes with it, when its process ends a few times.

    Args:
        path: the configuration.
        name: the backend that it must name.
        driver: the daemon's.
        on_shutdown: is awaited at the end.
        parts: what else runs, from before there is a watchdog until after the farewell.
        lock: keeps other runs from the daemon, where there may be any.
        say: is told in words what came of the start: that it runs, or what it waits for.
        loaded: the configuration, where it was loaded just now. It is taken out, so that none is kept but the one in use.
    """

    follows = False
    """Whether it records nothing, and heeds what others record."""

    def __init__(
        self,
        path: Path,
        name: str,
        driver: Driver,
        on_shutdown: Callable[[Reconciler], Awaitable[None]],
        parts: Sequence[Part] = (),
        lock: Lock | None = None,
        say: Callable[[str], object] = lambda _: None,
        loaded: list[Config] | None = None,
    ) -> None:
        self._path, self._name, self._driver = path, name, driver
        self._loaded = loaded or []
        self._on_shutdown = on_shutdown
        self._parts = parts
        self._lock, self._say = lock, say
        self._reloads = Reloads()
        self._complaint = ""
        self._alarms = Alarms()
        self._made = asyncio.Event()
        self._reconciler: Reconciler | None = None
        self._places: tuple[object, ...] = ()  # those that are used

    @property
    def started(self) -> bool:
        """Whether there ever was a watchdog."""
        return self._reconciler is not None

    def _look(self) -> None:
        """Look now."""
        if self._reconciler is not None:
            self._reconciler.wake()

    def wake(self) -> None:
        """Look at the daemon now."""
        if self._reconciler is not None:
            self._reconciler.wake_and_read()

    def still(self) -> float | None:
        """Return for how many seconds nothing has moved, where that is too long; else None."""
        if (reconciler := self._reconciler) is None:
            return None
        return reconciler.pulse.still(
            reconciler.config.settings.interval, len(reconciler.assignments)
        )

    async def run(self, *ends: asyncio.Event, sentinel: Sentinel | None = None) -> bool:
        """Run until SIGTERM, SIGINT, or one of the events. Return whether a signal ended it. HUP takes the configuration again.

        Args:
            ends: events that end it.
            sentinel: watches this process, and sees to its end.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(Shortage(self._alarms).met)
        loop.set_default_executor(Threads())
        share_interpreter()
        stop = asyncio.Event()
        calls = {**dict.fromkeys(SIGNALS, stop.set), signal.SIGHUP: self._reloads.request}
        with heeded(calls) as signals:
            if sentinel is not None:
                sentinel.start()
            own, others = self._keep(self.parts()), self._keep(self._parts)
            waits = [loop.create_task(event.wait()) for event in (stop, *ends)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if sentinel is not None:
                sentinel.ending()
                signals.ignore()  # a second one has nothing to add
            for wait in waits:
                wait.cancel()
            await _end(own)
            await self._shut_down()
            await _end(others)
        return stop.is_set()

    async def _shut_down(self) -> None:
        """Leave the daemon in order, and record what is to be kept."""
        if self._reconciler is None:
            return
        try:
            await self._on_shutdown(self._reconciler)
        except SpeakerError as error:
            log.error("at shutdown: %s", error)  # noqa: TRY400 - it says what to do
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await self._reconciler.record()
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await self._reconciler.source.close()

    def _keep(self, parts: Iterable[Part]) -> list[asyncio.Task[None]]:
        return [
            asyncio.create_task(keep(part, self._alarms.note), name=f"keeper of {part.name}")
            for part in parts
        ]

    def parts(self) -> Sequence[Part]:
        """Return what runs of this, each until it is cancelled."""
        return (
            Part("configuration", self._take_configurations),
            Part("vip.toml", self._with(self._look_at_file)),
            Part("cycles", self._with(run_cycles)),
            Part("windows", self._with(run_windows)),
            Part("reports", self._with(run_ends)),
            Part("control", self._with(self._serve)),
            Part("read", self._with(_serve_readers)),
            *(Part(name, self._with(listen)) for name, listen in LISTENERS.items()),
        )

    def _with(
        self, run: Callable[[Reconciler], Coroutine[Any, Any, object]]
    ) -> Callable[[], Coroutine[Any, Any, object]]:
        """Return a part that begins when there is a watchdog."""

        async def part() -> None:
            await self._made.wait()
            if self._reconciler is not None:
                await run(self._reconciler)

        return part

    async def _take_configurations(self) -> None:
        """Make the watchdog as soon as that is possible, and give it each new configuration."""
        while self._reconciler is None:
            self._reconciler = await asyncio.to_thread(self._make)
            if self._reconciler is None:
                await self._reloads.wait(RETRY)
        reconciler = self._reconciler
        if not self._made.is_set():
            self._places = _places(reconciler.config.settings)
            reconciler.file.used = reconciler.config.settings.paths
            prefixes = count(len(reconciler.assignments), "prefix")
            what = f"dc {reconciler.config.settings.dc.name}, {prefixes}"
            log.warning("started: %s", what)
            self._say(f"runs: {what}")
            self._made.set()
        while True:
            await self._reloads.wait()
            with self._reloads.reading() as outcome:
                await self._take_new(reconciler, outcome)

    async def _serve(self, reconciler: Reconciler) -> None:
        path = reconciler.config.settings.control
        await control.serve(path, reconciler, reload=self._reloads.result)

    async def _look_at_file(self, reconciler: Reconciler) -> None:
        """Say where vip.toml is not what was loaded, before a restart shows it."""
        while True:
            await look_at_file(reconciler.file, reconciler.alarms, self._load)
            await asyncio.sleep(LOOK_AT_FILE)

    def _make(self) -> Reconciler | None:
        """Return a watchdog, or None where something must be fixed first. May take seconds."""
        try:
            config = self._load()
            self._driver.configure(config)
            return assemble.reconciler(
                config,
                self._driver.backend,
                wake=self._look,
                alarms=self._alarms,
                lock=self._lock,
                dry_run=self.follows,
                follow=self.follows,
            )
        except SpeakerError as error:
            self.complain(str(error))
        except Exception as error:
            # Whatever it is, ending would end ExaBGP too.
            log.exception("start failed")
            self.complain(repr(error))
        return None

    def complain(self, text: str) -> None:
        """Say once why there is no watchdog yet."""
        if text != self._complaint:
            log.critical("%s", text)
            log.critical("no routes will change until this is fixed; send SIGHUP to retry now")
            self._complaint = text
            self._say(f"waits: {text}")

    def _load(self) -> Config:
        config = self._loaded.pop() if self._loaded else configuration.load(self._path, os.environ)
        if config.settings.backend != self._name:
            found = f"{config.settings.backend!r}; this vip_watchdog runs {self._name!r}"
            raise ConfigError(self._path, (Fault(("node", "backend"), found),))
        return config

    def _load_with_sources(self, reconciler: Reconciler) -> tuple[Config, HealthSource]:
        config = self._load()
        clock, before = reconciler.clock, reconciler.source
        return config, assemble.sources(config, clock, wake=self._look, before=before)

    async def _take_new(self, reconciler: Reconciler, outcome: ReloadOutcome) -> None:
        """Load the configuration again. A bad one changes nothing."""
        try:
            config, source = await asyncio.to_thread(self._load_with_sources, reconciler)
            await reconciler.configure(config, source, self._driver.configure)
        except Exception as error:
            heed_cancellation()
            outcome.refused(error)
            if isinstance(error, SpeakerError):
                log.critical("%s", error)
            else:  # whatever it is, ending would end ExaBGP too
                log.exception("the configuration could not be applied")
            log.critical("the configuration stays as it was")
            return
        said = f"configuration applied: {count(len(reconciler.assignments), 'prefix')}"
        log.warning("%s", said)
        is_moved = _places(config.settings) != self._places
        self._alarms.note("restart", _NOT_YET if is_moved else "")
        outcome.taken(f"{said}; {_AT_START}" if is_moved else said)
