"""Connections of HTTP checks: a new one for each request, or one that is used again until it is too old.

A server that takes no connection has failed, and a check that goes on with one that it has doesn't see it. So a
connection is used again only where `reuse` says for how long.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import aiohttp

from speaker.health.checks.certificates import expiry

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

MAX_IDLE = 90.0
"""For how long a connection that nothing asks by any more is kept, in seconds."""


@dataclass(slots=True)
class Way:
    """The way of one question: what it wants of its connection, and what was noted of the one that it got.

    Attributes:
        reuse: how old its connection may be at most, in seconds.
        was_used: whether it was used before.
        expires: when the certificate that it was shown does (seconds since the epoch).
    """

    reuse: float
    was_used: bool = False
    expires: float | None = None


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
        self._made: WeakKeyDictionary[ResponseHandler, float] = WeakKeyDictionary()

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the library's
    ) -> Connection:
        """Return a connection that is new, or not older than the question wants."""
        way = WAY.get()
        while True:
            found = await super().connect(req, traces, timeout)
            protocol, now = found.protocol, self._steady()
            if protocol is None:
                return found
            way.was_used = protocol in self._made
            made = self._made.setdefault(protocol, now)
            # What has come while nothing was asked would be taken for the answer.
            if not way.was_used or (now - made < way.reuse and not protocol.should_close):
                break
            found.close()
        way.expires = expiry(found.transport) if found.transport else None
        return found
