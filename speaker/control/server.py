"""HTTP/JSON on unix sockets: how vip_mgmt, curl and a browser reach the running watchdog.

There are two sockets: the operators' one, and one for those who may only ask. See `handlers` for what
is asked.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn

from speaker.control.handlers import Control
from speaker.control.speaking import LineLimits, speaking
from speaker.control.unix_socket import CONNECTIONS, OPERATORS, Access, Bound, ControlError, bind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from speaker.control.handlers import Reload
    from speaker.reconcile.reconciler import Reconciler

log = logging.getLogger(__name__)

CHECK = 0.5
"""How often to see whether the socket can be made, or is still in its place, in seconds."""
READERS = 16
"""How many of CONNECTIONS' kind those who may only ask have, beside the operators' own."""
AT_ONCE = 8
"""How many are accepted before those are closed that made room for them."""
MAX_LINE = 1 << 16
"""Bytes of the first line of a request: a question about 1,000 prefixes."""
MAX_HEADERS, MAX_HEADER = 32, 1 << 11
"""How many more lines it may have before its body, and bytes of each: as many again."""
LIMITS = LineLimits(MAX_LINE, MAX_HEADERS, MAX_HEADER)
WAITING = 128
"""How many may wait to be accepted: the kernel refuses more at once."""


async def serve(
    path: Path, reconciler: Reconciler, access: Access = OPERATORS, reload: Reload | None = None
) -> NoReturn:
    """Serve on a unix socket for ever: as soon as it can be made, and again where it was removed.

    Args:
        path: of the socket.
        reconciler: what is asked.
        access: who may connect, and what for.
        reload: see `Control`.
    """
    subject, lost = (
        ("read", "users of the read-only socket can't reach this watchdog")
        if access.asks_only
        else ("control", "vip_mgmt can't reach this watchdog")
    )
    control = Control(reconciler, access, reload)
    async with speaking(control.application(), control.connections, LIMITS) as connected:
        while True:
            try:
                bound = bind(path, access)
            except ControlError as error:
                text = str(error).removeprefix("control: ")
                reconciler.alarms.note(subject, f"{text}; {lost}")
                await asyncio.sleep(CHECK)
                continue
            reconciler.alarms.note(subject, "")
            async with _accepting(bound, connected):
                while bound.is_in_place:  # noqa: ASYNC110 - nothing tells when it is removed
                    await asyncio.sleep(CHECK)
            log.warning("control: %s: was removed or replaced; creating it again", path)


@asynccontextmanager
async def serving(
    path: Path, reconciler: Reconciler, access: Access = OPERATORS, reload: Reload | None = None
) -> AsyncIterator[None]:
    """Serve on a unix socket while the context lasts.

    Raises:
        ControlError: the socket can't be made, or another watchdog serves it.
    """
    control = Control(reconciler, access, reload)
    async with (
        speaking(control.application(), control.connections, LIMITS) as connected,
        _accepting(bind(path, access), connected),
    ):
        yield


@asynccontextmanager
async def _accepting(
    bound: Bound, connected: Callable[[], asyncio.Protocol]
) -> AsyncIterator[None]:
    """Accept connections on a socket while the context lasts."""
    try:
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(connected, sock=bound.listener, backlog=AT_ONCE)
        bound.listener.listen(WAITING)
        try:
            yield
        finally:
            server.close()
    finally:
        bound.remove()
        bound.listener.close()


__all__ = ["CONNECTIONS", "Access", "Control", "ControlError", "serve", "serving"]
