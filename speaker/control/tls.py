"""TLS for what listens beyond this machine: the certificate, and connections while they shake hands.

Those are not counted among the others before they are through; so there are few at a time, and each has few seconds.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

from speaker.printable import reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.config.settings_api import ApiTls

log = logging.getLogger(__name__)

HANDSHAKES = 32
"""How many connections may be shaking hands."""
WITHIN = 5.0
"""How long a handshake may take, in seconds."""
_EXPIRED = 10
"""OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED."""
RENEWED = 600.0
"""How often the files are read again, in seconds."""


def context(files: ApiTls) -> ssl.SSLContext:
    """Return what shows a certificate, and asks for one where there is a CA that it may be of. It waits.

    Raises:
        OSError: the files can't be read, or are no certificate and key.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(files.certificate, files.key)
    if files.client_ca is not None:
        made.load_verify_locations(files.client_ca)
        made.verify_mode = ssl.CERT_OPTIONAL  # others have a token
    return made


def ends(files: ApiTls) -> float:
    """Return when the certificate expires, in seconds since the epoch: 0 where it has, infinity where that can't be told.

    It is seen as callers see it: in a handshake with itself, in memory. It waits.

    Raises:
        OSError: see `context`.
    """
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is trusted
    trusting.load_verify_locations(files.certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context(files).wrap_bio(to_server, to_client, server_side=True)
    client = trusting.wrap_bio(to_client, to_server)
    try:
        for side in (client, server, client):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except ssl.SSLCertVerificationError as error:
        return 0.0 if error.verify_code == _EXPIRED else inf
    shown = client.getpeercert()
    return ssl.cert_time_to_seconds(str(shown["notAfter"])) if shown else inf


class _Early(asyncio.Protocol):
    """Keeps what comes with the end of a handshake, before anybody is there to read it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        """Keep it: at most what is read at once."""
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it."""
        del exc
        self.is_lost = True


class Handshakes:
    """Those of one listener.

    Args:
        shown: the certificate.
        inside: makes the protocol of what is spoken inside.
        until: when the certificate expires, in seconds since the epoch.
    """

    def __init__(
        self, shown: ssl.SSLContext, inside: Callable[[], asyncio.Protocol], until: float = inf
    ) -> None:
        self._shown, self._inside, self.until = shown, inside, until
        self._under_way: dict[asyncio.Task[None], asyncio.Transport] = {}

    def begin(self, transport: asyncio.Transport) -> None:
        """Shake hands with who has just connected, or hang up where there are too many."""
        if len(self._under_way) >= HANDSHAKES:
            transport.abort()
            return
        task = asyncio.ensure_future(self._shake(transport))
        self._under_way[task] = transport
        task.add_done_callback(self._under_way.pop)

    async def _shake(self, transport: asyncio.Transport) -> None:
        early = _Early()
        try:
            inner = await asyncio.get_running_loop().start_tls(
                transport,
                early,
                self._shown,
                server_side=True,
                ssl_handshake_timeout=WITHIN,
                ssl_shutdown_timeout=WITHIN,
            )
        except (
            OSError,
            asyncio.CancelledError,
        ):  # ssl.SSLError among them: a scan, or no TLS at all
            transport.abort()
            return
        if inner is None or early.is_lost:
            transport.abort()
            return
        self._inside().connection_made(inner)
        if early.data and isinstance(inside := inner.get_protocol(), asyncio.Protocol):
            inside.data_received(bytes(early.data))

    async def keep_renewing(self, files: ApiTls) -> None:
        """Show a certificate that has come in the place of the other: for ever."""
        while True:
            await asyncio.sleep(RENEWED)
            try:
                self._shown = await asyncio.to_thread(context, files)
                self.until = await asyncio.to_thread(ends, files)
            except OSError as error:
                why = reason(error)
                log.error("api: %s: %s; the one before is still shown", files.certificate, why)  # noqa: TRY400 - it says what to do

    async def close(self) -> None:
        """Give up those that are under way."""
        left = dict(self._under_way)
        for task, transport in left.items():
            task.cancel()
            transport.abort()
        await asyncio.gather(*left, return_exceptions=True)


class TlsDoor(asyncio.Protocol):
    """Who has just connected, and is to shake hands first."""

    def __init__(self, handshakes: Handshakes) -> None:
        self._handshakes = handshakes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        self._handshakes.begin(transport)
