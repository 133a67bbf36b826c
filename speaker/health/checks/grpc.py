"""Asks a gRPC server by its own protocol of health, one call on a connection of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from policy.health import Health
from speaker.health.checks.certificates import Contexts, TlsFileError, expiry
from speaker.health.checks.failures import CLOSED, failed
from speaker.health.checks.grpc_call import HealthCall
from speaker.health.checks.probe import ProbeAnswer
from speaker.supervision.stream import Stream

if TYPE_CHECKING:
    from speaker.config.settings_checks import GrpcCheck
    from speaker.health.checks.probe import Probe


class GrpcAsker:
    """Asks gRPC servers. Make it on the event loop."""

    def __init__(self) -> None:
        self._contexts = Contexts("h2")

    async def ask(self, probe: Probe, what: GrpcCheck) -> ProbeAnswer:
        """Ask once. It takes as long as the other end likes: the caller bounds the time."""
        url = urlsplit(probe.in_url(what.url))
        try:
            context = await self._contexts.of(what.tls) if url.scheme == "https" else None
        except TlsFileError as error:
            why = f"not asked: {error}; correct the file, or its path in check.{probe.check.name}"
            return ProbeAnswer(Health.UNKNOWN, why)
        asked = _Asked(HealthCall(what.service, url.scheme, what.host or url.netloc))
        host, port = url.hostname or "", url.port or 0
        name = what.host.partition(":")[0] if what.host else host
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: Stream(asked),
                host,
                port,
                ssl=context,
                server_hostname=name if context else None,
            )
            return await asked.answer
        except OSError as error:
            return failed(error)
        finally:
            asked.close()


class _Asked(asyncio.Protocol):
    """Makes a call on a connection."""

    def __init__(self, call: HealthCall) -> None:
        self._call = call
        self._transport: asyncio.Transport | None = None
        self.answer: asyncio.Future[ProbeAnswer] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream there is no other
        self._transport = transport
        transport.write(self._call.start())

    def data_received(self, data: bytes) -> None:
        if self._transport is None or self.answer.done():
            return
        self._transport.write(self._call.receive(data))
        if self._call.answer is not None:
            found = self._call.answer
            expires = expiry(self._transport)
            self.answer.set_result(ProbeAnswer(found.health, found.reason, expires))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answer.done():
            return
        if exc is None:
            self.answer.set_result(CLOSED)
        else:
            self.answer.set_exception(exc)

    def close(self) -> None:
        """Close the connection at once."""
        self.answer.cancel()
        if self._transport is not None:
            self._transport.abort()
