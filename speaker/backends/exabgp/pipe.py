"""The pipe to the ExaBGP that spawned us: one command at a time, and what it says by itself."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING

from speaker.backends.base import BackendError
from speaker.backends.exabgp.feed import SentUpdate
from speaker.backends.exabgp.heard import HeardEnd, HeardGarbled, HeardUpdate
from speaker.backends.exabgp.messages import Garbled, Ignored, PeerState, Report, Shutdown
from speaker.backends.exabgp.protocol import NONCE_BITS, Conversation, InStep, OutOfStep, Reply
from speaker.backends.exabgp.version import UNTESTED, of_silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from speaker.backends.base import Daemon
    from speaker.backends.exabgp.protocol import Event

log = logging.getLogger(__name__)

CHUNK = 1 << 16
# Where nothing at all is answered, it is asked again after this many times `patience`, and then twice as many.
ASK_AGAIN = 6


class NoAnswerError(BackendError):
    """A command got no reply in time: whether it was done is not known."""


class SilentError(NoAnswerError):
    """ExaBGP did not even answer the question that brings us in step again: nothing was sent."""


class Gone(asyncio.Event):
    """Set when ExaBGP has gone away. `told`: it said before that it shuts down, as where it is stopped."""

    told = False


class Pipe:
    """ExaBGP's process API, as one question after another.

    `run` must be running: it always drains what ExaBGP writes, because ExaBGP's sessions stand
    still while its pipe to us is full.

    Args:
        reader: what ExaBGP writes to us.
        write: takes what we write to ExaBGP, without blocking.
        told: called when ExaBGP tells that a session came up, went down, was sent
            something or sent us something, or tells what can't be read.
        patience: how long no line of a reply may come while ExaBGP owes one, in seconds.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        write: Callable[[bytes], object],
        *,
        told: Callable[[Report], None],
        patience: float,
    ) -> None:
        self._reader = reader
        self._write = write
        self._told = told
        self._patience = patience
        self._conversation = Conversation()
        self._reply: asyncio.Future[Reply] | None = None
        self._in_step = asyncio.Event()
        self._in_step.set()
        self._heard = 0.0
        self._asked = 0.0
        self._heard_before = 0
        self._again = ASK_AGAIN * patience
        self.gone = Gone()

    async def run(self) -> None:
        """Read until ExaBGP goes away, which sets `gone`. Where it raises, it may be run again."""
        # The reply to a predecessor's last command comes to us.
        self._lose_step("reading just started")
        while data := await self._next():
            heard = self._conversation.heard
            # One at a time: the step is lost before the next line is taken for a reply.
            for event in self._conversation.receive(data):
                self._handle(event)
            if self._conversation.heard != heard:
                self._heard = asyncio.get_running_loop().time()
        self.gone.set()
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(BackendError("ExaBGP: it closed the pipe"))

    async def _next(self) -> bytes:
        """Return what ExaBGP wrote next, nothing where its end of the pipe is gone."""
        try:
            return await self._reader.read(CHUNK)
        except OSError:
            return b""

    def _handle(self, event: Event) -> None:
        match event:
            case Reply():
                if self._reply is not None and not self._reply.done():
                    self._reply.set_result(event)
            case PeerState() | SentUpdate() | HeardUpdate() | HeardEnd() | HeardGarbled():
                self._told(event)
            case Garbled(line):
                log.error("ExaBGP: garbled: %.200r", line)
                self._told(event)
            case InStep():
                log.info("ExaBGP: in step")
                self._again = ASK_AGAIN * self._patience
                self._in_step.set()
            case OutOfStep(line):
                self._lose_step(f"unexpected {line[:80]!r}")
            case Shutdown():
                self.gone.told = True
                self.gone.set()
            case Ignored(line):
                log.debug("ExaBGP: ignored: %.200r", line)

    def _lose_step(self, why: str) -> None:
        self._in_step.clear()
        self._asked = asyncio.get_running_loop().time()
        self._heard_before = self._conversation.heard
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(
                NoAnswerError(f"ExaBGP: {why}; whether it was done is unknown")
            )
        self._write(self._conversation.resynchronise(secrets.randbits(NONCE_BITS)))

    async def ask(self, command: str) -> Reply:
        """Send one command and wait for its reply.

        Raises:
            NoAnswerError: none came while ExaBGP was silent for `patience`.
            BackendError: ExaBGP is gone.
        """
        loop = asyncio.get_running_loop()
        await self._wait_in_step()
        self._reply = loop.create_future()
        self._heard = loop.time()
        self._write(self._conversation.send(command))
        try:
            while not self._reply.done():
                left = self._heard + self._patience - loop.time()
                if left <= 0:
                    self._lose_step(f"{command[:80]!r}: no answer within {self._patience:g}s")
                    break
                await asyncio.wait({self._reply}, timeout=left)
            return await self._reply
        except asyncio.CancelledError:
            if not self._reply.cancel() and not self._reply.cancelled():
                self._reply.exception()  # looked at, so that asyncio does not complain
            self._lose_step(f"{command[:80]!r}: given up")
            raise
        finally:
            self._reply = None

    async def ask_lines(self, command: str) -> tuple[str, ...]:
        """Send one command and return the lines of its reply.

        Raises:
            BackendError: ExaBGP did not answer, or answered error.
        """
        reply = await self.ask(command)
        if not reply.ok:
            raise BackendError(f"ExaBGP: {command!r}: answered error; see ExaBGP's log")
        return reply.lines

    async def _wait_in_step(self) -> None:
        if self.gone.is_set():
            raise BackendError("ExaBGP: it is gone")
        if self._conversation.in_step:
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._in_step.wait()
        except TimeoutError:
            self._ask_again()
            raise SilentError(self._silence()) from None

    def _silence(self) -> str:
        """Say how it does not answer, and what to do."""
        if (daemon := self.untold_daemon()) is not None:
            return f"{daemon.name}: {daemon.untested}"
        if self._conversation.ends_answers:
            return f"ExaBGP: answers, and not what it is asked; it is busy, or of another version: {UNTESTED}"
        return "ExaBGP: does not answer; is exabgp.api.ack=true, and is ExaBGP not stopped?"

    def _ask_again(self) -> None:
        """Ask again where something was answered, but not that; rarely where nothing was: it may be stopped."""
        waited = asyncio.get_running_loop().time() - self._asked
        if self._conversation.heard > self._heard_before and waited >= self._patience:
            self._lose_step("it answers something else")
        elif waited > self._again:
            self._again *= 2
            self._lose_step("it does not answer")

    def untold_daemon(self) -> Daemon | None:
        """Return which ExaBGP it may be that has not answered yet, where there is a sign."""
        return of_silence(self._conversation.api, refuses=self._conversation.refuses)
