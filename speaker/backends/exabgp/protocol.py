"""The conversation with ExaBGP, sans I/O: bytes in, events out, one command in flight.

Replies carry no id, and one may never come. After a time-out the conversation is out of step:
it asks a question whose answer can be told from any other, and passes over everything up to that
answer and its `done`. ExaBGP answers it after all that it was asked before; `version` it answers
at once, and a late `done` would come after that.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from speaker.backends.exabgp.feed import Update
from speaker.backends.exabgp.neighbors import Ends

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINE = 1 << 20
MAX_REPLY = 1 << 28
"""Bytes: the Adj-RIB-Outs of ten sessions with 50,000 prefixes each have half as many."""
_QUESTION = b"show neighbor summary\n"
_ANSWER = re.compile(r"Peer +AS +up/down ")


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
class PeerState:
    """A session came up, or went down."""

    ends: Ends
    up: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """ExaBGP is going down."""


@dataclass(frozen=True, slots=True)
class InStep:
    """The conversation is in step again: commands may be sent."""


@dataclass(frozen=True, slots=True)
class OutOfStep:
    """An answer came that the command in flight can't have: its reply must not be trusted."""

    line: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A line that means nothing to us."""

    line: str


@dataclass(frozen=True, slots=True)
class Garbled:
    """A line that can't be read: what it told is lost."""

    line: str


_TOO_LONG = Garbled(f"a line of over {MAX_LINE} bytes")
Event = Reply | PeerState | Update | Shutdown | InStep | OutOfStep | Ignored | Garbled


class _State(Enum):
    IDLE = auto()
    WAITING = auto()
    OUT_OF_STEP = auto()


class Conversation:
    """Both directions of the pipe between ExaBGP and the process that it spawned."""

    def __init__(self, max_reply: int = MAX_REPLY) -> None:
        """Begin with no command in flight, and replies of so many bytes at most."""
        self._max_reply = max_reply
        self._state = _State.IDLE
        self._buffer = b""
        self._skipping = False
        self.heard = 0
        """How many lines came that may belong to a reply."""
        self._lines: list[str] = []
        self._size = 0
        self._command = ""
        self._answers_due = 0
        self._answer_seen = False
        self._some_answered = False
        self.refuses = False
        """Whether `error` is all that came while the conversation is out of step."""
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

    def resynchronise(self) -> bytes:
        """Give up on the command in flight. Return the bytes that bring the conversation in step.

        All that were asked are waited for. Where some were answered and it has to be asked again,
        the others are lost.
        """
        if self._some_answered:
            self._answers_due = 0
        self._state = _State.OUT_OF_STEP
        self._lines = []
        self._answers_due += 1
        self._answer_seen = self._some_answered = False
        return _QUESTION

    def receive(self, data: bytes) -> Iterator[Event]:
        """Yield the events in what ExaBGP wrote, in any pieces."""
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        for raw in lines:
            if self._skipping:
                self._skipping = False
            elif len(raw) > MAX_LINE:
                yield _TOO_LONG
            elif raw.startswith(b"neighbor ") and self._state is _State.WAITING:
                # Of a listing, which has one for each route: the quick way to where `_line` goes too.
                self.heard += 1
                self._lines.append(raw.decode("utf-8", "backslashreplace").strip("\r"))
            else:
                yield from self._line(raw.decode("utf-8", "backslashreplace").strip("\r"))
        if len(self._buffer) > MAX_LINE and not self._skipping:
            yield _TOO_LONG
            self._skipping = True
        if self._skipping:
            self._buffer = b""

    def _line(self, line: str) -> Iterator[Event]:
        if line.startswith("{"):
            if match := _API.match(line):
                self.api = match[1]
            elif self._state is _State.OUT_OF_STEP and _REFUSAL.search(line):
                self.refuses = True
            yield parse_json(line)
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
        elif _ANSWER.match(line):
            yield OutOfStep(line)
        else:
            self._size += len(line)
            if self._size > self._max_reply:
                self._lines = []
                yield OutOfStep(f"a reply of over {self._max_reply} bytes")
            else:
                self._lines.append(line)

    def _line_out_of_step(self, line: str) -> Iterator[Event]:
        if _ANSWER.match(line):
            self._answers_due -= 1
            self._answer_seen = self._some_answered = True
        elif line == "done" and self._answer_seen:
            self._answer_seen = False
            if self._answers_due <= 0:
                self._answers_due = 0
                self._some_answered = False
                self._state = _State.IDLE
                self.refuses = False
                yield InStep()
        elif line == "error":
            self.refuses = True
            yield Ignored(line)
        else:
            yield Ignored(line)


def parse_json(line: str) -> Event:
    """Parse a JSON line of 4.x or 5.x: the events that we heed, and all others as ignored.

    A line of any other form may have been one that we heed.
    """
    try:
        # 4.2 leaves raw control characters in the reason of a session's end.
        message: Any = json.loads(line, strict=False)
        match message:
            case {"type": "notification", "notification": "shutdown"}:
                return Shutdown()
            case {
                "type": "state",
                "neighbor": {
                    "address": {"local": str(local), "peer": str(peer)},
                    "state": "up" | "down" as state,
                    **rest,
                },
            }:
                ends = Ends.parse(peer, local)
                return PeerState(ends, state == "up", str(rest.get("reason", "")))
            case {
                "type": "update",
                "neighbor": {
                    "address": {"local": str(local), "peer": str(peer)},
                    "direction": "send",
                    "message": {"update": update},
                },
            }:
                return _parse_update(Ends.parse(peer, local), update)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return Garbled(line)
    return Ignored(line)


_FAMILIES = ("ipv4 unicast", "ipv6 unicast")


def _parse_update(ends: Ends, update: dict[str, Any]) -> Update:
    """Parse what a session was sent: `withdraw` has lists by family, `announce` lists by next hop in it."""
    withdrawn, announced = update.get("withdraw", {}), update.get("announce", {})
    return Update(
        ends,
        tuple(_nlri(each) for family in _FAMILIES for each in withdrawn.get(family, ())),
        tuple(
            _nlri(each)
            for family in _FAMILIES
            for routes in announced.get(family, {}).values()
            for each in routes
        ),
    )


def _nlri(route: dict[str, Any]) -> str:
    """Return a prefix in the text that Python gives it, which has IPv4 inside IPv6 otherwise."""
    text = route["nlri"]
    return str(ip_network(text)) if "." in text and ":" in text else str(text)
