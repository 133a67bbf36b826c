"""Requests to read vip.toml again: by a signal, which gets no answer, or by callers, who get one."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError

if TYPE_CHECKING:
    from collections.abc import Iterator


class ReloadError(SpeakerError):
    """The configuration stays as it was."""


class ReloadOutcome:
    """The result of one reading; it failed unless said otherwise."""

    def __init__(self) -> None:
        self.said = ""
        self.error: Exception = ReloadError("configuration: loading was interrupted")
        self.is_taken = False

    def taken(self, said: str) -> None:
        """Note that the configuration was taken, and what is to be said of it."""
        self.said, self.is_taken = said, True

    def refused(self, error: Exception) -> None:
        """Note why it was not."""
        self.error = error


class Reloads:
    """Requests that wait for the next reading."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._callers: list[asyncio.Future[str]] = []

    def request(self) -> None:
        """Ask for a reading."""
        self._asked.set()

    async def result(self) -> str:
        """Ask for a reading and wait for its end; return what is said of it.

        Raises:
            ReloadError: the configuration stays as it was; says why.
        """
        caller: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._callers.append(caller)
        self.request()
        return await caller

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until a reading is asked for, or for some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()
        self._asked.clear()

    @contextmanager
    def reading(self) -> Iterator[ReloadOutcome]:
        """Read within the context; callers who asked before it get the result.

        Those who ask meanwhile wait for another reading: this one may have read the file already.
        """
        callers, self._callers = self._callers, []
        outcome = ReloadOutcome()
        try:
            yield outcome
        finally:
            for caller in callers:
                if caller.done():  # it hung up
                    continue
                if outcome.is_taken:
                    caller.set_result(outcome.said)
                else:
                    caller.set_exception(ReloadError(str(outcome.error)))
