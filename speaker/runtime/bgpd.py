"""Beside Quagga's or FRR's bgpd: a pass for cron, a daemon, and vip_mgmt where no daemon runs."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from speaker.backends.base import BackendError
from speaker.backends.dry_run import DryRun
from speaker.backends.quagga.driver import QuaggaBackend
from speaker.backends.quagga.vtysh import NotRunningError, Shell
from speaker.clock import SystemClock
from speaker.control.answers import reason
from speaker.control.offline import history, record
from speaker.errors import SpeakerError
from speaker.health.keepalived import process as keepalived
from speaker.health.sources import sources_for
from speaker.reconcile import intents as wishes
from speaker.reconcile import status as states
from speaker.reconcile.lock import FileLock, Kept, LockError, NoLock
from speaker.reconcile.reach import NO_SESSION
from speaker.reconcile.reconciler import Watchdog
from speaker.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence
    from pathlib import Path

    from policy.intent import Intent
    from policy.route import Prefix
    from policy.topology import Profile, Topology
    from speaker.config.settings import Config
    from speaker.reconcile.lock import Lock

log = logging.getLogger(__name__)

PATIENCE, DAEMONS_PATIENCE = 30.0, 5.0
"""For how long to wait for the end of another run of ours, in seconds. The daemon tries again."""


class NotBegunError(SpeakerError):
    """A pass could not begin, so nothing was changed. In the shell toolkit's words, where it had any."""


# --- the pass and the daemon -------------------------------------------------------------------


def run_pass(config: Config) -> bool:
    """Run one pass over all VIPs, for cron. Return whether all is as decided.

    Raises:
        NotBegunError: not root, keepalived does not run, or bgpd, the state file or the turn of
            another run stands against it.
        SpeakerError: the state file can't be used any more.
    """
    if os.geteuid() != 0:
        raise NotBegunError("Only run as root !")
    if _needs_keepalived(config) and not keepalived.is_running():
        raise NotBegunError("fatal error : keepalived not running !")
    return asyncio.run(one_pass(config, partial(_make, config)))


def _needs_keepalived(config: Config) -> bool:
    return any(vip.health.checker.required for vip in config.topology.vips)


async def one_pass(config: Config, make: Callable[[Lock], Watchdog]) -> bool:
    """Do what a pass does, all but waiting under the lock. See `run_pass`.

    Args:
        config: the configuration.
        make: makes a watchdog that uses a lock, once that is held.
    """
    lock = Kept(FileLock(PATIENCE, config.settings.state))
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(lock)
            watchdog = make(lock)
            await watchdog.look()
        except NotRunningError as error:
            raise NotBegunError("fatal error : quagga/bgpd not running !") from error
        except SpeakerError as error:
            raise NotBegunError(str(error)) from error
        await complete(watchdog, lock.rest)
    return _say_what_is_left(states.status(watchdog))


def _say_what_is_left(answer: dict[str, Any]) -> bool:
    """Say what is not as decided, in cron's mail. Return whether nothing is.

    That a prefix waits for a session is not its own fault: that is said once, for all of them. That
    intents are unknown was said: one that is announced for which nothing else is wrong is not told of.
    """
    all_left = [route for route in answer["routes"] if not route["as_wanted"]]
    left = [
        route
        for route in all_left
        if route["intent"] != states.UNKNOWN or not route["held"] or route["lack"]
    ]
    waiting = [route["held"] and route["lack"] == NO_SESSION for route in left]
    if any(waiting):
        for text in answer["sessions"]:
            log.error("%s", text)
    for route, waits in zip(left, waiting, strict=True):
        if not waits:
            log.error("%s: not as wanted: %s", route["prefix"], reason(route))
    return not all_left


