"""Contexts of TLS, each made of its files once, and again after some time."""

from __future__ import annotations

import ssl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.health.checks.shared import SharedCalls
from speaker.printable import reason

if TYPE_CHECKING:
    from asyncio import BaseTransport
    from collections.abc import Iterator
    from pathlib import Path

    from speaker.config.settings_checks import Tls

CONTEXT_LIFE = 600.0
"""For how long files of certificates are not read again, in seconds: they are renewed without a reload."""


class TlsFileError(SpeakerError):
    """A file of TLS can't be used: says which, and why."""


class Contexts:
    """Contexts by whom they trust and what they show.

    Args:
        protocols: what is asked for by ALPN (RFC 7301).
    """

    def __init__(self, *protocols: str) -> None:
        self._protocols = protocols
        self._made: dict[Tls, tuple[float, ssl.SSLContext]] = {}
        self._read = SharedCalls(_context)  # in a thread: disks may hang

    async def of(self, tls: Tls) -> ssl.SSLContext:
        """Return a context.

        Raises:
            TlsFileError: its files can't be used.
        """
        made, context = self._made.get(tls, (-CONTEXT_LIFE, None))
        if context is None or time.monotonic() - made >= CONTEXT_LIFE:
            context = await self._read(tls, self._protocols)
            self._made[tls] = time.monotonic(), context
        return context

    def forget(self, tls: Tls) -> None:
        """Have the files read again when they are needed next."""
        self._made.pop(tls, None)


def _context(tls: Tls, protocols: tuple[str, ...]) -> ssl.SSLContext:
    with _named(tls.ca or "the system's authorities"):
        context = ssl.create_default_context(cafile=tls.ca)
    if tls.certificate is not None:
        with _named(tls.certificate if tls.key is None else f"{tls.certificate}, {tls.key}"):
            context.load_cert_chain(tls.certificate, tls.key)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


@contextmanager
def _named(what: Path | str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # of the former ssl.SSLError is one
        raise TlsFileError(f"{what}: {reason(error)}") from error


def expiry(transport: BaseTransport) -> float | None:
    """Return when the certificate that the other end showed expires, in seconds since the epoch."""
    shown = transport.get_extra_info("peercert")
    if not shown or "notAfter" not in shown:
        return None
    return float(ssl.cert_time_to_seconds(shown["notAfter"]))
