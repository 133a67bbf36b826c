"""HTTP/JSON on a unix socket: how vip_mgmt, curl and a browser ask the running watchdog.

GET /status, /explain?prefix=P&…, /history?prefix=P&…, /plan; POST /intents. Without a prefix, all.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import stat
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policy.errors import PolicyError
from policy.intent import Intent, Mode
from policy.route import Prefix, parse_prefix
from speaker import status
from speaker.errors import SpeakerError
from speaker.offline import name_of
from speaker.status import EXPLAINED, Snapshot
from speaker.steps import in_steps, json_list
from speaker.wish import take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from speaker.store import Store
    from speaker.watchdog import Watchdog

log = logging.getLogger(__name__)

MAX_REQUEST = 1 << 23
"""Bytes of a request, and of its first line: 100,000 IPv6 prefixes as they are written longest."""
MODE = 0o660
MAX_PREFIXES = 100_000
NAMED = 10
"""How many of the prefixes that are not known an error names."""
ANSWER_WITHIN = 2.0
PARTING = 0.2
"""How long an answer that is under way may hold up the end, in seconds. What was asked for is recorded."""


class ControlError(SpeakerError):
    """The socket can't be made."""


class Wish(BaseModel):
    """What `POST /intents` takes: an operator's wish for some prefixes, all or none."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mode: Annotated[Mode, Field(strict=False)]
    prefixes: Annotated[list[str], Field(min_length=1, max_length=MAX_PREFIXES)]
    reason: str = ""
    seconds: Annotated[float, Field(gt=0, le=86400 * 3650)] | None = None
    dry_run: bool = False


class Control:
    """The handlers, over one watchdog."""

    def __init__(self, watchdog: Watchdog) -> None:
        """Serve a watchdog."""
        self._watchdog = watchdog
        self._settling: asyncio.Future[None] | None = None

    def application(self) -> web.Application:
        """Return the web application."""
        application = web.Application(client_max_size=MAX_REQUEST, middlewares=[_errors])
        application.add_routes(
            [
                web.get("/status", self._status),
                web.get("/explain", self._explain),
                web.get("/history", self._history),
                web.get("/plan", self._plan),
                web.post("/intents", self._intents),
            ]
        )
        return application

    @property
    def _store(self) -> Store:
        return self._watchdog.ledger.store

    async def _settle(self) -> None:
        """Wait for what was changed to be read back; not for a daemon that does not answer.

        All who ask meanwhile wait for the same reading.
        """
        task = self._settling
        if task is None or task.done():
            task = self._settling = asyncio.ensure_future(self._watchdog.settle())
            task.add_done_callback(_look_at)
        await asyncio.wait({task}, timeout=ANSWER_WITHIN)
        if task.done():
            task.result()

    async def _status(self, _: web.Request) -> web.Response:
        await self._settle()
        now = Snapshot(self._watchdog)
        shown = await in_steps(now.routes())
        head = json.dumps(now.head(shown)).removesuffix("}")
        return _response(f'{head}, "routes": {await json_list(shown)}}}')

    async def _plan(self, _: web.Request) -> web.Response:
        await self._settle()
        return _response(await json_list(status.difference(self._watchdog)))

    async def _explain(self, request: web.Request) -> web.Response:
        asked = self._known(request.query.getall("prefix", []))
        prefixes = asked or [*self._watchdog.duties]
        await self._settle()
        history = await asyncio.to_thread(self._store.latest, prefixes, EXPLAINED)
        now = Snapshot(self._watchdog)
        return _response(await json_list(now.explanations(prefixes, history)))

    async def _history(self, request: web.Request) -> web.Response:
        prefixes = self._known(request.query.getall("prefix", []))
        entries = await asyncio.to_thread(self._store.history, prefixes)
        return web.json_response([entry.as_json() for entry in entries])

    async def _intents(self, request: web.Request) -> web.Response:
        wish = Wish.model_validate_json(await request.read())
        prefixes = self._known(wish.prefixes)
        now = self._watchdog.clock.wall()
        until = None if wish.seconds is None else now + wish.seconds
        intent = Intent(wish.mode, _owner(request), now, wish.reason, until)
        routes = await take(self._watchdog, prefixes, intent, dry_run=wish.dry_run)
        return _response(await json_list(routes))

    def _known(self, texts: list[str]) -> list[Prefix]:
        prefixes = list(dict.fromkeys(map(parse_prefix, texts)))
        if unknown := [str(p) for p in prefixes if p not in self._watchdog.duties]:
            more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
            raise PolicyError(
                f"prefix: {', '.join(unknown[:NAMED])}{more}: not in the configuration that the "
                "watchdog runs; if vip.toml has it, send the watchdog a HUP"
            )
        return prefixes


def _response(text: str) -> web.Response:
    return web.Response(text=text, content_type="application/json")


def _look_at(task: asyncio.Future[None]) -> None:
    """Say what became of a reading, which not everybody has waited for."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s", error)


@web.middleware
async def _errors(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer a bad request with 400 and a fault of ours with 500, both as {"error": …}."""
    try:
        response: web.StreamResponse = await handler(request)
    except (PolicyError, ValidationError) as error:
        return web.json_response({"error": str(error)}, status=400)
    except web.HTTPException as error:
        return web.json_response({"error": error.text or error.reason}, status=error.status)
    except SpeakerError as error:
        log.exception("%s %s", request.method, request.path)
        return web.json_response({"error": str(error)}, status=500)
    return response


def _owner(request: web.Request) -> str:
    """Return the name of the user at the other end, which the kernel vouches for (SO_PEERCRED)."""
    transport = request.transport
    if transport is None:
        raise PolicyError("control: the caller is gone")
    credentials = transport.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    _, uid, _ = struct.unpack("3i", credentials)
    return name_of(uid)


@asynccontextmanager
async def serving(path: Path, watchdog: Watchdog) -> AsyncIterator[None]:
    """Serve on a unix socket of mode 0660 while the context lasts.

    Raises:
        ControlError: the socket can't be made, or another watchdog serves it.
    """
    # A question names its prefixes in the first line.
    application = Control(watchdog).application()
    runner = web.AppRunner(
        application, access_log=None, max_line_size=MAX_REQUEST, shutdown_timeout=PARTING
    )
    await runner.setup()
    try:
        listener = _listen(path)
        site = web.SockSite(runner, listener)
        await site.start()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - a socket's name, at the very end
    finally:
        await runner.cleanup()


def _listen(path: Path) -> socket.socket:
    listener = None
    try:
        _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        # The mode is set before anybody can connect: listening comes after.
        listener.bind(str(path))
        path.chmod(MODE)
        listener.listen()
    except OSError as error:
        if listener is not None:
            listener.close()
        raise ControlError(
            f"control: {path}: {error.strerror or error}; its directory must be writable for user "
            f"{name_of(os.geteuid())}, and node.control names it"
        ) from error
    return listener


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody serves, such as a killed watchdog leaves."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # it serves, and has no time
        except PermissionError as error:
            owner = name_of(path.stat().st_uid)
            raise ControlError(
                f"control: {path}: belongs to {owner}, and {name_of(os.geteuid())} can't tell whether "
                "it is served; stop the vip_watchdog that made it, or remove it"
            ) from error
    raise ControlError(f"control: {path}: another watchdog serves it; stop that one first")


__all__ = ["Control", "ControlError", "serving"]
