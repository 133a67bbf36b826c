"""vip_watchdog as the process that ExaBGP spawns: its pipes, and how it ends.

A second ExaBGP may stand beside the first while that restarts, with sessions of its own, from another address. Its
vip_watchdog decides as the first one's does, by the same vip.toml and the same drains. But it writes nothing to the
state file, takes no order, and tells nobody: it answers questions at a socket of its own, and that is all.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from speaker.backends.exabgp.driver import ExabgpBackend
from speaker.backends.exabgp.local_address import is_here
from speaker.backends.exabgp.sessions import Sessions
from speaker.control import server as control
from speaker.reconcile.loop import run_cycles
from speaker.runtime.assemble import Driver, configure_exabgp
from speaker.runtime.listeners import LISTENERS
from speaker.runtime.preload import preload
from speaker.runtime.service import ReconcilerService
from speaker.supervision.sentinel import Sentinel, leave
from speaker.supervision.supervisor import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from speaker.config.settings import Config
    from speaker.errors import SpeakerError
    from speaker.reconcile.reconciler import Reconciler

log = logging.getLogger(__name__)

GONE = (
    "ExaBGP is gone, and vip_watchdog ends with it: nothing is announced here until ExaBGP runs again; "
    "see systemctl status exabgp-vip, and its log"
)
SHUTS_DOWN = (
    "ExaBGP shuts down, and vip_watchdog ends with it: nothing is announced here until ExaBGP runs again. Where nobody "
    "stopped it, its log says why: journalctl -u exabgp-vip"
)
BESIDE_GONE = (
    "the second ExaBGP is gone, and its vip_watchdog ends with it: routes stand by the first one alone; see "
    "systemctl status exabgp-vip-beside, and its log"
)
BESIDE_SHUTS_DOWN = "the second ExaBGP shuts down, and its vip_watchdog ends with it: routes stand by the first one alone"
FAREWELL = 1.5
"""How long a last withdrawal may take, in seconds: ExaBGP 5 kills what has not ended after 2."""


async def run(
    path: Path,
    fault: SpeakerError | None = None,
    loaded: list[Config] | None = None,
    service_of: Callable[..., ReconcilerService] = ReconcilerService,
) -> bool:
    """Speak to ExaBGP until it goes, or tells us to. Return whether there ever was a watchdog.

    It does not end over our own faults: ExaBGP gives up, and all routes with it, when its process ends a
    few times.

    Args:
        path: the configuration.
        fault: of vip.toml, that was found before; it is said at once: ExaBGP may be gone before it is found again.
        loaded: the configuration, where it was loaded just now. See `ReconcilerService`.
        service_of: makes what runs.
    """
    preload()
    stop = asyncio.Event()
    reader, writer = await _pipes(stop)

    def wake() -> None:
        service.wake()

    backend = ExabgpBackend(reader, writer.write, wake=wake, sessions=Sessions(is_here))

    async def on_shutdown(reconciler: Reconciler) -> None:
        """Leave the routes as they are, or withdraw them where that is configured."""
        if reconciler.config.settings.exabgp.withdraw_on_exit and not backend.gone.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await reconciler.withdraw_all()

    service = service_of(
        path,
        "exabgp",
        Driver(backend, partial(configure_exabgp, backend)),
        on_shutdown,
        [Part("exabgp", partial(_listen, backend))],
        loaded=loaded,
    )
    if fault is not None:
        service.complain(str(fault))
    sentinel = Sentinel(service.still, leave, started_again="ExaBGP")
    is_stopped = await service.run(stop, backend.gone, sentinel=sentinel)
    if stop.is_set() or backend.gone.is_set():  # else only this process was told to end
        if is_stopped or backend.gone.told:
            log.warning("%s", BESIDE_SHUTS_DOWN if service.follows else SHUTS_DOWN)
        else:
            log.critical("%s", BESIDE_GONE if service.follows else GONE)
    writer.close()
    return service.started


async def run_beside(
    path: Path, fault: SpeakerError | None = None, loaded: list[Config] | None = None
) -> bool:
    """Do the same for a second ExaBGP. See `run`."""
    return await run(path, fault, loaded, BesideService)


class BesideService(ReconcilerService):
    """What runs beside a second ExaBGP: it heeds what operators want of the first, and records nothing."""

    follows = True

    def parts(self) -> Sequence[Part]:
        """See `ReconcilerService.parts`."""
        return (
            Part("configuration", self._take_configurations),
            Part("cycles", self._with(run_cycles)),
            Part("read", self._with(_serve_beside)),
            Part("addresses", self._with(LISTENERS["addresses"])),
        )


async def _serve_beside(reconciler: Reconciler) -> None:
    settings = reconciler.config.settings
    access = control.Access(
        settings.read.mode, settings.read.group, control.READERS, asks_only=True
    )
    await control.serve(settings.beside, reconciler, access)


async def _listen(backend: ExabgpBackend) -> None:
    """Read what ExaBGP writes; when it is gone, wait for this process to end."""
    await backend.run()
    await asyncio.Event().wait()


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
