"""What speaks HTTP writes into the log what is our fault, and not what a caller does."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiohttp.base_protocol import BaseProtocol
from aiohttp.streams import StreamReader

from speaker.control.speaking import _http

if TYPE_CHECKING:
    import pytest


async def read_from_nobody() -> None:
    """Read on where the caller has gone, as the library does after an answer, while a body still comes."""
    loop = asyncio.get_running_loop()
    await StreamReader(BaseProtocol(loop), 1 << 16, loop=loop).readany()


async def fail() -> None:
    """Fail by ourselves."""
    raise RuntimeError("Connection closed.")


def test_who_goes_away(caplog: pytest.LogCaptureFixture) -> None:
    """That the caller is gone is not said; another error is, with its traceback."""
    for job in (read_from_nobody, fail):
        try:
            asyncio.run(job())
        except RuntimeError:
            _http.exception("Unhandled exception")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
