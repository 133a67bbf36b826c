"""The life of a watchdog that stays: its configuration, its control socket, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from speaker import config as configuration
from speaker import control
from speaker.clock import SystemClock
from speaker.config import ConfigError
from speaker.errors import SpeakerError
from speaker.health.addresses import AddressEvents
from speaker.health.fifo import Fifo
from speaker.health.sources import sources_for
from speaker.store import Store
from speaker.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from speaker.backends.base import Backend
    from speaker.clock import Clock
    from speaker.health.base import HealthSource
    from speaker.settings import Config

log = logging.getLogger(__name__)

RETRY = 5.0


async def _listen(watchdog: Watchdog) -> None:
    """Look whenever keepalived says that something happened."""

    def where() -> Path | None:
        settings = watchdog.config.settings
        is_needed = any(own.source == "ipvs" for own in settings.health.values())
        return settings.keepalived_fifo if is_needed else None

    def note(text: str) -> None:
        watchdog.troubles.note("events", text)

    await Fifo(where, watchdog.wake, note).run()


async def _listen_for_addresses(watchdog: Watchdog) -> None:
    """Look whenever an address comes or goes, where some VIP's must be here."""

    def wanted() -> bool:
        return any(vip.health.require_address for vip in watchdog.config.topology.vips)

    await AddressEvents(wanted, watchdog.wake).run()


class Service:
    """A watchdog that runs until it is told to stop.

    A configuration or a state file that can't be read is waited for: ExaBGP gives up, and all
    routes with it, when its process ends a few times.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        backend: Backend,
        configure: Callable[[Config], None],
        farewell: Callable[[Watchdog], Awaitable[None]],
    ) -> None:
        """Start nothing yet.

        Args:
            path: the configuration.
            name: the backend that it must name.
            backend: the driver.
            configure: gives the driver its part of a configuration.
            farewell: is awaited at the end.
        """
        self._path = path
        self._name = name
        self._backend = backend
        self._configure = configure
        self._farewell = farewell
        self._reload = asyncio.Event()
        self._complaint = ""
        self._watchdog: Watchdog | None = None

    @property
    def started(self) -> bool:
        """Whether there ever was a watchdog."""
        return self._watchdog is not None

    def _look(self) -> None:
        """Look now."""
        if self._watchdog is not None:
            self._watchdog.wake()

    def _sources(self, config: Config, clock: Clock) -> HealthSource:
        return sources_for(config.topology, config.settings.health, clock, wake=self._look)

    def wake(self) -> None:
        """Look at the daemon now."""
        if self._watchdog is not None:
            self._watchdog.wake_and_read()

    async def run(self, *ends: asyncio.Event) -> None:
        """Run until SIGTERM, SIGINT, or one of the events. HUP takes the configuration anew."""
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        work = asyncio.create_task(self._work())
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, *ends)]
        await asyncio.wait([work, *waits], return_when=asyncio.FIRST_COMPLETED)
        for task in (work, *waits):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await work
        if self._watchdog is not None:
            await self._farewell(self._watchdog)

    async def _work(self) -> None:
        while (made := self._make()) is None:
            await self._wait_for_reload(RETRY)
        watchdog = self._watchdog = made
        log.warning(
            "started: dc %s, %d prefixes", watchdog.config.settings.dc.name, len(watchdog.duties)
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watchdog.run())
            tasks.create_task(self._serve(watchdog))
            tasks.create_task(_listen(watchdog))
            tasks.create_task(_listen_for_addresses(watchdog))
            while True:
                await self._wait_for_reload(None)
                await self._take_new(watchdog)

    async def _wait_for_reload(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._reload.wait()
        self._reload.clear()

    def _make(self) -> Watchdog | None:
        """Return a watchdog, or None where something must be mended first."""
        try:
            config = self._load()
            self._configure(config)
            clock = SystemClock()
            source = self._sources(config, clock)
            store = Store(config.settings.state)
            return Watchdog(config, self._backend, source, store, clock)
        except SpeakerError as error:
            self._complain(str(error))
        except Exception as error:
            # Whatever it is, ending would end ExaBGP too.
            log.exception("start failed")
            self._complain(repr(error))
        return None

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            log.critical("%s", text)
            log.critical("nothing is announced or withdrawn until this is mended; HUP: look now")
            self._complaint = text

    def _load(self) -> Config:
        config = configuration.load(self._path, os.environ)
        if config.settings.backend != self._name:
            raise ConfigError(
                self._path,
                [
                    f"node.backend: {config.settings.backend!r}; this vip_watchdog runs {self._name!r}"
                ],
            )
        return config

    async def _take_new(self, watchdog: Watchdog) -> None:
        """Take the configuration anew. A bad one changes nothing."""
        try:
            old, config = watchdog.config, self._load()
            source = self._sources(config, watchdog.clock)
            await watchdog.configure(config, source, self._configure)
        except Exception as error:
            if isinstance(error, SpeakerError):
                log.critical("%s", error)
            else:  # whatever it is, ending would end ExaBGP too
                log.exception("the configuration could not be taken")
            log.critical("the configuration stays as it was")
            return
        before, after = old.settings, config.settings
        if (before.state, before.control) != (after.state, after.control):
            log.critical("node.state and node.control take effect at the next start only")
        log.warning("configuration taken: %d prefixes", len(watchdog.duties))

    async def _serve(self, watchdog: Watchdog) -> None:
        """Serve the control socket, as soon as that is possible."""
        while True:
            try:
                async with AsyncExitStack() as stack:
                    await stack.enter_async_context(
                        control.serving(watchdog.config.settings.control, watchdog)
                    )
                    await asyncio.Event().wait()
            except SpeakerError as error:
                log.critical("%s; trying again, and vip_mgmt can't reach this watchdog", error)
            except Exception:
                log.exception("control: failed; trying again")
            await asyncio.sleep(RETRY)
