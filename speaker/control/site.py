"""What is asked about a whole site over HTTP: GET /site; and what explains a prefix by the orders of the site.

GET /site has the prefixes that need attention, and else VIPs; ?all all prefixes, ?prefix=P&… some; more of them than a line holds go into
a body: POST /site {"prefixes": [P, …]}.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from aiohttp import web

from policy.explain.line import About
from policy.explain.site import orders
from speaker.api import Sentence
from speaker.control.answers import as_json
from speaker.control.connections import sent
from speaker.control.site_shown import SiteShown
from speaker.reconcile.status import DETAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from policy.route import Prefix
    from policy.site_intent import SiteIntent
    from speaker.api import Explanation
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


async def known_intents(reconciler: Reconciler, prefixes: Sequence[Prefix]) -> Known | None:
    """Return which orders of the site are known of some prefixes; None where there is no site, or nobody reads of so many."""
    if reconciler.site is None or len(prefixes) > DETAILED:
        return None
    return await asyncio.to_thread(reconciler.durable.store.site_known, prefixes)


def with_site(
    reconciler: Reconciler,
    explanations: Iterable[Explanation],
    prefixes: Sequence[Prefix],
    known: Known | None,
) -> Iterator[Explanation]:
    """Yield explanations with what the orders of the site have to do with each, where they are known.

    Args:
        reconciler: knows which machine this is.
        explanations: of these prefixes, in their order.
        prefixes: those.
        known: the orders of each.
    """
    site, now = reconciler.site, reconciler.clock.wall()
    if site is None or known is None:
        yield from explanations
        return
    for prefix, each in zip(prefixes, explanations, strict=True):
        told = (
            Sentence(about=About.SITE, text=text)
            for text in orders(known.get(prefix, ()), site.here, now)
        )
        own = [s for s in each.sentences if s.about in (About.DECISION, About.OPERATOR)]
        yield replace(each, sentences=(*own, *told, *each.sentences[len(own) :]))
