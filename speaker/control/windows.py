"""What is asked about planned drains over HTTP: GET /windows; POST /windows, /windows/cancel."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from aiohttp import web

from policy.errors import PolicyError
from policy.wording import named
from speaker.control.last_of_site import held_here
from speaker.planned import Cancellation, PlannedNow, WindowRequest, WindowStatus, not_planned
from speaker.reconcile.last_one import NAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from policy.route import Prefix
    from speaker.control.body import Bodies
    from speaker.reconcile.reconciler import Reconciler


class WindowHandlers:
    """The handlers, over one watchdog.

    Args:
        reconciler: the watchdog.
        bodies: reads those of requests.
        known: refuses prefixes that it does not have.
        owner: tells who asks.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        bodies: Bodies,
        known: Callable[[Iterable[Prefix]], Sequence[Prefix]],
        owner: Callable[[web.Request], str],
    ) -> None:
        self._reconciler, self._bodies = reconciler, bodies
        self._known, self._owner = known, owner

    def routes(self) -> Sequence[web.RouteDef]:
        """Return what is served."""
        return [
            web.get("/windows", self._windows),
            web.post("/windows", self._schedule),
            web.post("/windows/cancel", self._cancel),
        ]

    async def _windows(self, _: web.Request) -> web.Response:
        found = (await asyncio.to_thread(self._reconciler.durable.store.intents)).windows
        return web.json_response([WindowStatus.of(each, found).to_json() for each in found])

    async def _schedule(self, request: web.Request) -> web.Response:
        async with self._bodies.read(request) as body:
            asked = WindowRequest.from_text(body)
        self._known(asked.prefixes)
        window = asked.window(self._owner(request), self._reconciler.clock.wall())
        store = self._reconciler.durable.store
        if not asked.dry_run:
            window = await asyncio.to_thread(store.schedule, window)
            self._reconciler.wake()
        found = await asyncio.to_thread(store.intents)
        last = await held_here(self._reconciler, asked.prefixes)
        nowhere = f"{named(last, NAMED)}: {next(iter(last.values()))}" if last else ""
        planned = replace(PlannedNow.of(window, found.windows), nowhere=nowhere)
        return web.json_response(planned.to_json())

    async def _cancel(self, request: web.Request) -> web.Response:
        async with self._bodies.read(request) as body:
            number = Cancellation.from_text(body).number
        now, store = self._reconciler.clock.wall(), self._reconciler.durable.store
        window = await asyncio.to_thread(store.cancel, number, self._owner(request), now)
        if window is None:
            raise PolicyError(not_planned(number))
        self._reconciler.wake()
        return web.json_response(WindowStatus.of(window).to_json())
