"""Connections of HTTP checks: a new one for each request, or one that is used again until it is too old.

A server that takes no connection has failed, and a check that goes on with one that it has doesn't see it. So a
connection is used again only where `reuse` says for how long.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from speaker.health.checks.certificates import expiry
from speaker.supervision.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

MAX_IDLE = 90.0
"""For how long a connection that nothing asks by any more is kept, in seconds."""
MAX_RECEIVED = 512 * 1024
"""How much may come over it until there is an answer, in bytes: a body as far as it is looked at, in chunks of one byte, is less."""


@dataclass(slots=True)
class Way:
    """The way of one question: what it wants of its connection, and what was noted of the one that it got.

    Attributes:
        reuse: how old its connection may be at most, in seconds.
        was_used: whether it was used before.
        expires: when the certificate that it was shown does (seconds since the epoch).
        stream: what comes over it.
    """

    reuse: float
    was_used: bool = False
    expires: float | None = None
    stream: Stream | None = None


WAY: ContextVar[Way] = ContextVar("way")
"""That of the question that a task asks."""


class Connector(aiohttp.TCPConnector):
    """Connects, and notes how on the question's way. There is no limit, behind which one check would wait for others.

    Args:
        keep: whether connections are kept for questions that may use them again.
        steady: a clock.
    """

    def __init__(self, *, keep: bool, steady: Callable[[], float]) -> None:
        kept = {"keepalive_timeout": MAX_IDLE} if keep else {"force_close": True}
        super().__init__(limit=0, use_dns_cache=False, **kept)
        self._steady = steady

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the library's
    ) -> Connection:
        """Return a connection that is new, or not older than the question wants."""
        way = WAY.get()
        way.stream = None
        while True:
            found = await super().connect(req, traces, timeout)
            protocol, transport, now = found.protocol, found.transport, self._steady()
            if protocol is None or transport is None:
                return found
            stream = transport.get_protocol()
            way.was_used = isinstance(stream, Stream)
            if not isinstance(stream, Stream):
                stream = Stream(protocol, MAX_RECEIVED, now)
                transport.set_protocol(stream)
            # What has come while nothing was asked would be taken for the answer.
            if not way.was_used or (now - stream.made < way.reuse and not protocol.should_close):
                break
            found.close()
        stream.asked(transport)
        way.stream, way.expires = stream, expiry(transport)
        return found
