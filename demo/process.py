"""Owns a program and all that it spawns: its log, and its certain end."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _end_with_parent() -> None:
    """Ask the kernel for a SIGTERM should the demo itself be killed (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Program:
    """A running program in a session of its own, so that Ctrl-C reaches only the demo."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Take over what `start` has started."""
        self._process = process
        self.log = log

    @classmethod
    async def start(cls, argv: Sequence[str], env: Mapping[str, str], log: Path) -> Self:
        """Start a program, its output appended to a log."""
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, **env},
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        return cls(process, log)

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    async def stop(self, within: float = 5.0) -> None:
        """Ask it to stop, then end whatever of its session still runs."""
        if self.exit_status is None:
            self._process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._process.wait()
        for pid in _session(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self._process.wait()


def _session(leader: int) -> list[int]:
    """Return the processes of a session: a helper of ExaBGP leaves its group, but not this."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
    return found
