"""The conversation with ExaBGP, sans I/O: bytes in, events out, one command in flight.

Replies carry no id, and one may never come. And a peer's words may come between them: 4.2 tells the
text of a NOTIFICATION as it is, newlines and all, inside a message in JSON, and what follows such a
newline looks like any line of ExaBGP's. It can't come but after the beginning of that message, which
is then no JSON. So a message that can't be read puts the conversation out of step, as a reply that
does not come in time does: nothing is believed any more, whatever it says.

What brings it in step again is an answer that only ExaBGP can give. It echoes nothing, but two
questions about a neighbour that does not exist have answers of different shapes, and it answers such
questions one after the other, after all that it was asked before: a nonce is asked bit by bit, each
by one of the two, and when the answers spell it, without a line between them, all before was not ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from sys import getsizeof
from typing import TYPE_CHECKING

from speaker.backends.exabgp.messages import Garbled, Ignored, Message, parse_message

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE = 1 << 22
"""Bytes: of the largest message of a peer (RFC 8654) ExaBGP makes 1.6 MB."""
MAX_REPLY = 1 << 28
"""Bytes of memory, so that lines without text count too: ten sessions with 50,000 prefixes each take less."""
_POINTER = 8
NONCE_BITS = 64
"""A peer may guess thousands of times in one text, and each time that its session comes up."""
# How each bit is asked, and the lines of its answer, a letter for each: H is the heading.
_BITS = (
    (b"show neighbor nobody extensive\n", "d"),
    (b"show neighbor nobody summary\n", "Hd"),
)
_HEADING = re.compile(r"Peer +AS +up/down ")
# What the text encoder tells of a session, in which any text of the peer may follow.
_TEXT_ENCODER = re.compile(r"neighbor \S+ (?:up|connected|down)\b")
# 4.2 does not escape a node's name of BGP-LS at all: such a message may seem to be complete.
_NAMED = re.compile(r'\{ "exabgp": "4\..*"node-name": "')
_LISTED = re.compile(rb"neighbor \S+ local-ip ")

# Every message begins with the version of the API; a refusal in JSON is ExaBGP 6's.
_API = re.compile(r'\{ ?"exabgp" ?: ?"(\d[\d.]*)"')
_REFUSAL = re.compile(r'"answer" ?: ?"error"')


class ProtocolError(Exception):
    """We are wrong: a command was given while another is in flight."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of the command in flight: `done` or `error`, and the lines that came before it."""

    ok: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InStep:
    """The conversation is in step again: commands may be sent."""


@dataclass(frozen=True, slots=True)
class OutOfStep:
    """A line came that can't belong to the reply: neither it nor what follows must be trusted."""

    line: str


_TOO_LONG = Garbled(f"a line of over {MAX_LINE} bytes")
Event = Reply | InStep | OutOfStep | Message


class _State(Enum):
    IDLE = auto()
    WAITING = auto()
    OUT_OF_STEP = auto()


