"""Asks by running a program: a list of words and no shell, as its own user, with limits, killed with its group in the end."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from policy.health import Health
from speaker.files import trusted
from speaker.health.checks.probe import ProbeAnswer
from speaker.health.checks.shared import SharedCalls
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from speaker.config.settings_checks import ExecCheck
    from speaker.health.checks.probe import Probe

PRLIMIT = "/usr/bin/prlimit"
"""Of util-linux, which is essential in Debian."""
MAX_OUTPUT = 64 * 1024
"""How much a program may say, in bytes: one that says more is killed."""
MAX_SAID = 200
"""How much of its first line is told."""
MEMORY = 1024 * 1024 * 1024
MAX_FILE = 16 * 1024 * 1024
MAX_FILES = 256
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class ProgramError(Exception):
    """A program can't be run; says why."""


class _Output:
    """What a program says on stdout, read as it comes, as much as there may be."""

    def __init__(self) -> None:
        self.said = bytearray()
        self.flood = asyncio.Event()
        self._read, self.write = os.pipe()
        os.set_blocking(self._read, False)
        asyncio.get_running_loop().add_reader(self._read, self.take)

    def take(self) -> None:
        """Take what is there."""
        with suppress(BlockingIOError):
            while piece := os.read(self._read, 4096):
                self.said += piece
                if len(self.said) > MAX_OUTPUT:
                    self.flood.set()
                    break
            asyncio.get_running_loop().remove_reader(self._read)

    def close(self) -> None:
        """Read no more."""
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)

    @property
    def line(self) -> str:
        """The first line; of a Nagios plugin, without what is for graphs."""
        text = self.said.decode(errors="backslashreplace").strip().splitlines()
        return printable(text[0].partition("|")[0].strip())[:MAX_SAID] if text else ""


class ExecAsker:
    """Asks by running programs.

    Args:
        look: looks whether a program may be run, and how as a user. It may hang, as may disks and directories.
    """

    def __init__(self, look: Callable[[str, str | None], Mapping[str, Any]] | None = None) -> None:
        self._look = SharedCalls(look or _looked)

    async def ask(self, probe: Probe, what: ExecCheck) -> ProbeAnswer:
        """Ask once. The caller bounds the time; at its end the program is killed, with all that it started."""
        words = [probe.filled(word) for word in what.words]
        try:
            user = await self._look(words[0], what.user)
            status, line = await self._run(words, user, probe.check.timeout)
        except (ProgramError, trusted.UntrustedError) as error:
            return ProbeAnswer(Health.UNKNOWN, str(error))
        except OSError as error:
            why = f"{words[0]}: {error.strerror}; a fault of this machine"
            return ProbeAnswer(Health.UNKNOWN, why)
        told = f"exit status {status}" if status >= 0 else f"ended by signal {-status}"
        if line:
            told = f"{told}: {line}"
        if status in what.up:
            return ProbeAnswer(Health.UP, told)
        return ProbeAnswer(Health.DOWN if status in what.down else Health.UNKNOWN, told)

    async def _run(
        self, words: list[str], user: Mapping[str, Any], seconds: float
    ) -> tuple[int, str]:
        """Run a program to its end, and return its exit status and what it said first."""
        output = _Output()
        try:
            try:
                process = await asyncio.create_subprocess_exec(
                    *_limited(words, seconds),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output.write,
                    stderr=asyncio.subprocess.DEVNULL,
                    env=_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,
                    **user,
                )
            finally:
                os.close(output.write)
            try:
                await _end(process, output)
            finally:
                await _kill(process)
            output.take()
            return process.returncode or 0, output.line
        finally:
            output.close()


async def _end(process: asyncio.subprocess.Process, output: _Output) -> None:
    """Wait until a program has ended.

    Raises:
        ProgramError: it says too much.
    """
    ended = asyncio.create_task(process.wait())
    flooded = asyncio.create_task(output.flood.wait())
    try:
        await asyncio.wait((ended, flooded), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            raise ProgramError(f"killed: it said more than {MAX_OUTPUT} bytes")
    finally:
        ended.cancel()
        flooded.cancel()


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a program's group: all that it started, and itself where it has not ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        await process.wait()


def _limited(words: Sequence[str], seconds: float) -> tuple[str, ...]:
    """Return a command that runs another with bounds on what it, and each that it starts, may use.

    They hold before its first instruction; what is run between fork and exec in a process with threads may hang it.
    """
    limits = {
        "cpu": int(seconds) + 1,
        "as": MEMORY,
        "fsize": MAX_FILE,
        "nofile": MAX_FILES,
        "core": 0,
    }
    return (PRLIMIT, *(f"--{kind}={most}" for kind, most in limits.items()), "--", *words)


def _looked(program: str, user: str | None) -> Mapping[str, Any]:
    """Return how a program that may be run becomes a user; nothing where it is to be ours.

    Raises:
        UntrustedError, OSError: it must not be run.
        ProgramError: it can't be the user's.
    """
    trusted.check(Path(program), os.geteuid())
    if user is None:
        return {}
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise ProgramError(f"user: {user}: there is none; make it, or correct user") from None
    if found.pw_uid == os.geteuid():
        return {}
    if os.geteuid() != 0:
        raise ProgramError(f"user: {user}: only root can run a program as another user")
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
