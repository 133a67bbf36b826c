"""The source `tcp`: realservers that accept a TCP connection, for sites without IPVS."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.health import Observation
from speaker.health.faults import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from policy.health import Service
    from policy.route import Prefix
    from speaker.units import Endpoint

    _Realservers = Mapping[Service, frozenset[Endpoint]]


@dataclass(frozen=True, slots=True)
class ProbeVerdict:
    """Whether a realserver is live, or the fault of this machine for which that is not known."""

    live: bool
    fault: str = ""


def open_socket(family: socket.AddressFamily) -> socket.socket:
    """Return a new TCP socket that does not block."""
    return socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)


class TcpSource:
    """Connects to every realserver once a look.

    Args:
        realservers: the realservers of each prefix's services.
        timeout: seconds for one connection.
        in_flight: how many connections to attempt at once.
        opener: makes a socket.
    """

    def __init__(
        self,
        realservers: Mapping[Prefix, Mapping[Service, Collection[Endpoint]]],
        *,
        timeout: float = 1.0,
        in_flight: int = 128,
        opener: Callable[[socket.AddressFamily], socket.socket] = open_socket,
    ) -> None:
        # The addresses of a VIP share its services, and VIPs their realservers: each is kept once.
        kept: dict[tuple[tuple[Service, frozenset[Endpoint]], ...], _Realservers] = {}
        self._realservers: dict[Prefix, _Realservers] = {}
        for prefix, services in realservers.items():
            each = tuple((service, frozenset(ends)) for service, ends in services.items())
            self._realservers[prefix] = kept.setdefault(each, dict(each))
        self._distinct = {
            endpoint
            for services in self._realservers.values()
            for endpoints in services.values()
            for endpoint in endpoints
        }
        self._timeout = timeout
        self._in_flight = in_flight
        self._opener = opener
        self._verdicts: Mapping[Endpoint, ProbeVerdict] | None = None
        self._observation = Observation({})

    async def observe(self) -> Observation:
        """Connect to each realserver once; while all say the same, so does the object returned."""
        verdicts = await self._check_all()
        if verdicts != self._verdicts:
            self._observation = self._count(verdicts)
            self._verdicts = verdicts
        return self._observation

    def _count(self, verdicts: Mapping[Endpoint, ProbeVerdict]) -> Observation:
        """Count the live ones. A prefix that meets a fault of this machine is unknown."""
        alive = {endpoint for endpoint, verdict in verdicts.items() if verdict.live}
        faulty = {endpoint for endpoint, verdict in verdicts.items() if verdict.fault}
        counts: dict[tuple[tuple[Service, int], ...], Mapping[Service, int]] = {}  # each kept once

        def counted(services: _Realservers) -> Mapping[Service, int]:
            found = tuple((service, len(ends & alive)) for service, ends in services.items())
            return counts.setdefault(found, dict(found))

        live = {
            prefix: counted(services)
            for prefix, services in self._realservers.items()
            if not any(endpoints & faulty for endpoints in services.values())
        }
        return Observation(live, _faults(verdicts))

    async def close(self) -> None:
        """Do nothing: no connection outlives a look."""

    async def _check_all(self) -> dict[Endpoint, ProbeVerdict]:
        waiting = iter(self._distinct)
        verdicts: dict[Endpoint, ProbeVerdict] = {}
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._in_flight, len(self._distinct))):
                group.create_task(self._work(waiting, verdicts))
        return verdicts

    async def _work(
        self, waiting: Iterator[Endpoint], verdicts: dict[Endpoint, ProbeVerdict]
    ) -> None:
        for endpoint in waiting:
            verdicts[endpoint] = await self._check(endpoint)

    async def _check(self, endpoint: Endpoint) -> ProbeVerdict:
        address, port = endpoint
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        try:
            with self._opener(family) as connection:
                return await self._connect(connection, (str(address), port))
        except OSError as error:
            if error.errno in REFUSALS:
                return ProbeVerdict(live=False)
            return ProbeVerdict(live=False, fault=error.strerror or str(error))

    async def _connect(self, connection: socket.socket, target: tuple[str, int]) -> ProbeVerdict:
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.get_running_loop().sock_connect(connection, target)
        except TimeoutError:
            return ProbeVerdict(live=_connected(connection))
        return ProbeVerdict(live=_connected(connection))


def _connected(connection: socket.socket) -> bool:
    """Ask the kernel: a busy event loop may learn of the connection after its time-out.

    A socket that the kernel connected to itself, which happens on loopback, is not a realserver's.
    """
    try:
        return bool(connection.getpeername() != connection.getsockname())
    except OSError:
        return False


def _faults(verdicts: Mapping[Endpoint, ProbeVerdict]) -> str:
    """Return the faults of this machine: the first by name, and how many more."""
    faults = sorted(
        (endpoint for endpoint, verdict in verdicts.items() if verdict.fault),
        key=lambda endpoint: (endpoint[0].version, endpoint),
    )
    if not faults:
        return ""
    (address, port), *others = faults
    more = f" (and {len(others)} more)" if others else ""
    return f"tcp: {address} port {port}{more}: {verdicts[faults[0]].fault}; a fault of this machine"
