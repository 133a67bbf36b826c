"""Asks one member of etcd by HTTP: one answer, or the lines of a stream. Every answer is bounded; no redirection, no proxy."""

from __future__ import annotations

import io
import json
import os
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from speaker.health.checks.certificates import TlsFileError
from speaker.printable import printable, reason
from speaker.site.base import EtcdRefusedError
from speaker.site.etcd.answers import failure
from speaker.site.etcd.errors import MemberError, NotAskedError, TlsError, TooMuchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from speaker.site.etcd.requests import Json

MAX_ANSWER = 16 << 20
"""Bytes of an answer, or of a line of a stream."""
_CHUNK = 1 << 16
_HEADERS = {
    "Content-Type": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "vip-speaker",
}
_LEADER = {"Grpc-Metadata-hasleader": "true"}
"""Who has no leader ends a stream: else it would stay, and say nothing."""


class MemberClient:
    """One member. Whatever fails in asking it is a `MemberError`, or an `EtcdError` that says what it refuses.

    Args:
        url: where it is: `https://192.0.2.21:2379`.
        session: returns what has the connections.
        context: returns the context of TLS.
    """

    def __init__(
        self,
        url: str,
        session: Callable[[], aiohttp.ClientSession],
        context: Callable[[], Awaitable[ssl.SSLContext]],
    ) -> None:
        self.url = url
        self._session, self._context = session, context

    async def ask(self, path: str, asked: Json, token: str = "") -> bytes:
        """Return the answer. It takes as long as the member likes: the caller bounds the time."""
        async with self._answer(path, asked, token, {}) as response:
            return await _all(response.content)

    async def first_line(self, path: str, asked: Json, token: str = "") -> bytes:
        """Return the first line of an answer that is a stream. See `ask`."""
        async with self._answer(path, asked, token, _LEADER) as response:
            return await Lines(response.content).next()

    @asynccontextmanager
    async def stream(self, path: str, asked: Json, token: str = "") -> AsyncIterator[Lines]:
        """Ask, and have the lines of the answer while the context lasts. See `ask`."""
        async with self._answer(path, asked, token, _LEADER) as response:
            yield Lines(response.content)

    @asynccontextmanager
    async def _answer(
        self, path: str, asked: Json, token: str, more: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        context = await self._tls()
        try:
            response = await self._session().post(
                URL(f"{self.url}{path}", encoded=True),
                data=io.BytesIO(json.dumps(asked).encode()),
                headers={**_HEADERS, **({"Authorization": token} if token else {}), **more},
                allow_redirects=False,
                ssl=context if context is not None else True,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failed(error) from error
        try:
            if response.status != 200:
                raise failure(response.status, await _all(response.content))
            yield response
        finally:
            response.close()  # where there is more of it to come; else its connection is used again

    async def _tls(self) -> ssl.SSLContext | None:
        if not self.url.startswith("https:"):
            return None
        try:
            return await self._context()
        except TlsFileError as error:
            raise EtcdRefusedError(
                f"TLS: {error}; correct the file, or site.ca, site.cert, site.key"
            ) from error
        except OSError as error:  # no thread to read them in
            raise NotAskedError(f"the files of TLS were not read: {reason(error)}") from error


class Lines:
    """The lines of a stream.

    Args:
        content: where they come from.
    """

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content
        self._rest = bytearray()
        self._seen = 0

    async def next(self) -> bytes:
        """Return the next line. Where this is cancelled, nothing is lost.

        Raises:
            MemberError: the stream has ended, or the line is too long.
        """
        while (end := self._rest.find(b"\n", self._seen)) < 0:
            self._seen = len(self._rest)
            if self._seen > MAX_ANSWER:
                raise MemberError(f"a line of more than {MAX_ANSWER} bytes")
            try:
                part = await self._content.readany()
            except (aiohttp.ClientError, OSError) as error:
                raise _failed(error) from error
            if not part:
                raise MemberError("it ended the answer")
            self._rest += part
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        self._seen = 0
        return line


async def _all(content: aiohttp.StreamReader) -> bytes:
    found = bytearray()
    try:
        while part := await content.read(_CHUNK):
            found += part
            if len(found) > MAX_ANSWER:
                raise TooMuchError(f"an answer of more than {MAX_ANSWER} bytes")
    except (aiohttp.ClientError, OSError) as error:
        raise _failed(error) from error
    return bytes(found)


def _failed(error: Exception) -> MemberError:
    """Return what an error of HTTP says, in few words."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or error.certificate_error
        return TlsError(f"its certificate is not trusted: {_words(why)}")
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error.__cause__
    if isinstance(cause, ssl.SSLError) or isinstance(error, ssl.SSLError):
        found = cause if isinstance(cause, ssl.SSLError) else error
        return TlsError(f"TLS: {reason(found)[:200]}")
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return NotAskedError(os.strerror(number) if number else _words(error.os_error))
    if isinstance(
        error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionError
    ):
        return MemberError("it closed the connection")
    if isinstance(error, aiohttp.ClientOSError) and error.strerror:
        return MemberError(_words(error.strerror))
    return MemberError(f"no valid HTTP: {type(error).__name__}")


def _words(what: object) -> str:
    return printable(str(what))[:200]