async def complete(
    watchdog: Watchdog, rest: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Act on what was looked at, until nothing is left to do, and read back.

    Args:
        watchdog: has looked.
        rest: waits for so many seconds, and lets others work meanwhile.

    Raises:
        LockError: others did not end.
    """
    await watchdog.act()
    # A pass remembers none of the last one's doubts: what the guard holds is waited for.
    while (when := watchdog.held_until) is not None:
        await watchdog.record()
        await rest(max(when - watchdog.clock.steady(), 0.01))
        await watchdog.cycle()
    if watchdog.view.changed:
        await watchdog.backend.until_sent(watchdog.view.changed)
    await watchdog.settle()
    await watchdog.record()


def stay(path: Path, config: Config) -> bool:
    """Stay and watch. Return whether there ever was a watchdog."""
    from speaker.runtime.service import Service  # noqa: PLC0415 - its HTTP takes longer than a pass
    from speaker.supervision.sentinel import Sentinel, leave  # noqa: PLC0415 - of no use to a pass

    backend = QuaggaBackend(Shell(config.settings.quagga.vtysh))
    lock = FileLock(DAEMONS_PATIENCE)

    def configured(config: Config) -> None:
        configure(backend, config)
        lock.configure(config.settings.state)

    async def farewell(_: Watchdog) -> None:
        """Leave the routes as they are."""

    async def run() -> bool:
        service = Service(path, "quagga", backend, configured, farewell, lock=lock)
        manager = "systemd" if "INVOCATION_ID" in os.environ else ""
        sentinel = Sentinel(service.still, leave, started_again=manager)
        await service.run(sentinel=sentinel)
        return service.started

    return asyncio.run(run())


# --- vip_mgmt without a daemon -----------------------------------------------------------------


def wish(
    config: Config, prefixes: Sequence[Prefix], intent: Intent, *, dry_run: bool
) -> list[dict[str, Any]]:
    """Take an operator's wish for some prefixes; others are not touched. See `wish.take`.

    Where bgpd can't be asked, the wish is recorded, which `recorded` says. A dry run does all of
    it, but over a bgpd and a state file that are only read.

    Raises:
        SpeakerError: it could not be recorded; nothing was changed.
    """
    make = partial(_make, config, only=prefixes, dry_run=dry_run)
    return asyncio.run(operate(config, prefixes, intent, make, dry_run=dry_run))


async def operate(
    config: Config,
    prefixes: Sequence[Prefix],
    intent: Intent,
    make: Callable[[], Watchdog],
    *,
    dry_run: bool,
) -> list[dict[str, Any]]:
    """Do what `vip_mgmt -a` and `-d` do: record the intent, and carry it out under the lock. See `wish`.

    Args:
        config: the configuration.
        prefixes: those that were named.
        intent: what the operator wants of them.
        make: makes a watchdog for them, once the lock is held.
        dry_run: whether nothing is to be changed: then there is no need for a lock.
    """
    said = record(
        config, prefixes, intent, "takes effect with vip_watchdog's next pass", dry_run=dry_run
    )
    lock = NoLock() if dry_run else FileLock(PATIENCE, config.settings.state)
    try:
        async with lock.held():
            watchdog = make()
            await watchdog.look()
            was = None if dry_run else {route["prefix"]: route["was"] for route in said}
            taken = await wishes.take(watchdog, prefixes, intent, dry_run=False, was=was)
            await watchdog.record()
            return taken
    except (BackendError, LockError) as error:
        return [{**route, "recorded": f"{route['recorded']}; now: {error}"} for route in said]


def status(config: Config, why: str) -> dict[str, Any]:
    """Return the form of `status.status`."""
    del why  # it is the rule here that no daemon runs
    return states.status(_looked(config))


def explain(config: Config, prefixes: Sequence[Prefix], why: str) -> list[dict[str, Any]]:
    """Return the form of `status.explanations`."""
    del why
    return states.explanations(_looked(config), prefixes)


def plan(config: Config, why: str) -> list[dict[str, str]]:
    """Return the form of `status.difference`.

    Raises:
        BackendError: bgpd can't be read.
    """
    del why
    return states.difference(_looked(config, blind=False))


def _looked(config: Config, *, blind: bool = True) -> Watchdog:
    async def look() -> Watchdog:
        watchdog = _make(config)
        try:
            await watchdog.look()
        except BackendError:
            if not blind:
                raise
        return watchdog

    return asyncio.run(look())


# --- both --------------------------------------------------------------------------------------


def _make(
    config: Config,
    lock: Lock | None = None,
    *,
    only: Collection[Prefix] | None = None,
    dry_run: bool = False,
) -> Watchdog:
    bgpd = QuaggaBackend(Shell(config.settings.quagga.vtysh))
    configure(bgpd, config)
    backend = DryRun(bgpd) if dry_run else bgpd
    clock = SystemClock()
    source = sources_for(config.topology, config.settings.health, clock)
    store = Store(config.settings.state, rehearse=dry_run)
    return Watchdog(config, backend, source, store, clock, only=only, lock=lock)


def configure(backend: QuaggaBackend, config: Config) -> None:
    """Give the driver its part of a configuration."""
    settings = config.settings
    backend.configure(settings.dc.asn, settings.quagga, profiles(config.topology))


def profiles(topology: Topology) -> list[Profile]:
    """Return the profiles of all ranks, of VIPs and of single addresses.

    Thousands of VIPs have the very same ranks: those are looked at once.
    """
    distinct = {
        id(ranks): ranks
        for vip in topology.vips
        for ranks in (vip.ranks, *(address.ranks for address in vip.addresses))
    }
    return [profile for ranks in distinct.values() for profile in ranks]


__all__ = [
    "NotBegunError",
    "complete",
    "configure",
    "explain",
    "history",
    "plan",
    "profiles",
    "run_pass",
    "status",
    "stay",
    "wish",
]
