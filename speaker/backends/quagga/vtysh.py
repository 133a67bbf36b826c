"""Runs vtysh: an argument list, a time limit, and what came back. Nothing goes through a shell."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from speaker.backends.base import BackendError
from speaker.files import trusted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TIMEOUT = 20.0
MAX_OUTPUT = 1 << 29
"""Bytes of either output: a million routes of five peers have as many."""
_CHUNK = 1 << 18
PARTING = 1.0
"""How long a vtysh that was killed may take to be gone, in seconds."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a run of vtysh gave."""

    status: int
    stdout: str
    stderr: str


class VtyshError(BackendError):
    """vtysh could not be run, or did not reach bgpd. Keeps what it said."""

    def __init__(self, message: str, commands: Sequence[str], output: Output | None = None) -> None:
        self.commands = tuple(commands)
        self.output = output
        super().__init__(message)


class NotRunningError(VtyshError):
    """bgpd does not run, or this user may not talk to it: vtysh says the same of both."""


class Vtysh(Protocol):
    """Something that runs commands in one vtysh."""

    async def __call__(self, commands: Sequence[str]) -> Output:
        """Run commands, each with its own `-c`.

        Raises:
            VtyshError: it could not be run, took too long, or did not reach bgpd.
        """


class Shell:
    """The real vtysh.

    Args:
        path: of its program.
        timeout: seconds that a run may take.
        max_output: bytes that it may print.
        named: what gave the path, for who must change it.
    """

    def __init__(
        self,
        path: Path,
        timeout: float = TIMEOUT,
        *,
        max_output: int = MAX_OUTPUT,
        named: str = "backend.quagga.vtysh",
    ) -> None:
        self._named = named
        self._path = path
        self._max_output = max_output
        self._timeout = timeout

    async def __call__(self, commands: Sequence[str]) -> Output:
        """See `Vtysh`. Always `-d bgpd`: without it, a Quagga whose bgpd is down says nothing at all."""
        arguments = ["-d", "bgpd", *(word for command in commands for word in ("-c", command))]
        try:
            trusted.check(self._path, os.geteuid())
            process = await asyncio.create_subprocess_exec(
                self._path,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "VTYSH_PAGER": "cat", "LC_ALL": "C"},
            )
        except trusted.UntrustedError as error:
            raise VtyshError(f"vtysh: {error}", commands) from error
        except OSError as error:
            raise VtyshError(
                f"vtysh: {self._path}: {error.strerror}; {self._named} names it", commands
            ) from error
        try:
            async with asyncio.timeout(self._timeout):
                stdout, stderr = await asyncio.gather(
                    self._whole(process.stdout, commands), self._whole(process.stderr, commands)
                )
                await process.wait()
        except TimeoutError:
            raise VtyshError(
                f"vtysh: not finished within {self._timeout:g}s; what it did is unknown", commands
            ) from None
        finally:
            if process.returncode is None:
                await _kill(process)
        output = Output(
            process.returncode or 0,
            stdout.decode("utf-8", "backslashreplace"),
            stderr.decode("utf-8", "backslashreplace"),
        )
        if "failed to connect" in output.stderr:
            raise NotRunningError(
                "quagga/bgpd not running, or this user is not in its vty group; see systemctl status frr, or quagga",
                commands,
                output,
            )
        return output

    async def _whole(self, pipe: asyncio.StreamReader | None, commands: Sequence[str]) -> bytes:
        """Read an output to its end, if it is not too long."""
        found = bytearray()
        while pipe is not None and (data := await pipe.read(_CHUNK)):
            found += data
            if len(found) > self._max_output:
                raise VtyshError(
                    f"vtysh: more than {self._max_output} bytes; is this bgpd's own vtysh?",
                    commands,
                )
        return bytes(found)


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a process. What this would raise, or wait for, would hide why it was killed."""
    with suppress(ProcessLookupError, TimeoutError):
        # Kills it, and closes its pipes, which children of its own may hold open.
        transport: asyncio.SubprocessTransport = vars(process)[
            "_transport"
        ]  # asyncio has no other way
        transport.close()
        async with asyncio.timeout(PARTING):
            await process.wait()
