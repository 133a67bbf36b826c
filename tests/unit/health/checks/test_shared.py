"""A disk that hangs: however often a check is due meanwhile, one thread waits for it."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

import pytest

from policy.health import Health
from speaker.config.settings_checks import CheckSettings, HttpCheck, Tls
from speaker.health.checks.http import HttpAsker
from speaker.health.checks.probe import Probe
from speaker.health.checks.shared import SharedCalls

if TYPE_CHECKING:
    from pathlib import Path


def test_certificates(tmp_path: Path) -> None:
    """Authorities on a disk that does not answer, here a pipe that nobody writes to, are read once at a time."""
    pipe = tmp_path / "ca.pem"
    os.mkfifo(pipe)

    async def main() -> None:
        asker, what = HttpAsker(), HttpCheck("https://127.0.0.1:1/", tls=Tls(ca=pipe))
        probe, before = Probe(CheckSettings("x", what)), threading.active_count()
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asker.ask(probe, what)
        more = threading.active_count() - before
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))  # who reads finds nothing in it
        assert more == 1
        pipe.unlink()
        assert (await asker.ask(probe, what)).health is Health.UNKNOWN
        await asker.close()

    asyncio.run(main())


def test_what_fails() -> None:
    """All who wait get the error, and the next call is another one."""
    calls = list[int]()

    def fail(number: int) -> int:
        calls.append(number)
        raise ValueError(number)

    async def main() -> None:
        shared = SharedCalls(fail)
        found = await asyncio.gather(*(shared(7) for _ in range(3)), return_exceptions=True)
        assert [str(each) for each in found] == ["7"] * 3
        assert calls == [7]
        with pytest.raises(ValueError, match="7"):
            await shared(7)
        assert calls == [7, 7]

    asyncio.run(main())
