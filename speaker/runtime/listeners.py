"""What a watchdog that stays listens to beside its sockets, and who wants to see what it does: a table.

What few sites have is imported once vip.toml has it: until then it would only take memory.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

from speaker.health.addresses import AddressEvents
from speaker.health.keepalived.fifo import Fifo
from speaker.runtime import left_running
from speaker.runtime.site import run_site

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

    from speaker.config.settings import Settings
    from speaker.reconcile.notices import Notice
    from speaker.reconcile.reconciler import Reconciler

LOOK = 1.0
"""How often it is looked whether vip.toml has something that it had not, in seconds."""


async def _until(reconciler: Reconciler, has: Callable[[Settings], object]) -> None:
    """Return once vip.toml has something; at once where it has that already, so that nothing is missed."""
    while not has(reconciler.config.settings):  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(LOOK)


async def _metrics(reconciler: Reconciler) -> None:
    """Serve metrics and the status page."""
    await _until(reconciler, lambda settings: settings.metrics.listen)
    from speaker.telemetry import server  # noqa: PLC0415 - of no use before

    await server.serve(reconciler)


async def _textfile(reconciler: Reconciler) -> None:
    """Write metrics into a file."""
    await _until(reconciler, lambda settings: settings.metrics.textfile)
    from speaker.telemetry import textfile  # noqa: PLC0415 - of no use before

    await textfile.keep_writing(reconciler)


async def _hooks(reconciler: Reconciler) -> None:
    """Send what happens to those who want to be told: also what happened since vip.toml had them."""
    early: list[Notice] = []

    def wanted(settings: Settings) -> bool:
        return bool(settings.events.webhook or settings.events.exec)

    def is_wanted() -> bool:
        return wanted(reconciler.config.settings)

    with ExitStack() as stack:
        for listeners in (reconciler.durable.listeners, reconciler.alarms.listeners):
            stack.callback(listeners.add(early.append, is_wanted))
        await _until(reconciler, wanted)
    from speaker.telemetry import hooks  # noqa: PLC0415 - of no use before

    await hooks.run(reconciler, early)  # which listens before anything else can happen


async def _api(reconciler: Reconciler) -> None:
    """Take the reports of applications."""
    await _until(reconciler, lambda settings: settings.api.listen or settings.api.sockets)
    from speaker.control import api_server  # noqa: PLC0415 - of no use before

    await api_server.serve(reconciler)


async def _keepalived(reconciler: Reconciler) -> None:
    """Look whenever keepalived says that something happened."""

    def where() -> Path | None:
        settings = reconciler.config.settings
        is_needed = any(own.source == "ipvs" for own in settings.health.values())
        return settings.keepalived_fifo if is_needed else None

    def note(text: str) -> None:
        reconciler.alarms.note("events", text)

    await Fifo(where, reconciler.wake, note).run()


async def _addresses(reconciler: Reconciler) -> None:
    """Look whenever an address comes or goes, where some VIP's must be here."""

    def wanted() -> bool:
        return any(vip.health.require_address for vip in reconciler.config.topology.vips)

    await AddressEvents(wanted, reconciler.wake).run()


LISTENERS: Mapping[str, Callable[[Reconciler], Coroutine[None, None, None]]] = {
    "keepalived_fifo": _keepalived,
    "addresses": _addresses,
    "metrics": _metrics,
    "api": _api,
    "textfile": _textfile,
    "hooks": _hooks,
    "beside": left_running.watch,
    "site": run_site,
}
"""Each runs for as long as the watchdog. It is started again where it fails, which is an alarm by this name."""
