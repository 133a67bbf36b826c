"""HTTP on an address of this machine: metrics and the status page, for all who may connect. Nothing can be changed there.

What a caller can use up is bounded: connections, the time of each, and what waits to be sent; the text is made
once a second at most, in a thread. A browser that is led here by a name of somebody else's (DNS rebinding)
is refused by its Host header.
"""

from __future__ import annotations

import asyncio
import platform
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from aiohttp import web

from speaker.control.connections import Connections
from speaker.control.speaking import LineLimits, speaking
from speaker.supervision.cancellation import heed_cancellation
from speaker.telemetry.assets import ASSETS, asset
from speaker.telemetry.live import Live
from speaker.telemetry.recent import Recent
from speaker.telemetry.sending import send, unhosted
from speaker.telemetry.shown import Shown
from speaker.units import endpoint_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractContextManager

    from speaker.reconcile.reconciler import Reconciler
    from speaker.units import Endpoint

CONNECTIONS = 32
"""How many there may be at once."""
MAX_LINE, MAX_HEADERS, MAX_HEADER = 1 << 12, 64, 1 << 12
"""Bytes of the first line of a request, how many more lines it may have, and bytes of each: a browser's cookies
for other programs on this host are among them."""
LIMITS = LineLimits(MAX_LINE, MAX_HEADERS, MAX_HEADER)
WAITING = 32
"""How many may wait to be accepted."""
CHECK = 1.0
"""How often to see whether it can be listened, or is to be elsewhere, in seconds."""
SUBJECT = "metrics"

SAFE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What each answer says to a browser."""


async def serve(reconciler: Reconciler) -> NoReturn:
    """Serve for ever, where that is wanted: as soon as it is possible, and elsewhere when vip.toml says so."""
    while True:
        where = reconciler.config.settings.metrics.listen
        if where is None:
            reconciler.alarms.note(SUBJECT, "")
            await asyncio.sleep(CHECK)
            continue
        try:
            async with serving(reconciler, where):
                reconciler.alarms.note(SUBJECT, "")
                while reconciler.config.settings.metrics.listen == where:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(CHECK)
        except OSError as error:
            heed_cancellation()
            reconciler.alarms.note(
                SUBJECT,
                f"listen: {endpoint_text(where)}: {error.strerror}; Prometheus can't reach this "
                "watchdog: free the port, or correct metrics.listen",
            )
            await asyncio.sleep(CHECK)


@asynccontextmanager
async def serving(reconciler: Reconciler, where: Endpoint) -> AsyncIterator[None]:
    """Serve on an address while the context lasts.

    Raises:
        OSError: it can't be listened there.
    """
    outlet = Outlet(reconciler)
    async with speaking(outlet.application(), outlet.connections, LIMITS) as connected:
        loop = asyncio.get_running_loop()
        address, port = where
        server = await loop.create_server(connected, str(address), port, backlog=WAITING)
        try:
            with outlet.listening():
                yield
        finally:
            server.close()


class Outlet:
    """The handlers, over one watchdog."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self.connections = Connections(CONNECTIONS)
        self._recent = Recent()
        self._shown = Shown(reconciler, self._recent)
        self._live = Live(self._shown)

    def application(self) -> web.Application:
        """Return the web application."""
        application = web.Application(middlewares=[self.connections.answered, self._guarded])
        application.add_routes(
            [
                web.get("/", self._page),
                web.get("/live", self._follow),
                web.get("/metrics", self._metrics),
                *(web.get(f"/{name}", self._asset) for name in ASSETS),
            ]
        )
        return application

    def listening(self) -> AbstractContextManager[None]:
        """Have what happens shown, while the context lasts."""
        return self._recent.listening(self._reconciler)

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Answer those who ask for this machine, by one of its names; what is wrong is said in a line."""
        if why := unhosted(
            request.headers.get("Host", ""),
            {*self._reconciler.config.settings.metrics.hosts, platform.node().lower()},
        ):
            return web.Response(status=421, text=f"{why}\n", headers=SAFE)
        try:
            response: web.StreamResponse = await handler(request)
        except web.HTTPException as error:
            return web.Response(status=error.status, text=f"{error.reason}\n", headers=SAFE)
        return response

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return await send(request, await self._shown.document(), SAFE)

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        return await send(request, asset(request.path.removeprefix("/")), SAFE)

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        return await self._live.follow(request, SAFE)

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        return await send(request, await self._shown.metrics(), SAFE)
