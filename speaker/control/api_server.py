"""Where applications report: HTTP on addresses and unix sockets of vip.toml, for who has a token.

Nothing can be asked there but reports and `status`, and nothing be changed but by reports. A token passes in the clear on loopback alone.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from aiohttp import web

from speaker.control.answers import ControlAnswers
from speaker.control.body import Bodies
from speaker.control.callers import Callers
from speaker.control.connections import Connections
from speaker.control.errors import errors_told
from speaker.control.rate import Rates
from speaker.control.refusals import Refusals
from speaker.control.reports import MAX_REPORT, ReportHandlers
from speaker.control.speaking import LineLimits, speaking
from speaker.control.tls import Handshakes, TlsDoor, context, ends
from speaker.control.unix_socket import Access, ControlError, bind
from speaker.printable import reason
from speaker.supervision.cancellation import heed_cancellation
from speaker.supervision.supervisor import end, end_all
from speaker.units import endpoint_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from speaker.config.settings_api import ApiTls
    from speaker.control.callers import Holder
    from speaker.reconcile.reconciler import Reconciler
    from speaker.units import Endpoint

    Where = Endpoint | Path

log = logging.getLogger(__name__)

CONNECTIONS = 64
"""How many there may be at once, at each place."""
MAX_LINE, MAX_HEADERS, MAX_HEADER = 1 << 10, 32, 1 << 11
"""Bytes of the first line of a request, how many more lines it may have, and bytes of each."""
LIMITS = LineLimits(MAX_LINE, MAX_HEADERS, MAX_HEADER)
WAITING = 64
"""How many may wait to be accepted."""
CHECK = 0.5
"""How often to see whether it can be listened, is still in its place, or is to be elsewhere, in seconds."""
SUBJECT = "api"
TOKENS = "tokens"
ACCESS = Access(connections=CONNECTIONS, key="api.listen", group_key="api.group")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="vip_watchdog"'}


class ListenPlace(NamedTuple):
    """Where it listens: an address, where `tls` says what is shown, or a unix socket of a group."""

    where: Where
    tls: ApiTls | None = None
    group: str | None = None


class ServedPlace(NamedTuple):
    """A place that is served.

    Attributes:
        is_in_place: tells whether it still leads here.
        until: tells when the certificate that is shown expires, in seconds since the epoch.
    """

    is_in_place: Callable[[], bool] = lambda: True
    until: Callable[[], float] = lambda: inf


class Desk:
    """The handlers, over one watchdog, and what all places have in common: tokens, and how often each may ask.

    Args:
        reconciler: the watchdog.
        rates: how often each may ask; None for the usual.
    """

    def __init__(self, reconciler: Reconciler, rates: Rates | None = None) -> None:
        self._reconciler = reconciler
        self._rates = rates or Rates(reconciler.clock.steady)
        self._answers = ControlAnswers(reconciler)
        self.refusals = Refusals(reconciler.durable.store, reconciler.clock)
        self.callers = Callers(
            lambda: reconciler.config.settings.api, reconciler.clock, self._note_tokens
        )

    def _note_tokens(self, text: str) -> None:
        """Note what keeps it from being known who asks; an empty text where nothing does."""
        self._reconciler.alarms.note(TOKENS, text)
        hinders(self._reconciler, TOKENS, text)

    def refused(self, place: ListenPlace, until: float) -> str:
        """Say why callers refuse what a place shows them; nothing where they don't."""
        if place.tls is None or until > self._reconciler.clock.wall():
            return ""
        return (
            f"certificate: {place.tls.certificate}: has expired; applications can't report there: renew it, "
            "and it is shown within ten minutes"
        )

    def application(self, connections: Connections) -> web.Application:
        """Return the web application of a place."""
        application = web.Application(
            middlewares=[connections.answered, errors_told, self.refusals.noted]
        )
        bodies = Bodies(MAX_REPORT, connections)
        handlers = ReportHandlers(self._reconciler, bodies, self._caller, self._answers)
        application.add_routes(handlers.routes())
        return application

    async def _caller(self, request: web.Request) -> Holder:
        """Return who asks.

        Raises:
            HTTPException: nobody who may, or too often.
        """
        holder = await self.callers.of(request)
        if holder is None:
            raise web.HTTPUnauthorized(
                text="api: no token that is known, nor a certificate or group that [api.tokens] names; send "
                "Authorization: Bearer TOKEN",
                headers=_CHALLENGE,
            )
        if not self._rates.take(holder.rights[0].name):
            raise web.HTTPTooManyRequests(
                text=f"api: {holder.name} asks too often; ask less often",
                headers={"Retry-After": "1"},
            )
        return holder