class Conversation:
    """Both directions of the pipe between ExaBGP and the process that it spawned."""

    def __init__(self, max_reply: int = MAX_REPLY) -> None:
        """Begin with no command in flight, and replies that take at most that many bytes."""
        self._max_reply = max_reply
        self._state = _State.IDLE
        self._buffer = b""
        self._skipping = False
        self.heard = 0
        """How many lines came that may belong to a reply."""
        self._lines: list[str] = []
        self._size = 0
        self._command = ""
        self._expected = ""
        self._answers = ""
        self._doubted = False
        self.refuses = False
        """Whether `error` came while the conversation is out of step, and no `done`."""
        self.ends_answers = False
        """Whether `done` came while the conversation is out of step: its answers have ends, and are others."""
        self.api = ""
        """The version that the JSON says it has."""

    @property
    def ready(self) -> bool:
        """Whether a command may be sent."""
        return self._state is _State.IDLE

    @property
    def in_step(self) -> bool:
        """Whether replies can be told apart."""
        return self._state is not _State.OUT_OF_STEP

    def send(self, command: str) -> bytes:
        """Return the bytes of a command, which is then in flight.

        Raises:
            ProtocolError: another is in flight, or the command is no single ASCII line: ExaBGP
                kills a process for a byte beyond ASCII.
        """
        if self._state is not _State.IDLE:
            raise ProtocolError(f"{command!r}: {self._command!r} is in flight")
        if not command.isascii() or not command.isprintable():
            raise ProtocolError(f"{command!r}: not one line of ASCII")
        self._state = _State.WAITING
        self._command = command
        self._lines, self._size = [], 0
        return command.encode("ascii") + b"\n"

    def resynchronise(self, nonce: int) -> bytes:
        """Give up on the command in flight. Return the bytes that bring the conversation in step.

        Args:
            nonce: `NONCE_BITS` bits that no one could know before.
        """
        bits = [_BITS[nonce >> at & 1] for at in range(NONCE_BITS)]
        self._state = _State.OUT_OF_STEP
        self._lines = []
        self._expected = "".join(answer for _, answer in bits)
        self._answers = ""
        return b"".join(question for question, _ in bits)

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield the events in what ExaBGP wrote, in any pieces."""
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        for raw in lines:
            if self._skipping:
                self._skipping = False
            elif len(raw) > MAX_LINE:
                yield from self._unreadable(_TOO_LONG)
            elif self._state is _State.WAITING and _LISTED.match(raw):
                # One for each route: the quick way to where `_line` goes too.
                self.heard += 1
                yield from self._keep(raw.decode("utf-8", "backslashreplace").strip("\r"))
            else:
                yield from self._line(raw.decode("utf-8", "backslashreplace").strip("\r"))
        if len(self._buffer) > MAX_LINE and not self._skipping:
            yield from self._unreadable(_TOO_LONG)
            self._skipping = True
        if self._skipping:
            self._buffer = b""

    def _line(self, line: str) -> Iterator[Event]:
        if line.startswith("{"):
            yield from self._message(line)
            return
        if _TEXT_ENCODER.match(line):
            yield from self._unreadable(Garbled(f"not JSON; is its encoder json? {line}"))
            return
        self.heard += 1
        if self._state is _State.OUT_OF_STEP:
            yield from self._line_out_of_step(line)
        elif self._state is _State.IDLE:
            yield Ignored(line)
        elif line in {"done", "error"}:
            self._state = _State.IDLE
            lines, self._lines = tuple(self._lines), []
            yield Reply(line == "done", lines)
        elif _HEADING.match(line):
            yield OutOfStep(line)
        else:
            yield from self._keep(line)

    def _keep(self, line: str) -> Iterator[Event]:
        self._size += getsizeof(line) + _POINTER
        if self._size > self._max_reply:
            self._lines = []
            yield OutOfStep(f"a reply of over {self._max_reply} bytes")
        else:
            self._lines.append(line)

    def _message(self, line: str) -> Iterator[Event]:
        event = Garbled(line) if _NAMED.match(line) else parse_message(line)
        if isinstance(event, Garbled):
            yield from self._unreadable(event)
            return
        if self._doubted:
            yield Ignored(line)
            return
        if match := _API.match(line):
            self.api = match[1]
        elif self._state is _State.OUT_OF_STEP and _REFUSAL.search(line):
            self.refuses = not self.ends_answers
        yield event

    def _unreadable(self, event: Garbled) -> Iterator[Event]:
        """Doubt all from here on, until the answers spell the nonce: the one asked, unless this is amid them."""
        asked = self._state is _State.OUT_OF_STEP and not self._amid_answers()
        yield Ignored(event.line) if self._doubted else event
        self._doubted = True
        if not asked:
            yield OutOfStep(event.line)

    def _amid_answers(self) -> bool:
        """Return whether the last lines may be the first of the answers that are expected."""
        sizes = range(1, len(self._expected))
        return any(self._answers.endswith(self._expected[:size]) for size in sizes)

    def _line_out_of_step(self, line: str) -> Iterator[Event]:
        letter = "d" if line == "done" else "H" if _HEADING.match(line) else "-"
        self._answers = (self._answers + letter)[-len(self._expected) :]
        if self._answers == self._expected:
            self._state = _State.IDLE
            self._doubted = self.refuses = self.ends_answers = False
            yield InStep()
            return
        self.ends_answers = self.ends_answers or line == "done"
        self.refuses = (self.refuses or line == "error") and not self.ends_answers
        yield Ignored(line)
