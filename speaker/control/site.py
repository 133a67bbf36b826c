"""What is asked about a whole site over HTTP: GET /site.

GET /site has the prefixes that need attention, and else VIPs; ?all all prefixes, ?prefix=P&… some; more of them than a line holds go into
a body: POST /site {"prefixes": [P, …]}.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from aiohttp import web

from speaker.control.answers import as_json
from speaker.control.connections import sent
from speaker.control.site_shown import SiteShown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from policy.route import Prefix
    from policy.site_intent import SiteIntent
    from speaker.control.answers import ControlAnswers
    from speaker.reconcile.reconciler import Reconciler

    Known = Mapping[Prefix, Sequence[SiteIntent]]
    Asked = Callable[[web.Request], AbstractAsyncContextManager[list[Prefix]]]


class SiteHandlers:
    """The handlers, over one watchdog.

    Args:
        reconciler: the watchdog.
        answers: have room for what is answered.
        asked: reads about which prefixes something is asked.
    """

    def __init__(self, reconciler: Reconciler, answers: ControlAnswers, asked: Asked) -> None:
        self._reconciler, self._answers, self._asked = reconciler, answers, asked

    def routes(self) -> Sequence[web.RouteDef]:
        """Return what is served."""
        return [web.get("/site", self._site), web.post("/site", self._site)]

    async def _site(self, request: web.Request) -> web.Response:
        site, assignments = self._reconciler.site, self._reconciler.assignments
        if site is None:
            raise web.HTTPNotFound(
                text="site: this watchdog knows of no other machines: vip.toml has no [site], or it is not loaded"
            )
        async with (
            self._asked(request) as asked,
            self._answers.room(len(assignments) * max(len(site.members()), 1)),
        ):
            shown = await SiteShown.of(self._reconciler, site)
            wanted = {*asked} or None
            is_whole = wanted is not None or "all" in request.query
            response = as_json(await asyncio.to_thread(_text, shown, wanted, is_whole=is_whole))
            await sent(request, response)
            return response


def _text(shown: SiteShown, wanted: Collection[Prefix] | None, *, is_whole: bool) -> str:
    """Return what is answered, as JSON. Of ten thousand prefixes at twenty machines it takes a second: not on the event loop."""
    if not is_whole:
        return json.dumps(shown.folded().to_json())
    head = shown.status().to_json()
    del head["prefixes"]
    each = ", ".join(json.dumps(prefix.to_json()) for prefix in shown.prefixes(wanted))
    return f'{json.dumps(head).removesuffix("}")}, "prefixes": [{each}]}}'
