"""Bearer tokens (RFC 6750): whose they are, by the file of their hashes, which is looked at again each second.

A line is `NAME sha256:HASH`; a name may have several, so that a token is changed without a gap. A token is random, and long:
nobody finds it by its SHA-256. Where the file can't be read, nobody has a token.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from speaker.files import bounded, trusted
from speaker.files.trusted import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from speaker.clock import Clock

MAX_SIZE = 1 << 20
"""Bytes of the file."""
EVERY = 1.0
"""How often to look whether it is another one, in seconds: after so long a token that was taken out is of no use."""
_LINE = re.compile(r"([A-Za-z0-9_.:-]{1,64})[ \t]+sha256:([0-9a-f]{64})")
_HEADER = re.compile(r"[Bb]earer +([A-Za-z0-9._~+/-]{16,512}=*)")


class TokenFile(NamedTuple):
    """Whose each hash is, and what of the file makes no sense, or why it can't be read."""

    names: Mapping[str, str]
    fault: str = ""


def parse(text: str) -> TokenFile:
    """Return what a file has. Empty lines, and those that begin with `#`, say nothing."""
    names: dict[str, str] = {}
    bad: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        match = _LINE.fullmatch(words)
        if match is None or names.get(match[2], match[1]) != match[1]:
            bad.append(number)
        else:
            names[match[2]] = match[1]
    if not bad:
        return TokenFile(names)
    lines = ", ".join(map(str, bad[:5]))
    return TokenFile(
        names, f"line {lines}: not NAME sha256:HASH, or the hash of another name; correct it"
    )


def read(path: Path) -> TokenFile:
    """Return what a file has. What can't be read, that everybody may write, or root must not trust, has nothing. It waits."""
    try:
        with bounded.regular(path) as descriptor:
            if (mode := os.fstat(descriptor).st_mode) & stat.S_IWOTH:
                text = f"{path}: mode {stat.S_IMODE(mode):04o} lets others write; chmod o-w it"
                return TokenFile({}, text)
            trusted.check_open(path, descriptor, os.geteuid())
            data = bounded.read(descriptor, MAX_SIZE)
        found = parse(data.decode())
    except UntrustedError as error:
        return TokenFile({}, str(error))
    except OSError as error:
        return TokenFile({}, f"{path}: {error.strerror}; without it nobody may report")
    except UnicodeDecodeError:
        return TokenFile({}, f"{path}: is not UTF-8; write it again")
    return TokenFile(found.names, f"{path}: {found.fault}" if found.fault else "")


def token_of(header: str) -> str | None:
    """Return the token that an Authorization header has; None where it has none."""
    match = _HEADER.fullmatch(header)
    return None if match is None else match[1]


class Tokens:
    """The tokens of a file.

    Args:
        path: tells where it is.
        clock: the time.
        note: is told what is wrong with it; an empty text where nothing is.
    """

    def __init__(
        self, path: Callable[[], Path], clock: Clock, note: Callable[[str], object]
    ) -> None:
        self._path, self._clock, self._note = path, clock, note
        self._found = TokenFile({})
        self._read_at: float | None = None
        self._read_path: Path | None = None
        self._reading = asyncio.Lock()

    async def holder(self, token: str) -> str | None:
        """Return whose a token is; None where it is nobody's."""
        await self.look()
        return self._found.names.get(hashlib.sha256(token.encode()).hexdigest())

    async def look(self) -> None:
        """Look whether the file is another one, unless that was just done."""
        async with self._reading:  # all who ask meanwhile wait for the same reading
            now, path = self._clock.steady(), self._path()
            if self._read_at is None or now >= self._read_at + EVERY or path != self._read_path:
                self._found = await asyncio.to_thread(read, path)
                self._read_at, self._read_path = now, path
                self._note(self._found.fault)
