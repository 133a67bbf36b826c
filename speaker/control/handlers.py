"""What is asked over HTTP, and how it is answered: the handlers, over one watchdog.

GET /status, /explain?prefix=P&…, /history?since=T&prefix=P&…&report=NAME&…, /plan; POST /intents, /intents/as-loaded,
/reload; and what `control.windows` and `control.site` have. Without a prefix, all; more of them than a line holds go into a body: POST /explain, /history {"prefixes": [P, …]}.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web

from policy.errors import PolicyError
from policy.intent import is_time
from policy.route import parse_prefix
from policy.site_intent import Extent
from policy.sources import REPORT
from policy.wording import named
from speaker.api import Question, Reloaded
from speaker.control.answers import ControlAnswers, as_json
from speaker.control.as_loaded import IntentAsLoaded
from speaker.control.body import Bodies
from speaker.control.client import SUDO_USER, timeout_for
from speaker.control.connections import Connections, sent
from speaker.control.errors import errors_told
from speaker.control.identity import owner
from speaker.control.orders import OrderHandling
from speaker.control.other_end import other_end
from speaker.control.reports import ByOperator, ReportHandlers
from speaker.control.site import SiteHandlers
from speaker.control.site_explained import known_intents, with_site
from speaker.control.unix_socket import OPERATORS
from speaker.control.windows import WindowHandlers
from speaker.errors import SpeakerError
from speaker.reconcile.difference import difference
from speaker.reconcile.status import AT_ONCE, EXPLAINED, Snapshot
from speaker.reported import unknown_report
from speaker.site_values import SiteOrder
from speaker.state.store import NEWEST, NEWEST_SINCE
from speaker.supervision.steps import json_list

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from policy.route import Prefix
    from speaker.control.unix_socket import Access
    from speaker.reconcile.reconciler import Reconciler
    from speaker.state.store import Store

    Reload = Callable[[], Awaitable[str]]

MAX_BODY = 1 << 23
"""Bytes of a body: 100,000 IPv6 prefixes as they are written longest."""
MAX_QUESTION = 1 << 20
"""Bytes of a body of those who may only ask: questions about 10,000 prefixes."""
NAMED = 10
"""How many of the prefixes that are not known an error names."""
_QUESTIONS = {"GET", "HEAD"}
_WITH_BODY = {"/explain", "/history", "/site"}
"""What may be asked by POST."""


class Control:
    """The handlers, over one watchdog.

    Args:
        reconciler: the watchdog.
        access: who may connect, and what for.
        reload: has it read vip.toml again, and returns what is to be said of it; or raises.
    """

    def __init__(
        self, reconciler: Reconciler, access: Access = OPERATORS, reload: Reload | None = None
    ) -> None:
        self._reconciler = reconciler
        self._asks_only = access.asks_only
        self.connections = Connections(access.connections)
        self._bodies = Bodies(MAX_QUESTION if access.asks_only else MAX_BODY, self.connections)
        self._answers, self._orders = ControlAnswers(reconciler), OrderHandling(reconciler)
        self._reload_it = reload

    def application(self) -> web.Application:
        """Return the web application."""
        guards = [self.connections.answered, errors_told]
        if self._asks_only:
            guards.append(self._only_questions)
        application = web.Application(middlewares=guards)
        application.add_routes(
            [
                web.get("/status", self._answers.status),
                web.get("/explain", self._explain),
                web.get("/history", self._history),
                web.post("/explain", self._explain),
                web.post("/history", self._history),
                web.get("/plan", self._plan),
                web.post("/intents", self._intents),
                web.post("/intents/as-loaded", self._intents_as_loaded),
                web.post("/reload", self._reload),
                *WindowHandlers(self._reconciler, self._bodies, self._known, _owner).routes(),
                *SiteHandlers(self._reconciler, self._answers, self._asked).routes(),
                *ReportHandlers(self._reconciler, self._bodies, _operator, self._answers).routes(),
            ]
        )
        return application

    @property
    def _store(self) -> Store:
        return self._reconciler.durable.store

    @web.middleware
    async def _only_questions(self, request: web.Request, handler: Any) -> web.StreamResponse:
        asks = request.method == "POST" and request.path in _WITH_BODY
        if request.method not in _QUESTIONS and not asks:
            raise web.HTTPForbidden(
                text=f"{request.method} {request.path}: this socket only answers questions; draining "
                f"and restoring go over {self._reconciler.config.settings.control}, for members of its group"
            )
        response: web.StreamResponse = await handler(request)
        return response

    async def _plan(self, _: web.Request) -> web.Response:
        await self._answers.settle()
        return as_json(await json_list(difference(self._reconciler)))

    async def _explain(self, request: web.Request) -> web.Response:
        async with self._asked(request) as asked:
            prefixes = asked or [*self._reconciler.assignments]
            await self._answers.record()
            async with self._answers.room(len(prefixes)):
                history = await asyncio.to_thread(self._store.latest, prefixes, EXPLAINED)
                known = await known_intents(self._reconciler, prefixes)
                told = Snapshot(self._reconciler).explanations(prefixes, history)
                site, now = self._reconciler.site, self._reconciler.clock.wall()
                here = Extent() if site is None else site.here
                unread = self._reconciler.first_reading.is_missing
                explained = with_site(here, now, told, prefixes, known, unread=unread)
                response = as_json(await json_list(explained, AT_ONCE))
                await sent(request, response)
            return response

    async def _history(self, request: web.Request) -> web.Response:
        async with self._asked(request) as prefixes:
            since, reports = _since(request), self._reports(request)
            await self._answers.record()
            async with self._answers.room(NEWEST if since is None else NEWEST_SINCE):
                entries = await asyncio.to_thread(
                    self._store.history, [*prefixes, *reports], since=since
                )
                response = as_json(await json_list(entries))
                await sent(request, response)
            return response

    def _reports(self, request: web.Request) -> list[str]:
        """Return the reports that history is asked about, as it names them."""
        known = self._reconciler.config.settings.api.reports
        names = request.query.getall("report", [])
        if unknown := [name for name in names if name not in known]:
            raise PolicyError(unknown_report(unknown[0], [*known]))
        return [f"{REPORT}{name}" for name in names]

    async def _intents(self, request: web.Request) -> web.Response:
        async with self._bodies.read(request) as body:
            asked = SiteOrder.from_text(body)
            return await self._apply(request, asked, asked.prefixes)

    async def _intents_as_loaded(self, request: web.Request) -> web.Response:
        async with self._bodies.read(request) as body:
            asked = IntentAsLoaded.from_text(body)
            if self._reconciler.site is not None and not asked.extent:
                raise web.HTTPConflict(text="extent: this watchdog is of a site: say for whom")
            return await self._apply(request, asked, asked.meant(self._reconciler.config))

    async def _apply(
        self, request: web.Request, asked: SiteOrder, prefixes: Iterable[Prefix]
    ) -> web.Response:
        known = self._known(prefixes)
        if not known:
            raise PolicyError("prefixes: none is meant; vip.toml has no VIP")
        ordered = await self._orders.apply(asked, known, _owner(request))
        outcomes = await json_list(ordered.outcomes)
        if not asked.extent:
            return as_json(outcomes)
        site = None if ordered.site is None else ordered.site.to_json()
        return as_json(f'{{"outcomes": {outcomes}, "site": {json.dumps(site)}}}')

    async def _reload(self, _: web.Request) -> web.Response:
        if self._reload_it is None:
            raise web.HTTPNotFound(text="reload: this watchdog's configuration is given, not read")
        try:
            async with asyncio.timeout(timeout_for(len(self._reconciler.assignments))):
                said = await self._reload_it()
        except TimeoutError:
            raise web.HTTPServiceUnavailable(
                text="reload: vip.toml is still being read; is its disk well?"
            ) from None
        except SpeakerError as error:  # it is in the log already
            raise web.HTTPConflict(text=str(error)) from error
        return web.json_response(Reloaded(said=said).to_json())

    @asynccontextmanager
    async def _asked(self, request: web.Request) -> AsyncIterator[list[Prefix]]:
        """Read about which prefixes something is asked, in the first line or in the body."""
        if request.method != "POST":
            yield self._known(map(parse_prefix, request.query.getall("prefix", [])))
            return
        async with self._bodies.read(request) as body:
            yield self._known(Question.from_text(body).prefixes)

    def _known(self, asked: Iterable[Prefix]) -> list[Prefix]:
        prefixes = list(dict.fromkeys(asked))
        if unknown := [str(p) for p in prefixes if p not in self._reconciler.assignments]:
            raise PolicyError(
                f"prefix: {named(unknown, NAMED)}: not in the configuration that the "
                "watchdog runs; if vip.toml has it, load it by vip_mgmt reload"
            )
        return prefixes


def _since(request: web.Request) -> float | None:
    """Return since when history is asked for, in seconds since the epoch."""
    text = request.query.get("since")
    if text is None:
        return None
    with suppress(ValueError):
        if is_time(since := float(text)):
            return since
    raise PolicyError(f"since: {text[:80]!r}: not a time in seconds since the epoch")


def _owner(request: web.Request) -> str:
    """Return the name of the user at the other end, which the kernel vouches for (SO_PEERCRED)."""
    uid = other_end(request.transport).uid
    return owner(uid, request.headers.get(SUDO_USER, ""))


async def _operator(request: web.Request) -> ByOperator:
    return ByOperator(_owner(request))
