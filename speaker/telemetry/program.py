"""Runs a program for an event: a list of words and no shell, the event on its stdin, nothing of our environment."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from speaker.files import trusted
from speaker.telemetry.sink import SinkError

if TYPE_CHECKING:
    from collections.abc import Sequence

WITHIN = 10.0
"""How long it may run, in seconds: then it is killed, with all of its process group."""
PAUSE = 0.05
"""How long to wait after each run, in seconds: a thousand events must not take a core."""
PARTING = 0.5
"""How long a program that was killed may take to end, in seconds."""
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Program:
    """A program that takes events. It is `Sink`.

    Args:
        words: its absolute path, and its arguments.
        within: how long it may run, in seconds.
    """

    def __init__(self, words: Sequence[str], within: float = WITHIN) -> None:
        self._words = words
        self._within = within
        self._left: asyncio.subprocess.Process | None = None
        """One that could not be killed: no other is started while it runs."""

    async def send(self, event: bytes) -> None:
        """See `Sink.send`."""
        path = Path(self._words[0])
        if self._left is not None and self._left.returncode is None:
            raise SinkError(f"{path}: {_still_runs(self._left)}")
        try:
            trusted.check(path, os.geteuid())
            process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        except trusted.UntrustedError as error:
            raise SinkError(str(error)) from error
        except OSError as error:
            raise SinkError(f"{path}: {error.strerror}; correct events.exec") from error
        is_late = False
        try:
            async with asyncio.timeout(self._within):
                await process.communicate(event)
        except TimeoutError:
            is_late = True
        finally:
            has_ended = await _killed(process)
        if is_late:
            self._left = None if has_ended else process
            end = f"killed after {self._within:g} s" if has_ended else _still_runs(process)
            raise SinkError(f"{path}: {end}")
        await asyncio.sleep(PAUSE)
        if process.returncode:
            raise SinkError(f"{path}: exit status {process.returncode}")


def _still_runs(process: asyncio.subprocess.Process) -> str:
    return f"process {process.pid} takes too long, and can't be killed: end it; no other is started before"


async def _killed(process: asyncio.subprocess.Process) -> bool:
    """Kill a program, with all that it started, where it has not ended. Return whether it has now; it is not waited for for long."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):  # such as of what sudo has started
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await process.wait()
    return process.returncode is not None
