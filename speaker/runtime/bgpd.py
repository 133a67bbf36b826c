"""Beside Quagga's or FRR's bgpd: a pass for cron, and the daemon."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from speaker.backends.quagga.vtysh import NotRunningError
from speaker.errors import SpeakerError
from speaker.health.keepalived import process as keepalived
from speaker.reconcile import status as states
from speaker.reconcile.lock import FileLock, Kept
from speaker.reconcile.reach import NO_SESSION
from speaker.reconcile.report_ends import note_ends
from speaker.reconcile.windows import run_due
from speaker.runtime.assemble import Driver, beside, driver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from speaker.api import Status
    from speaker.config.settings import Config
    from speaker.reconcile.lock import Lock
    from speaker.reconcile.reconciler import Reconciler

log = logging.getLogger(__name__)

PATIENCE, DAEMONS_PATIENCE = 30.0, 5.0
"""Seconds to wait for another of our processes to release the lock. The daemon tries again."""


class NotBegunError(SpeakerError):
    """A pass could not begin, so nothing was changed. In the shell toolkit's words, where it had any."""


# --- the pass and the daemon -------------------------------------------------------------------


def run_pass(config: Config) -> bool:
    """Run one pass over all VIPs, for cron. Return whether all is as decided.

    Raises:
        NotBegunError: neither root nor the state directory's owner, keepalived does not run, or bgpd, the state file or the turn of
            another run stands against it.
        SpeakerError: the state file can't be used any more.
    """
    if not _may_run(config):
        raise NotBegunError("Only run as root !")
    if _needs_keepalived(config) and not keepalived.is_running():
        raise NotBegunError("fatal error : keepalived not running !")
    return asyncio.run(one_pass(config, partial(beside, config)))


def _may_run(config: Config) -> bool:
    """Tell whether this is root, or the user whose directory has the state file: a user of its own."""
    user = os.geteuid()
    try:
        return user in {0, config.settings.state.parent.stat().st_uid}
    except OSError:
        return user == 0


def _needs_keepalived(config: Config) -> bool:
    return any(vip.health.checker.required for vip in config.topology.vips)


async def one_pass(config: Config, make: Callable[[Lock], Reconciler]) -> bool:
    """Do what a pass does, all but waiting under the lock. See `run_pass`.

    Args:
        config: the configuration.
        make: makes a watchdog that uses a lock, once that is held.
    """
    lock = Kept(FileLock(PATIENCE, config.settings.state))
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(lock)
            reconciler = make(lock)
            await run_due(reconciler, say=False)  # each pass would say it
            await reconciler.observe_and_read()
        except NotRunningError as error:
            raise NotBegunError("fatal error : quagga/bgpd not running !") from error
        except SpeakerError as error:
            raise NotBegunError(str(error)) from error
        await reconciler.drains.look(reconciler.assessment, reconciler.view, wait=True)
        await complete(reconciler, lock.rest)
    if config.settings.metrics.textfile is not None:
        from speaker.telemetry import textfile  # noqa: PLC0415 - most passes write none

        textfile.write_now(reconciler)
    return _say_what_is_left(states.status(reconciler))


def _say_what_is_left(status: Status) -> bool:
    """Say what is not as decided, in cron's mail. Return whether nothing is.

    That a prefix waits for a session is not its own fault: that is said once, for all of them. That
    intents are unknown was said: one that is announced for which nothing else is wrong is not reported.
    """
    all_left = [route for route in status.routes if not route.as_wanted]
    left = [
        route
        for route in all_left
        if route.intent != states.UNKNOWN or not route.held or route.lack
    ]
    waiting = [route.held and route.lack == NO_SESSION for route in left]
    if any(waiting):
        for text in status.sessions:
            log.error("%s", text)
    for route, waits in zip(left, waiting, strict=True):
        if not waits:
            log.error("%s: not as decided: %s", route.prefix, route.full_reason)
    return not all_left


async def complete(
    reconciler: Reconciler, rest: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Act on what was looked at, until nothing is left to do, and read back.

    Args:
        reconciler: has looked.
        rest: waits for that many seconds, and lets others work meanwhile.

    Raises:
        LockError: others did not end.
    """
    started = reconciler.clock.steady()
    await reconciler.act()
    # A pass remembers none of the last one's doubts: what the guard holds is waited for.
    while (when := reconciler.held_until) is not None:
        await reconciler.record()
        await rest(max(when - reconciler.clock.steady(), 0.01))
        await reconciler.cycle()
    if reconciler.view.changed:
        await reconciler.backend.until_sent(reconciler.view.changed)
    await reconciler.read_back_if_changed()
    reconciler.meter.completed(started)
    await note_ends(reconciler)
    await reconciler.record()


def stay(path: Path, loaded: list[Config]) -> bool:
    """Stay and watch. Return whether there ever was a watchdog.

    Args:
        path: the configuration.
        loaded: the same, loaded. See `ReconcilerService`.
    """
    from speaker.runtime.preload import preload  # noqa: PLC0415 - of no use to a pass
    from speaker.runtime.service import ReconcilerService  # noqa: PLC0415 - its HTTP takes longer than a pass
    from speaker.supervision.manager import Manager  # noqa: PLC0415 - of no use to a pass
    from speaker.supervision.sentinel import Sentinel, leave  # noqa: PLC0415 - of no use to a pass

    preload()
    own, name = driver(loaded[0]), loaded[0].settings.backend
    lock = FileLock(DAEMONS_PATIENCE)
    systemd = Manager(os.environ)

    def configured(config: Config) -> None:
        own.configure(config)
        lock.configure(config.settings.state)

    async def on_shutdown(_: Reconciler) -> None:
        """Leave the routes as they are."""
        systemd.ending()

    async def run() -> bool:
        service = ReconcilerService(
            path,
            name,
            Driver(own.backend, configured),
            on_shutdown,
            lock=lock,
            say=systemd.ready,
            loaded=loaded,
        )
        by = "systemd" if "INVOCATION_ID" in os.environ else ""
        sentinel = Sentinel(service.still, leave, started_again=by, alive=systemd.alive)
        await service.run(sentinel=sentinel)
        return service.started

    return asyncio.run(run())
