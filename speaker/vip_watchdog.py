"""The command vip_watchdog: the process that ExaBGP spawns."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import stat
import sys
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, NoReturn

from speaker import config as configuration
from speaker import control, report
from speaker.backends.exabgp import ExabgpBackend
from speaker.clock import SystemClock
from speaker.config import ConfigError
from speaker.errors import SpeakerError
from speaker.health.sources import sources_for
from speaker.store import Store
from speaker.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from speaker.settings import Config

log = logging.getLogger(__name__)

USAGE = 255
RETRY = 5.0
FAREWELL = 1.5
"""How long a last withdrawal may take, in seconds: ExaBGP 5 kills what has not ended after 2."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{report.WATCHDOG}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _Parser(prog=report.WATCHDOG, description="Withdraws dead VIPs, restores living ones.")
    parser.add_argument("--config", metavar="FILE", help="default: $VIP_CONFIG, else /etc/…")
    path = configuration.find(parser.parse_args(arguments).config, os.environ)
    report.set_up(report.WATCHDOG)
    if not _is_spawned():
        return _by_hand(path)
    return asyncio.run(_Process(path).run())


def _is_spawned() -> bool:
    """Tell whether stdin and stdout are ExaBGP's pipes."""
    return all(
        stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        for mode in (os.fstat(0).st_mode, os.fstat(1).st_mode)
    )


def _by_hand(path: Path) -> int:
    try:
        config = configuration.load(path, os.environ)
    except ConfigError as error:
        log.critical("%s", error)
        return USAGE
    log.critical(
        "backend %s: not run by hand; ExaBGP spawns it: process NAME { run %s; encoder json; }",
        config.settings.backend,
        sys.argv[0],
    )
    return USAGE


class _Process:
    """Our life between ExaBGP's pipes. It ends when ExaBGP says so, and for no fault of ours.

    A configuration or a state file that can't be read is waited for: ExaBGP gives up, and all
    routes with it, when its process ends a few times.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._watchdog: Watchdog | None = None
        self._complaint = ""

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        reader, writer = await _pipes(self._stop)
        backend = ExabgpBackend(reader, writer.write, wake=self._wake)
        async with asyncio.TaskGroup() as tasks:
            work = [
                tasks.create_task(backend.run()),
                tasks.create_task(self._work(backend)),
            ]
            ending = [asyncio.ensure_future(event.wait()) for event in (self._stop, backend.gone)]
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
            work[1].cancel()
            with suppress(asyncio.CancelledError):
                await work[1]
            await self._farewell(backend)
            for task in (*work, *ending):
                task.cancel()
        writer.close()
        return USAGE if self._watchdog is None else 0

    def _wake(self) -> None:
        if self._watchdog is not None:
            self._watchdog.wake_and_read()

    async def _work(self, backend: ExabgpBackend) -> None:
        while (made := self._make(backend)) is None:
            await self._wait_for_reload(RETRY)
        watchdog = self._watchdog = made
        log.warning(
            "started: dc %s, %d prefixes", watchdog.config.settings.dc.name, len(watchdog.duties)
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watchdog.run())
            tasks.create_task(self._serve(watchdog))
            while True:
                await self._wait_for_reload(None)
                await self._take_new(watchdog, backend)

    async def _wait_for_reload(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._reload.wait()
        self._reload.clear()

    def _make(self, backend: ExabgpBackend) -> Watchdog | None:
        """Return a watchdog, or None where something must be mended first."""
        try:
            config = self._load()
            backend.configure(config.settings.dc.asn, config.settings.exabgp)
            source = sources_for(config.topology, config.settings.health)
            return Watchdog(config, backend, source, Store(config.settings.state), SystemClock())
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
        if config.settings.backend != "exabgp":
            raise ConfigError(
                self._path, [f'node.backend: {config.settings.backend!r}; ExaBGP spawns "exabgp"']
            )
        return config

    async def _take_new(self, watchdog: Watchdog, backend: ExabgpBackend) -> None:
        """Take the configuration anew. A bad one changes nothing."""
        try:
            config = self._load()
            await watchdog.configure(config, sources_for(config.topology, config.settings.health))
        except SpeakerError as error:
            log.critical("%s", error)
            log.critical("the configuration stays as it was")
            return
        backend.configure(config.settings.dc.asn, config.settings.exabgp)
        watchdog.wake_and_read()
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

    async def _farewell(self, backend: ExabgpBackend) -> None:
        """Leave the routes as they are, or withdraw them where that is configured."""
        watchdog = self._watchdog
        if watchdog is None or backend.gone.is_set():
            return
        if watchdog.config.settings.exabgp.withdraw_on_exit:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await watchdog.withdraw_all()


async def _pipes(stop: asyncio.Event) -> tuple[asyncio.StreamReader, asyncio.WriteTransport]:
    """Return stdin and what is now the only way to ExaBGP: stdout itself becomes stderr.

    Nothing that prints by mistake can reach ExaBGP then.
    """
    loop = asyncio.get_running_loop()
    to_exabgp = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb", buffering=0)
    )
    transport, _ = await loop.connect_write_pipe(lambda: _Writing(stop), to_exabgp)
    return reader, transport


class _Writing(asyncio.BaseProtocol):
    """Notices when ExaBGP closes its end."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._stop.set()


if __name__ == "__main__":
    sys.exit(main())
