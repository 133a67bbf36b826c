"""Tells browsers that show the page what has changed, by server-sent events.

Theory of operation: nothing is queued. For each browser there is the page that it has; when there is another one,
it is sent the parts that differ, and has that one then. Who reads slowly misses what lay between, and nothing else.
See https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from aiohttp import web

from speaker.telemetry.sending import let_go, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speaker.telemetry.page import Page
    from speaker.telemetry.shown import Shown

CLIENTS = 12
"""How many browsers may follow at once: the other connections are for Prometheus and for pages."""
EVERY = 1.0
"""How often to see whether something has changed, in seconds."""
ALIVE = 5.0
"""How often a browser is told that it is told all, in seconds."""


class Live:
    """Those who follow one watchdog's page."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._count = 0

    async def follow(self, request: web.Request, headers: Mapping[str, str]) -> web.StreamResponse:
        """Tell a browser, until it goes away, or does not read.

        It says which page it has by `have`; where that is not the last one, it is to fetch the whole.
        """
        stream = {**headers, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        if request.method != "GET":
            return web.Response(headers=stream)
        if self._count >= CLIENTS:
            return web.Response(
                status=503,
                text=f"{CLIENTS} browsers follow already: reload the page by hand\n",
                headers=headers,
            )
        self._count += 1
        try:
            response = web.StreamResponse(headers=stream)
            await response.prepare(request)
            await self._tell(response, request.query.get("have", ""))
        except TimeoutError:
            let_go(request)
        except ConnectionError:
            pass  # it went away
        finally:
            self._count -= 1
        return response

    async def _tell(self, response: web.StreamResponse, have: str) -> None:
        last = await self._shown.page()
        await write(response, _event("whole" if have != str(last.number) else "alive", last.number))
        quiet = 0.0
        while True:
            await asyncio.sleep(EVERY)
            quiet += EVERY
            now = await self._shown.page()
            if now is not last:
                await write(response, await asyncio.to_thread(difference, last, now))
                last, quiet = now, 0.0
            elif quiet >= ALIVE:
                await write(response, _event("alive", last.number))
                quiet = 0.0


def difference(before: Page, after: Page) -> bytes:
    """Return what a browser that has a page is told, to have another."""
    parts = after.since(before)
    if parts is None:
        return _event("whole", after.number)
    return _event("parts", {"number": after.number, "parts": parts})


def _event(name: str, data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