def hinders(reconciler: Reconciler, what: str, text: object) -> None:
    """Note whether something keeps applications from reporting."""
    hindered = reconciler.durable.intents.hindered
    (hindered.add if text else hindered.discard)(what)


async def serve(reconciler: Reconciler) -> NoReturn:
    """Serve for ever, wherever vip.toml says: at each place as soon as it is possible."""
    desk = Desk(reconciler)
    places: dict[ListenPlace, asyncio.Task[None]] = {}
    troubles: dict[Where, str] = {}
    waiting: set[Where] = set()  # that were not to be had until now

    def note(where: Where, text: str) -> None:
        troubles[where] = text
        said = " | ".join(filter(None, troubles.values()))
        reconciler.alarms.note(SUBJECT, said)
        waiting.discard(where)
        hinders(reconciler, SUBJECT, said or waiting)

    try:
        while True:
            api = reconciler.config.settings.api
            wanted = {ListenPlace(where, tls=api.tls) for where in api.listen}
            wanted |= {ListenPlace(path, group=api.group) for path in api.sockets}
            for place in places.keys() - wanted:
                await end(places.pop(place))
                note(place.where, "")
                del troubles[place.where]
            for place in wanted - places.keys():
                waiting.add(place.where)
                hinders(reconciler, SUBJECT, waiting)
                name = f"api: {_name(place.where)}"
                places[place] = asyncio.create_task(serve_at(desk, place, note), name=name)
            if not places:  # then nobody is asked for a token
                desk.callers.rest()
            with suppress(BlockingIOError):  # no thread to do it in
                await desk.callers.look_again()
            await desk.refusals.tell()
            await asyncio.sleep(CHECK)
            for task in places.values():
                if task.done():
                    task.result()
    finally:
        await end_all(places.values())
        await desk.refusals.tell(at_end=True)


def _name(where: Where) -> str:
    return str(where) if isinstance(where, Path) else endpoint_text(where)


async def serve_at(desk: Desk, place: ListenPlace, note: Callable[[Where, str], None]) -> None:
    """Serve at a place for ever: as soon as it can be had, and again where it was removed."""
    while True:
        try:
            async with serving(desk, place) as served:
                while served.is_in_place():
                    note(place.where, desk.refused(place, served.until()))
                    await asyncio.sleep(CHECK)
            log.warning("api: %s: was removed or replaced; creating it again", _name(place.where))
        except (OSError, ControlError) as error:
            heed_cancellation()
            why = reason(error).removeprefix("control: ")
            note(
                place.where,
                f"listen: {_name(place.where)}: {why}; applications can't report there: free it, or correct [api]",
            )
            await asyncio.sleep(CHECK)


@asynccontextmanager
async def serving(desk: Desk, place: ListenPlace) -> AsyncIterator[ServedPlace]:
    """Serve at a place while the context lasts.

    Raises:
        OSError, ControlError: it can't be had.
    """
    connections = Connections(CONNECTIONS)
    async with AsyncExitStack() as stack:
        connected: Callable[[], Any] = await stack.enter_async_context(
            speaking(desk.application(connections), connections, LIMITS)
        )
        loop = asyncio.get_running_loop()
        if isinstance(place.where, Path):
            bound = bind(place.where, replace(ACCESS, group=place.group))
            stack.callback(bound.listener.close)
            stack.callback(bound.remove)
            unix = await loop.create_unix_server(connected, sock=bound.listener, backlog=WAITING)
            stack.callback(unix.close)
            yield ServedPlace(lambda: bound.is_in_place)
            return
        handshakes = None
        if place.tls is not None:
            shown = await asyncio.to_thread(context, place.tls)
            until = await asyncio.to_thread(ends, place.tls)
            handshakes = Handshakes(shown, connected, until)
            stack.push_async_callback(handshakes.close)
            connected = partial(TlsDoor, handshakes)
        address, port = place.where
        server = await loop.create_server(connected, str(address), port, backlog=WAITING)
        stack.callback(server.close)
        if handshakes is not None and place.tls is not None:
            group = await stack.enter_async_context(asyncio.TaskGroup())  # it may not end unseen
            stack.callback(group.create_task(handshakes.keep_renewing(place.tls)).cancel)
        yield ServedPlace(until=lambda: inf if handshakes is None else handshakes.until)
