"""Asks by HTTP. Whatever the answer is, it is bounded: in time, headers and body; no redirection, no decompression.

What fails by a connection that was used before may be of that alone: it is asked once more by a new one.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from policy.health import Health
from speaker.health.checks.certificates import Contexts, TlsFileError
from speaker.health.checks.connections import MAX_RECEIVED, WAY, Connector, Way
from speaker.health.checks.failures import CLOSED, failed
from speaker.health.checks.probe import ProbeAnswer
from speaker.pattern import BodyPattern
from speaker.printable import cause_of, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.config.settings_checks import HttpCheck, JsonValue
    from speaker.health.checks.probe import Probe

MAX_BODY = 64 * 1024
"""How much of a body is looked at, in bytes."""
MAX_SEARCHED = 16 * 1024
"""How much of a body a regular expression is searched for in, in bytes."""
MAX_LINE, MAX_HEADERS = 8190, 100
_FAILURES = aiohttp.ClientError, OSError, ValueError


class HttpAsker:
    """Asks by HTTP. Make it on the event loop.

    Args:
        steady: a clock.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self._fresh = _session(Connector(keep=False, steady=steady))
        self._kept = _session(Connector(keep=True, steady=steady))
        self._contexts = Contexts()
        self._patterns: dict[str, BodyPattern] = {}

    async def ask(self, probe: Probe, what: HttpCheck) -> ProbeAnswer:
        """Ask once. It takes as long as the other end likes: the caller bounds the time."""
        try:
            context = await self._contexts.of(what.tls) if what.url.startswith("https:") else None
        except TlsFileError as error:
            why = f"not asked: {error}; correct the file, or its path in check.{probe.check.name}"
            return ProbeAnswer(Health.UNKNOWN, why)
        way = Way(what.reuse)
        WAY.set(way)
        try:
            return await self._ask(self._kept if what.reuse else self._fresh, probe, what, context)
        except _FAILURES as error:
            if not way.was_used:
                return _failed(error, way)
        try:
            return await self._ask(self._fresh, probe, what, context)
        except _FAILURES as error:
            return _failed(error, way)

    async def close(self) -> None:
        """Close all connections."""
        await self._fresh.close()
        await self._kept.close()

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        probe: Probe,
        what: HttpCheck,
        context: ssl.SSLContext | None,
    ) -> ProbeAnswer:
        headers = {
            "User-Agent": "vip-speaker",
            "Accept-Encoding": "identity",
            **dict(what.headers),
            **({"Host": what.host} if what.host else {}),
        }
        async with session.request(
            what.method,
            URL(probe.in_url(what.url), encoded=True),
            headers=headers,
            allow_redirects=False,
            ssl=True if context is None else context,
            server_hostname=what.host.partition(":")[0] if what.host and context else None,
        ) as response:
            status, expires = response.status, WAY.get().expires
            if not any(first <= status <= last for first, last in what.statuses):
                return ProbeAnswer(Health.DOWN, f"HTTP {status}", expires)
            why = ""
            if (what.body, what.regex, what.json) != (None, None, None):
                body = await _read(response.content)
                why = await self._unmatched(body, what.regex) or _wrong(body, what)
            return ProbeAnswer(Health.DOWN if why else Health.UP, f"HTTP {status}{why}", expires)

    async def _unmatched(self, body: bytes, regex: str | None) -> str:
        """Return what a body lacks of a regular expression; nothing where it lacks nothing."""
        if regex is None:
            return ""
        if (found := self._patterns.get(regex)) is None:
            found = self._patterns[regex] = BodyPattern(regex)
        text = body[:MAX_SEARCHED].decode(errors="replace")
        # In a thread: thousands of characters that were not met before take their time.
        if await asyncio.to_thread(found.search, text):
            return ""
        return f", without {printable(regex)!r} in its first {MAX_SEARCHED} bytes"


def _session(connector: Connector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=False,
        max_line_size=MAX_LINE,
        max_field_size=MAX_LINE,
        max_headers=MAX_HEADERS,
        read_bufsize=MAX_BODY,
    )


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Read a body, and one byte more than is looked at where it is longer."""
    found = bytearray()
    while len(found) <= MAX_BODY and not content.at_eof():
        found += await content.read(MAX_BODY + 1 - len(found))
    return bytes(found)


def _wrong(body: bytes, what: HttpCheck) -> str:
    """Return what is not in a body that should be; nothing where all is."""
    if what.body is not None and what.body.encode() not in body[:MAX_BODY]:
        return f", without {printable(what.body)!r} in its first {MAX_BODY} bytes"
    if what.json is None:
        return ""
    if len(body) > MAX_BODY:
        return f", JSON of more than {MAX_BODY} bytes"
    try:
        found = _at(json.loads(body), what.json)
    except (ValueError, RecursionError):
        return ", no JSON"
    except LookupError as error:
        return f", JSON without {error.args[0]}"
    wanted = what.json.equals
    is_alike = type(found) is type(wanted) or (_is_number(found) and _is_number(wanted))
    if is_alike and found == wanted:
        return ""
    return f", {_path(what.json)} is {printable(json.dumps(found))[:100]}, not {json.dumps(wanted)}"


def _at(value: Any, where: JsonValue) -> Any:
    """Return what is at a path of JSON.

    Raises:
        LookupError: nothing is.
    """
    for step in where.path:
        inside = isinstance(value, list if isinstance(step, int) else dict)
        if not inside or (step not in value if isinstance(step, str) else step >= len(value)):
            raise LookupError(_path(where))
        value = value[step]
    return value


def _path(where: JsonValue) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in where.path)
    return "".join(steps).removeprefix(".")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _failed(error: Exception, way: Way) -> ProbeAnswer:
    """Return what an error says: of the other end, or only of this machine."""
    if way.stream is not None and way.stream.is_too_much:
        return ProbeAnswer(Health.DOWN, f"no valid HTTP: more than {MAX_RECEIVED} bytes")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        return failed(cause if isinstance(cause, OSError) else ssl.SSLError(str(cause)))
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return CLOSED
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return ProbeAnswer(Health.DOWN, "no valid HTTP")
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, OSError):
        return failed(cause)
    return ProbeAnswer(Health.UNKNOWN, f"not asked: {cause_of(error)[:200]}")
