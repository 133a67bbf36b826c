"""Sends an event to a URL by POST. The URL may be a secret: no error shows more of it than its host.

A request of HTTP/1.1 is written, and the status read, by hand: a client that reads whole answers also reads those
that come before the last one (1xx), and there may be any number of them.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from functools import cache
from urllib.parse import urlsplit

from speaker.telemetry.sink import RefusedEventError, SinkError

WITHIN = 10.0
"""How long one may take, in seconds."""
MAX_LINES, MAX_LINE = 100, 1 << 12
"""How many lines of an answer are read before its status is there, and bytes of each."""
AGAIN = {408, 425, 429}
"""Of the answers that refuse an event, those that ask for another try."""
_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})(?![0-9])")
_PORTS = {"http": 80, "https": 443}


class Webhook:
    """A URL that takes events. It is `Sink`."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._host = self._url.hostname or ""

    async def send(self, event: bytes) -> None:
        """See `Sink.send`. No redirection is followed, and nothing of the answer is read but its status."""
        try:
            async with asyncio.timeout(WITHIN):
                status = await self._post(event)
        except TimeoutError as error:
            raise SinkError(f"{self._host}: no answer within {WITHIN:g} s") from error
        except ssl.SSLCertVerificationError as error:
            raise SinkError(f"{self._host}: its certificate is not trusted") from error
        except socket.gaierror as error:
            text = f"{self._host}: not reached: {error.strerror}; see /etc/resolv.conf"
            raise SinkError(text) from error
        except (OSError, ValueError) as error:
            why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            raise SinkError(f"{self._host}: not reached: {why}") from error
        if 200 <= status < 300:
            return
        if 300 <= status < 500 and status not in AGAIN:
            raise RefusedEventError(
                f"{self._host}: refused with HTTP {status}; correct events.webhook"
            )
        raise SinkError(f"{self._host}: HTTP {status}")

    async def _post(self, event: bytes) -> int:
        """Send an event, and return the status of the answer.

        Raises:
            SinkError: it is no answer.
            OSError: it can't be reached, or goes away.
            ValueError: its host's name is none.
        """
        tls = await asyncio.to_thread(trusted) if self._url.scheme == "https" else None
        port = self._url.port or _PORTS[self._url.scheme]
        reader, writer = await asyncio.open_connection(
            self._host, port, ssl=tls, limit=MAX_LINE, happy_eyeballs_delay=0.25
        )
        try:
            writer.write(self._request(event))
            return await self._status(reader)
        finally:
            writer.transport.abort()  # whatever else it says

    def _request(self, event: bytes) -> bytes:
        query = f"?{self._url.query}" if self._url.query else ""
        lines = (
            f"POST {self._url.path or '/'}{query} HTTP/1.1",
            f"Host: {self._url.netloc}",
            "User-Agent: vip-speaker",
            "Content-Type: application/json",
            f"Content-Length: {len(event)}",
            "Connection: close",
        )
        return "".join(f"{line}\r\n" for line in lines).encode("ascii") + b"\r\n" + event

    async def _status(self, reader: asyncio.StreamReader) -> int:
        """Return the first status that is none of an answer before the last one."""
        for number in range(MAX_LINES):
            try:
                line = await reader.readline()
            except ValueError:
                break  # it is too long
            match = _STATUS.match(line)
            if match and int(match[1]) >= 200:
                return int(match[1])
            if not line.endswith(b"\n") or not (match or number):
                break
        raise SinkError(f"{self._host}: what it says is no answer of HTTP/1.1")


@cache
def trusted() -> ssl.SSLContext:
    """Return what checks certificates. It reads those of the system, so a thread has to."""
    return ssl.create_default_context()
