"""What a watchdog that stays listens to beside its sockets, and who wants to see what it does: a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.control import api_server
from speaker.health.addresses import AddressEvents
from speaker.health.keepalived.fifo import Fifo
from speaker.runtime import left_running
from speaker.runtime.site import run_site
from speaker.telemetry import hooks, server, textfile

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from pathlib import Path

    from speaker.reconcile.reconciler import Reconciler


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
    "metrics": server.serve,
    "api": api_server.serve,
    "textfile": textfile.keep_writing,
    "hooks": hooks.run,
    "beside": left_running.watch,
    "site": run_site,
}
"""Each runs for as long as the watchdog. It is started again where it fails, which is an alarm by this name."""
