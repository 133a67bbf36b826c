"""Sends what is shown, to whom: piece by piece, in a bounded time, to those who ask for this machine."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from speaker.control.connections import IDLE
from speaker.units import address

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PIECE = 1 << 16
"""Bytes that are handed over at once: no more waits for a caller who reads slowly."""
WITHIN = 60.0
"""How long all of an answer may take, in seconds."""
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9_.-]+))(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Content:
    """Something to be sent, whole."""

    kind: str
    content: bytes
    _packed: list[bytes] = field(default_factory=list)
    _packing: threading.Lock = field(default_factory=threading.Lock)

    def packed(self) -> bytes:
        """Return it for those who take it with gzip: packed once for all. It takes its time where there is much."""
        with self._packing:
            if not self._packed:
                self._packed.append(gzip.compress(self.content, 1, mtime=0))
            return self._packed[0]


async def send(
    request: web.Request, document: Content, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer with a document. Who does not read it, or too slowly, is let go."""
    is_packed = len(document.content) > PIECE and "gzip" in request.headers.get(
        "Accept-Encoding", ""
    )
    content = await asyncio.to_thread(document.packed) if is_packed else document.content
    response = web.StreamResponse(headers={**headers, "Content-Type": document.kind})
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    response.content_length = len(content)
    try:
        async with asyncio.timeout(WITHIN):
            await response.prepare(request)
            if request.method != "HEAD":
                await write(response, content)
            await response.write_eof()
    except TimeoutError:
        let_go(request)
    except ConnectionError:
        pass  # it went away
    return response


def let_go(request: web.Request) -> None:
    """Close a connection at once, with what the kernel keeps for a caller who does not read it."""
    if (transport := request.transport) is not None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


async def write(response: web.StreamResponse, content: bytes) -> None:
    """Write a part of an answer, of which no more than a piece waits in memory.

    Raises:
        TimeoutError: a piece was not read in time.
        ConnectionError: the caller is gone.
    """
    whole = memoryview(content)
    for start in range(0, len(content), PIECE):
        async with asyncio.timeout(IDLE):
            await response.write(whole[start : start + PIECE])


def unhosted(host: str, names: Collection[str]) -> str:
    """Return why a request is not for this machine, as far as its Host header tells; nothing where it may be.

    A page of somebody else's reaches us by a name of its own, never by an address or `localhost`.

    Args:
        host: the header.
        names: this machine's, in small letters.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return "no host is asked for"
    if match["six"]:
        return ""
    name = match["name"].lower().removesuffix(".")
    if name == "localhost" or name in names or _is_address(name):
        return ""
    return f"{name} is not known as a name of this machine: if it is one, add it to metrics.hosts in vip.toml"


def _is_address(name: str) -> bool:
    try:
        address(name)
    except ValueError:
        return False
    return True
