"""Which source of health looks at which VIP, built once for a configuration."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from policy.health import FWMARK, Observation
from speaker.health.addresses import AddressSource

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from policy.route import Prefix
    from policy.topology import Address, Topology, Vip
    from speaker.clock import Clock
    from speaker.config.settings import HealthSettings, Source
    from speaker.health.base import HealthSource
    from speaker.health.checks.probe import Probe
    from speaker.health.ipvs.connections import ConnectionCounter
    from speaker.health.ipvs.table import Server, TableReader, Watched

S = TypeVar("S")

SETTLE = 10.0
"""How long a run that does not stay asks until every check is known, in seconds."""
PATIENCE = 0.02
"""How long the others' word waits for a source that is slow, in seconds."""

LAST_LOOK = 5.0
"""How long a last look is waited for, in seconds."""


class CombinedSource:
    """Several sources as one. They look at the same time, and none waits long for another.

    A look that takes longer goes on; what its source said last holds until it ends.

    Args:
        sources: sources of different prefixes.
        wake: called when a look ends that was not waited for.
        prefixes: whose prefixes which are, where there are several sources: a prefix is doubted for its own's reason.
    """

    def __init__(
        self,
        sources: Sequence[HealthSource],
        wake: Callable[[], object] = lambda: None,
        prefixes: Mapping[HealthSource, Collection[Prefix]] = MappingProxyType({}),
    ) -> None:
        self.sources = tuple(sources)
        self._wake = wake
        self._prefixes = prefixes
        self._looks: dict[HealthSource, asyncio.Task[Observation]] = {}
        self._said: dict[HealthSource, Observation] = {}
        self._last: tuple[Observation, ...] = ()
        self._merged = Observation({})

    async def observe(self) -> Observation:
        """Look once at each; while none sees anything new, the same object is returned.

        The first look waits for all.
        """
        if len(self.sources) == 1:
            return await self.sources[0].observe()
        if self.sources:
            await self._look()
        seen = tuple(self._said[source] for source in self.sources)
        if seen != self._last:
            self._last = seen
            unknown = [part.unknown for part in seen if part.unknown]
            self._merged = Observation(
                {prefix: live for part in seen for prefix, live in part.live.items()},
                " | ".join(unknown),
                next((part.checker for part in seen if part.checker), None),
                any(part.unsettled for part in seen),
                next((part.presence for part in seen if part.presence), None),
                next((part.said for part in seen if part.said), {}),
                dict(self._doubts(seen)) if len(unknown) > 1 else {},
            )
        return self._merged

    def _doubts(self, seen: Iterable[Observation]) -> Iterator[tuple[Prefix, str]]:
        """Tell why each prefix is unknown, in the words of its own source."""
        for source, part in zip(self.sources, seen, strict=True):
            if part.unknown:
                own = self._prefixes.get(source, ())
                yield from ((prefix, part.unknown) for prefix in own if prefix not in part.live)

    async def _look(self) -> None:
        """Have what each source says now, or said last where it still looks."""
        for source in self.sources:
            if source not in self._looks:
                self._looks[source] = asyncio.create_task(source.observe())
        known = len(self._said) == len(self.sources)
        _, late = await asyncio.wait(self._looks.values(), timeout=PATIENCE if known else None)
        ended = {source: look for source, look in self._looks.items() if look not in late}
        self._looks = {source: look for source, look in self._looks.items() if look in late}
        for look in late:
            look.remove_done_callback(self._tell)
            look.add_done_callback(self._tell)
        self._said |= {source: look.result() for source, look in ended.items()}

    def _tell(self, _: asyncio.Task[Observation]) -> None:
        self._wake()

    async def close(self) -> None:
        """Close them all, when none looks any more. A look that does not end is given up."""
        if self._looks:
            _, late = await asyncio.wait(self._looks.values(), timeout=LAST_LOOK)
            for look in late:
                look.cancel()
        for source in self.sources:
            await source.close()


@dataclass(frozen=True, slots=True)
class Chosen:
    """The VIPs of one source, address by address, and what sources may need to look at them.

    `before` are the sources in whose place these come.
    """

    topology: Topology
    addresses: Sequence[tuple[Vip, Address]]
    health: Mapping[str, HealthSettings]
    clock: Clock
    readers: Sequence[TableReader] | None
    before: HealthSource | None


def _watched(vip: Vip, address: Address, health: HealthSettings) -> Watched:
    """Return what of IPVS belongs to a prefix."""
    from speaker.health.ipvs.table import Watched  # noqa: PLC0415 - for those that have it

    marks = frozenset(item.number for item in vip.health.required if item.protocol == FWMARK)
    return Watched(address.prefix, marks, health.ignore)


