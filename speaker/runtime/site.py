"""Keeps a watchdog in touch with its site, as vip.toml has it now. Without `[site]` nothing of that is imported."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from speaker.supervision.supervisor import PARTING, end_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.config.settings_site import SiteSettings
    from speaker.reconcile.reconciler import Reconciler
    from speaker.site.base import Etcd
    from speaker.site.site import WholeSite

log = logging.getLogger(__name__)

LEAVE = 1.0
"""How long etcd may take to forget a machine that has another name from now on, in seconds."""
LOOK = 0.5
"""How often it is looked whether vip.toml has another site, and what is wrong, in seconds."""


def connect(settings: SiteSettings) -> Etcd:
    """Return a client of the cluster."""
    from speaker.site.etcd.client import EtcdClient  # noqa: PLC0415 - of no use without [site]

    return EtcdClient(settings)


async def run_site(
    reconciler: Reconciler, connect: Callable[[SiteSettings], Etcd] = connect
) -> None:
    """Be in touch with the site that vip.toml has, for ever.

    Args:
        reconciler: the watchdog.
        connect: makes a client.
    """
    while True:
        if reconciler.config.settings.site is None:
            await asyncio.sleep(LOOK)
            continue
        await _one_site(reconciler, reconciler.config.settings.site, connect)


async def _one_site(
    reconciler: Reconciler, settings: SiteSettings, connect: Callable[[SiteSettings], Etcd]
) -> None:
    """Be in touch until vip.toml has another site, or this machine is of another data centre."""
    from speaker.site.alarms import MEMBERS, SITE  # noqa: PLC0415 - of no use without [site]
    from speaker.site.site import WholeSite  # noqa: PLC0415 - as above

    etcd = connect(settings)
    site = WholeSite(reconciler, settings, etcd)
    dc = reconciler.config.settings.dc.name
    running = asyncio.create_task(site.run(), name="site")
    saying = asyncio.create_task(_say(reconciler, site), name="alarms of the site")
    reconciler.site = site
    reconciler.ask_leave(site.leave)
    try:
        while (
            reconciler.config.settings.site == settings and reconciler.config.settings.dc.name == dc
        ):
            done, _ = await asyncio.wait(
                {running, saying}, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        await site.depart(LEAVE)
    finally:
        reconciler.site = None
        reconciler.ask_leave(None)
        await end_all((saying, running))
        for subject in (SITE, MEMBERS):
            reconciler.alarms.note(subject, "")
        try:
            async with asyncio.timeout(PARTING):
                await etcd.close()
        except TimeoutError:  # which must not hide what ended it
            log.warning("site: connections to etcd do not close in %g s; left behind", PARTING)


async def _say(reconciler: Reconciler, site: WholeSite) -> None:
    """Say what is wrong, for ever."""
    from speaker.site.alarms import MEMBERS, SiteAlarms  # noqa: PLC0415 - of no use without [site]

    alarms = SiteAlarms(site)
    while True:
        clock = reconciler.clock
        wall = clock.wall()
        for subject, text in alarms.texts(clock.steady(), wall).items():
            over = alarms.over(wall) if subject == MEMBERS else "recovered"
            reconciler.alarms.note(subject, text, over=over)
        await asyncio.sleep(LOOK)
