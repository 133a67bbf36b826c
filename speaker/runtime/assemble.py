"""Makes what a run consists of, from its configuration: nowhere else are these tied together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from policy.drain_profile import soft_profiles
from policy.wanted import WantedRoutes
from speaker.backends.dry_run import DryRun
from speaker.clock import SystemClock
from speaker.health.sources import SETTLE, connection_counter, sources_for
from speaker.reconcile.reconciler import Reconciler
from speaker.reconcile.scope import scope
from speaker.state.following import FollowingStore
from speaker.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from policy.route import Prefix
    from policy.topology import Profile, Topology
    from speaker.backends.base import Backend
    from speaker.backends.exabgp.driver import ExabgpBackend
    from speaker.backends.quagga.driver import QuaggaBackend
    from speaker.clock import Clock
    from speaker.config.settings import Backend as BackendName
    from speaker.config.settings import Config
    from speaker.health.base import HealthSource
    from speaker.reconcile.alarms import Alarms
    from speaker.reconcile.lock import Lock


def reconciler(
    config: Config,
    backend: Backend,
    *,
    clock: Clock | None = None,
    only: Collection[Prefix] | None = None,
    dry_run: bool = False,
    follow: bool = False,
    wake: Callable[[], object] = lambda: None,
    alarms: Alarms | None = None,
    lock: Lock | None = None,
    settle: float | None = None,
) -> Reconciler:
    """Return what keeps a daemon's announcements equal to what is decided. May take seconds.

    Args:
        config: the configuration.
        backend: the driver, which has its part of the configuration.
        clock: the time; None for the system's.
        only: the prefixes to care for; None for all.
        dry_run: whether the state file is only read, and what is written goes to a copy of it.
        follow: whether such a run heeds the intents that are recorded meanwhile.
        wake: called when there is something to be looked at.
        alarms: where to note what is wrong; None for its own.
        lock: keeps other runs from the daemon; None where there are none, or it is held already.
        settle: how long the first look waits for checks; None for a run that stays. See `ChecksSource`.

    Raises:
        StoreError: the state file can't be read.
    """
    clock = clock or SystemClock()
    deciding = scope(config, only).assignments if only is not None and settle else only
    source = sources(config, clock, wake=wake, settle=settle, only=deciding)
    state = config.settings.state
    store = FollowingStore(state) if follow else Store(state, in_memory_copy=dry_run)
    return Reconciler(
        config,
        backend,
        source,
        store,
        clock,
        only=only,
        alarms=alarms,
        lock=lock,
        counter=lambda config: connection_counter(config.topology, config.settings.health),
    )


def sources(
    config: Config,
    clock: Clock,
    *,
    wake: Callable[[], object] = lambda: None,
    before: HealthSource | None = None,
    settle: float | None = None,
    only: Collection[Prefix] | None = None,
) -> HealthSource:
    """Return what looks at the VIPs' health. See `sources_for`."""
    settings = config.settings
    return sources_for(
        config.topology,
        settings.health,
        clock,
        wake=wake,
        before=before,
        dc=settings.dc.name,
        settle=settle,
        only=only,
    )


# --- the drivers -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Driver:
    """A daemon's driver, and how it is given its part of a configuration."""

    backend: Backend
    configure: Callable[[Config], None]


def _bgpd(config: Config) -> Driver:
    from speaker.backends.quagga.driver import QuaggaBackend  # noqa: PLC0415 - of no use beside ExaBGP
    from speaker.backends.quagga.vtysh import Shell  # noqa: PLC0415 - as above

    backend = QuaggaBackend(Shell(config.settings.quagga.vtysh))
    return Driver(backend, partial(configure_bgpd, backend))


DRIVERS: Mapping[BackendName, Callable[[Config], Driver]] = {"quagga": _bgpd}
"""The drivers of daemons beside which vip_watchdog and vip_mgmt run. Those that run vip_watchdog
themselves (`SPAWNING`) have a file each in `speaker.runtime`, because their driver has its pipes."""


def driver(config: Config, name: BackendName | None = None) -> Driver:
    """Return the driver of a daemon, with its part of a configuration.

    Args:
        config: the configuration.
        name: of the daemon; None for the one that the configuration names.
    """
    made = DRIVERS[name or config.settings.backend](config)
    made.configure(config)
    return made


def beside(
    config: Config,
    lock: Lock | None = None,
    *,
    only: Collection[Prefix] | None = None,
    dry_run: bool = False,
    settle: float = SETTLE,
) -> Reconciler:
    """Return a reconciler beside the daemon, for a run that does not stay. A dry run writes nothing. See `reconciler`."""
    backend = driver(config).backend
    if dry_run:
        backend = DryRun(backend)
    return reconciler(config, backend, only=only, dry_run=dry_run, lock=lock, settle=settle)


def configure_bgpd(backend: QuaggaBackend, config: Config) -> None:
    """Give the driver of bgpd its part of a configuration."""
    dc, topology = config.settings.dc, config.topology
    own = [dc.marked(profile) for profile in (*profiles(topology), *soft_profiles(topology, dc))]
    backend.configure(dc.asn, config.settings.quagga, own, WantedRoutes(topology, dc))


def configure_exabgp(backend: ExabgpBackend, config: Config) -> None:
    """Give the driver of ExaBGP its part of a configuration."""
    dc, topology = config.settings.dc, config.topology
    backend.configure(dc.asn, config.settings.exabgp, WantedRoutes(topology, dc))


def profiles(topology: Topology) -> list[Profile]:
    """Return the profiles of all ranks, of VIPs and of single addresses.

    Thousands of VIPs have the very same ranks: those are looked at once.
    """
    distinct = {
        id(ranks): ranks
        for vip in topology.everything
        for ranks in (vip.ranks, *(address.ranks for address in vip.addresses))
    }
    return [profile for ranks in distinct.values() for profile in ranks]
