"""Owns what is done to an input that makes sense, so that it makes less; and how one is made short again.

Hypothesis would draw six hundred a second, whatever parses them; most parsers take some thousands.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

MAX_INPUT = 1 << 16
"""Bytes: where time grows with the square of an input's length, one of so many takes seconds."""
MAX_CHANGES = 8
TOKENS: tuple[bytes, ...] = (
    b"", b" ", b"\n", b"\r\n", b"\t", b"\0", b"\xff", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\x1b[2J",
    "\u00b2".encode(), "\u0663".encode(), "\u00e9".encode(), b"\x85", b"0", b"-1", b"1e999", b"NaN",
    b"65536", b"4294967296", b"9" * 5000, b"::", b"0.0.0.0", b"192.0.2.1/33", b"2001:db8::1%eth0",
    b"[", b"]", b"{", b"}", b"(", b")", b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b",", b";", b":",
    b".", b"*", b"+", b"|", b"=", b"#", b"!", b"null", b"true", b"[]", b"{}", b"end", b"done", b"no",
)  # fmt: skip
_TIMES = (1, 2, 17, 70, 1000, MAX_INPUT)
_LENGTHS = (0, 0, 1, 4, 20, 80, 1000)
_EDGE = re.compile(rb"\b|\n")
_WORD = re.compile(rb"\S+")


class Mutations:
    """Changes inputs at random."""

    def __init__(self, seeds: Sequence[bytes], random: Random) -> None:
        """Take inputs that make sense, whose words are put elsewhere too."""
        self._seeds = seeds
        self._random = random
        self._words = sorted({word for seed in seeds for word in _WORD.findall(seed)})

    def next(self) -> bytes:
        """Return an input with some changes."""
        data = self._random.choice(self._seeds)
        for _ in range(self._random.randint(1, MAX_CHANGES)):
            data = self._changed(data)[:MAX_INPUT]
        return data

    def _changed(self, data: bytes) -> bytes:
        random = self._random
        start, length = self._edge(data), random.choice(_LENGTHS)
        end = start + length
        match random.randrange(6):
            case 0:
                return data[:start] + self._token() + data[start:]
            case 1:
                return data[:start] + self._token() + data[end:]
            case 2:
                return data[:start] + data[end:]
            case 3:
                part = data[start : end or 1] or b" "
                times = min(random.choice(_TIMES), (MAX_INPUT - len(data)) // len(part))
                return data[:start] + part * times + data[start:]
            case 4:
                other = random.choice(self._seeds)
                begin = self._edge(other)
                return data[:start] + other[begin : begin + length] + data[start:]
            case _:
                at = random.randrange(len(data) or 1)
                return data[:at] + random.randbytes(1) + data[at + 1 :]

    def _token(self) -> bytes:
        words = TOKENS if self._random.random() < 0.5 or not self._words else self._words
        chosen: bytes = self._random.choice(words)
        return chosen

    def _edge(self, data: bytes) -> int:
        """Return a place of an input, mostly the start or end of a word."""
        at = self._random.randint(0, len(data))
        if self._random.random() < 0.25:
            return at
        found = _EDGE.search(data, at)
        return at if found is None else found.start()


def shortened(data: bytes, breaks: Callable[[bytes], bool], within: float) -> bytes:
    """Return a part of an input that breaks a parser as well: no smaller piece of it can be left out.

    Args:
        data: the input.
        breaks: tells of another one.
        within: for how long to look, in seconds.
    """
    until = time.monotonic() + within
    size = len(data) // 2
    while size:
        at, found = 0, False
        while at < len(data) and time.monotonic() < until:
            less = data[:at] + data[at + size :]
            if breaks(less):
                data, found = less, True
            else:
                at += size
        size = min(size, len(data)) if found and size == 1 else size // 2
    return data
