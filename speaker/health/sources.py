"""Which source of health looks at which VIP, built once for a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.health import FWMARK, Observation
from speaker.health.addresses import AddressSource
from speaker.health.ipvs import IpvsSource
from speaker.health.keepalived import Keepalived
from speaker.health.table import Watched
from speaker.health.tcp import TcpSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from policy.health import Service
    from policy.route import Prefix
    from policy.topology import Topology
    from speaker.clock import Clock
    from speaker.health.base import HealthSource
    from speaker.health.table import TableReader
    from speaker.settings import HealthSettings
    from speaker.units import Endpoint


class Together:
    """Several sources as one. They look one after another."""

    def __init__(self, sources: Sequence[HealthSource]) -> None:
        """Look at nothing yet.

        Args:
            sources: sources of different prefixes.
        """
        self._sources = tuple(sources)
        self._last: tuple[Observation, ...] = ()
        self._merged = Observation({})

    async def observe(self) -> Observation:
        """Look once at each; while none sees anything new, the same object is returned."""
        seen = tuple([await source.observe() for source in self._sources])
        if len(seen) == 1:
            return seen[0]
        if seen != self._last:
            self._last = seen
            self._merged = Observation(
                {prefix: live for part in seen for prefix, live in part.live.items()},
                " | ".join(part.unknown for part in seen if part.unknown),
                next((part.checker for part in seen if part.checker), None),
                any(part.unsettled for part in seen),
                next((part.presence for part in seen if part.presence), None),
            )
        return self._merged

    async def close(self) -> None:
        """Close them all."""
        for source in self._sources:
            await source.close()


def sources_for(
    topology: Topology,
    health: Mapping[str, HealthSettings],
    clock: Clock,
    *,
    readers: Sequence[TableReader] | None = None,
) -> Together:
    """Return the sources of all VIPs. VIPs of the source `none` are in no observation.

    Args:
        topology: the VIPs.
        health: where a VIP's health comes from, by its name.
        clock: the watchdog's.
        readers: ways to the table of IPVS, best first; None for the usual ones.
    """
    watched: list[Watched] = []
    realservers: dict[Prefix, Mapping[Service, tuple[Endpoint, ...]]] = {}
    for vip, address in topology:
        own = health[vip.name]
        if own.source == "ipvs":
            marks = {item.number for item in vip.health.required if item.protocol == FWMARK}
            watched.append(Watched(address.prefix, frozenset(marks), own.ignore))
        elif own.source == "tcp":
            realservers[address.prefix] = own.realservers
    sources: list[HealthSource] = []
    if watched:
        needed = any(vip.health.checker.required for vip in topology.vips)
        keepalived = Keepalived(clock.steady) if needed else None
        sources.append(IpvsSource(watched, readers=readers, keepalived=keepalived))
    if realservers:
        sources.append(TcpSource(realservers))
    if here := [a.prefix for vip, a in topology if vip.health.require_address]:
        sources.append(AddressSource(here))
    return Together(sources)
