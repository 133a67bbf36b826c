"""Sends an event to a URL by POST. The URL may be a secret: no error shows more of it than its host."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from speaker.telemetry.sink import RefusedEventError, SinkError

WITHIN = 10.0
"""How long one may take, in seconds."""
AGAIN = {408, 425, 429}
"""Of the answers that refuse an event, those that ask for another try."""


class Webhook:
    """A URL that takes events. It is `Sink`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._host = urlsplit(url).hostname or ""

    async def send(self, event: bytes) -> None:
        """See `Sink.send`. No redirection is followed, and nothing of the answer is read but its status."""
        timeout = aiohttp.ClientTimeout(total=WITHIN)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
                ) as session,
                session.post(
                    self._url,
                    data=event,
                    headers={"Content-Type": "application/json", "User-Agent": "vip-speaker"},
                    allow_redirects=False,
                ) as answer,
            ):
                status = answer.status
        except TimeoutError as error:
            raise SinkError(f"{self._host}: no answer within {WITHIN:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SinkError(f"{self._host}: {self._kind(error)}") from error
        if 200 <= status < 300:
            return
        if 300 <= status < 500 and status not in AGAIN:
            raise RefusedEventError(
                f"{self._host}: refused with HTTP {status}; correct events.webhook"
            )
        raise SinkError(f"{self._host}: HTTP {status}")

    def _kind(self, error: Exception) -> str:
        """Return what went wrong, in words that have nothing of the URL."""
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
            return "its certificate is not trusted"
        if isinstance(error, aiohttp.ClientConnectorError):
            return f"not reached: {error.os_error.strerror or type(error.os_error).__name__}"
        return f"not reached: {type(error).__name__}"