def connection_counter(
    topology: Topology,
    health: Mapping[str, HealthSettings],
    made: Callable[[], Awaitable[Mapping[Server, int]]] | None = None,
) -> ConnectionCounter:
    """Return what counts the connections of all VIPs, whichever their source of health.

    Args:
        topology: the VIPs.
        health: where a VIP's health comes from, by its name.
        made: tells what grows of each virtual server; by default how many connections were made.
    """
    from speaker.health.ipvs.connections import ConnectionCounter  # noqa: PLC0415 - for those that have it

    watched = [_watched(vip, address, health[vip.name]) for vip, address in topology]
    return ConnectionCounter(watched, made=made)


def _ipvs(chosen: Chosen) -> HealthSource:
    from speaker.health.ipvs.source import IpvsSource  # noqa: PLC0415 - for those that have it
    from speaker.health.keepalived.process import Keepalived  # noqa: PLC0415 - for those that have it

    watched = [_watched(vip, address, chosen.health[vip.name]) for vip, address in chosen.addresses]
    needed = any(vip.health.checker.required for vip in chosen.topology.vips)
    before = _among(chosen.before, IpvsSource)
    known = None if before is None else before.keepalived
    keepalived = (known or Keepalived(chosen.clock.steady)) if needed else None
    return IpvsSource(watched, readers=chosen.readers, keepalived=keepalived, before=before)


def _among(source: HealthSource | None, kind: type[S]) -> S | None:
    """Return the source of a kind among the sources of a configuration, where it has one."""
    among = source.sources if isinstance(source, CombinedSource) else ()
    return next((each for each in among if isinstance(each, kind)), None)


def _asked(
    announced: Sequence[tuple[Vip, Address]],
    health: Mapping[str, HealthSettings],
    only: Collection[Prefix] | None,
) -> dict[Prefix, dict[str, Sequence[Probe]]]:
    """Return whom the checks of rules ask, by prefix and the check's name."""
    asked: dict[Prefix, dict[str, Sequence[Probe]]] = {}
    for vip, address in announced:
        own = health[vip.name]
        if own.checks and (only is None or address.prefix in only):
            from speaker.health.checks.source import probes  # noqa: PLC0415 - for those that have it

            all_of = [each for some in own.realservers.values() for each in some]
            asked[address.prefix] = {
                check.name: probes(check, address.prefix, all_of) for check in own.checks
            }
    return asked


def _tcp(chosen: Chosen) -> HealthSource:
    from speaker.health.tcp import TcpSource  # noqa: PLC0415 - for those that have it

    return TcpSource(
        {address.prefix: chosen.health[vip.name].realservers for vip, address in chosen.addresses}
    )


SOURCES: Mapping[Source, Callable[[Chosen], HealthSource]] = {"ipvs": _ipvs, "tcp": _tcp}
"""The sources of health, by their name in vip.toml. `none` looks at nothing."""


def sources_for(
    topology: Topology,
    health: Mapping[str, HealthSettings],
    clock: Clock,
    *,
    readers: Sequence[TableReader] | None = None,
    wake: Callable[[], object] = lambda: None,
    before: HealthSource | None = None,
    dc: str | None = None,
    settle: float | None = None,
    only: Collection[Prefix] | None = None,
) -> CombinedSource:
    """Return the sources of all VIPs. VIPs of the source `none` are in no observation.

    Args:
        topology: the VIPs.
        health: where a VIP's health comes from, by its name.
        clock: the watchdog's.
        readers: ways to the table of IPVS, best first; None for the usual ones.
        wake: called when there is something to be looked at.
        before: the sources in whose place these come. What they know of IPVS is taken over: to
            read thousands of virtual servers for the first time takes long.
        dc: the data centre; what it does not announce is not looked at. None for all.
        settle: how long the first look waits for checks, see `ChecksSource`.
        only: the prefixes whose checks are asked; None for all.
    """
    chosen: dict[Source, list[tuple[Vip, Address]]] = defaultdict(list)
    announced = [each for each in topology if dc is None or dc in each[1].prefer]
    for vip, address in announced:
        chosen[health[vip.name].source].append((vip, address))
    own: dict[HealthSource, list[Prefix]] = {
        make(Chosen(topology, chosen[name], health, clock, readers, before)): [
            address.prefix for _, address in chosen[name]
        ]
        for name, make in SOURCES.items()
        if name in chosen
    }
    sources = [*own]
    if asked := _asked(announced, health, only):
        from speaker.health.checks.source import ChecksSource  # noqa: PLC0415 - for those that have it

        known = _among(before, ChecksSource)
        sources.append(
            ChecksSource(asked, wake=wake, settle=settle, before=known, steady=clock.steady)
        )
    if here := [a.prefix for vip, a in announced if vip.health.require_address]:
        sources.append(AddressSource(here))
    return CombinedSource(sources, wake, own)
