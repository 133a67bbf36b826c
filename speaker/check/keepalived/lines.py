"""The lines that keepalived takes from its files: without comments, with includes and parameters.

The language is read line by line (keepalived.conf(5), "Advanced configuration"): a comment goes first;
then `@` drops a line that is for another machine, `$NAME=` defines a parameter, `~SEQ` and `~LST` repeat
the rest of the line, and a parameter gives its value in its place, perhaps one of several lines. What
can't be made out is a note, and from then on the reading is not complete.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from speaker.check.keepalived.text import (
    CONDITION,
    DEFINITION,
    ConfLine,
    Place,
    chosen,
    joined,
    turns_of,
)
from speaker.errors import SpeakerError
from speaker.printable import reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath

MAX_DEPTH = 16
MAX_FILES = 1_000
MAX_BYTES = 16 << 20
MAX_STEPS = 500_000
"""Lines in all, with those that `~SEQ` makes of others, and parameters that are replaced."""
MAX_LENGTH = 4096
MAX_NOTES = 20

_PARAMETER = re.compile(
    r"\$(?:\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)(?=[ \t,)]|$))"
)
_REPEAT = re.compile(r"~(SEQx?|LST)[ \t]*\(([^()]*)\)[ \t]*(.*)")
_INCLUDE = re.compile(r"include[rmwba]?")


class ConfError(SpeakerError):
    """keepalived's file can't be read at all."""


@dataclass(slots=True)
class ConfLines:
    """What was read. `notes` say what was not, and whether anything may be missing for it."""

    lines: list[ConfLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    complete: bool = True


class Files(Protocol):
    """Where files are read."""

    def find(self, pattern: str, folder: PurePath) -> Sequence[PurePath]:
        """Return the files that an include names, relative to a folder, in keepalived's order."""
        ...

    def read(self, path: PurePath, limit: int) -> str:
        """Return the text of a file.

        Raises:
            OSError: it can't be read, is no regular file, or has more bytes than the limit.
        """
        ...


def read_lines(path: PurePath, files: Files, config_id: str) -> ConfLines:
    """Read keepalived's file and all that it includes.

    Args:
        path: the file.
        files: reads files.
        config_id: which lines with `@` are taken (`keepalived -i`, by default the machine's name).

    Raises:
        ConfError: the file itself can't be read.
    """
    reading = _Reading(files, config_id)
    try:
        reading.file(path)
    except OSError as error:
        raise ConfError(f"keepalived: {path}: {reason(error)}") from error
    except _TooMuchError as error:
        reading.doubt(f"{error}; the rest is not read")
    return reading.result


class _TooMuchError(Exception):
    """There is more than is read."""


class _Reading:
    """One reading of a file and its includes."""

    def __init__(self, files: Files, config_id: str) -> None:
        self.result = ConfLines()
        self._files = files
        self._config_id = config_id
        self._parameters: dict[str, tuple[str, ...]] = {"_HASH": ("#",), "_BANG": ("!",)}
        self._open: list[PurePath] = []
        self._count = self._bytes = self._steps = 0

    def note(self, note: str) -> None:
        """Note something, where not too much was noted already."""
        if len(self.result.notes) < MAX_NOTES:
            self.result.notes.append(note)

    def doubt(self, note: str) -> None:
        """Note something that keepalived may read otherwise."""
        self.note(note)
        self.result.complete = False

    def file(self, path: PurePath) -> None:
        """Read a file."""
        self._count += 1
        if self._count > MAX_FILES:
            raise _TooMuchError(f"{path}: more than {MAX_FILES} files")
        text = self._files.read(path, MAX_BYTES - self._bytes)
        self._bytes += len(text)
        self._open.append(path)
        self._parameters["_PWD"] = (str(path.parent),)
        for line in joined(text.split("\n"), str(path)):
            self._line(line.text, line.place, 0)
        self._open.pop()
        if self._open:
            self._parameters["_PWD"] = (str(self._open[-1].parent),)

    def _step(self, place: Place) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise _TooMuchError(f"{place}: more than {MAX_STEPS} lines and parameters")

    def _line(self, text: str, place: Place, depth: int, *, last: bool = True) -> None:
        """Take a line: define, repeat, include, or keep it.

        Args:
            text: the line.
            place: where it is.
            depth: within how many parameters.
            last: whether no other line follows from the one in the file: an include is read after those.
        """
        self._step(place)
        if depth > MAX_DEPTH:
            self.doubt(f"{place}: parameters within parameters without end: not understood")
            return
        found = self._meant(text)
        if not found:
            return
        if (definition := DEFINITION.fullmatch(found)) is not None:
            lines = [line for line in definition[2].split("\n") if line]
            self._parameters[definition[1]] = tuple(lines or [""])
            return
        if found.startswith("~"):
            self._repeat(found, place, depth)
            return
        lines = self._replaced(found, place)
        if lines != [found]:
            for line in lines:
                self._line(line, place, depth + 1, last=last and len(lines) == 1)
            return
        words = found.split()
        if len(words) == 2 and _INCLUDE.fullmatch(words[0]):
            if not last:
                self.doubt(f"{place}: include among lines that a parameter makes: not understood")
                return
            self._include(words[1], place)
            return
        self.result.lines.append(ConfLine(place, found))

    def _meant(self, text: str) -> str:
        """Return a line without its condition, empty where it is for another machine."""
        if not text.startswith("@"):
            return text
        condition = CONDITION.fullmatch(text)
        if condition is None or (condition[2] == self._config_id) == bool(condition[1]):
            return ""
        return condition[3]

    def _replaced(self, text: str, place: Place) -> list[str]:
        """Return a line with its parameters replaced: several lines where the last one has as many.

        A line that is conditional then, or repeats, is returned before the others are replaced.
        """
        while (match := self._known(text)) is not None:
            self._step(place)
            before, (first, *others), after = (
                text[: match.start()],
                self._value(match),
                text[match.end() :],
            )
            text = before + first + after
            if others or text.startswith(("@", "~")):
                return [text, *others]
            if len(text) > MAX_LENGTH:
                self.doubt(f"{place}: too long with its parameters: not understood")
                return []
        return [text]

    def _known(self, text: str) -> re.Match[str] | None:
        """Return the first parameter of a line that has a value. One of several lines must end it."""
        for match in _PARAMETER.finditer(text):
            value = self._value(match)
            if len(value) == 1 or (value and match.end() == len(text)):
                return match
        return None

    def _value(self, match: re.Match[str]) -> tuple[str, ...]:
        return self._parameters.get(match["braced"] or match["bare"], ())

    def _repeat(self, text: str, place: Place, depth: int) -> None:
        match = _REPEAT.fullmatch(text)
        head = [] if match is None else self._replaced(match[2], place)
        turns = turns_of(match[1], head[0]) if match is not None and len(head) == 1 else None
        if match is None or turns is None:
            self.doubt(f"{place}: {text[:40]!r}: not understood")
            return
        for turn in turns:
            self._parameters.update({name: (value,) for name, value in turn})
            self._line(match[3], place, depth + 1, last=False)

    def _include(self, pattern: str, place: Place) -> None:
        folder = self._open[-1].parent
        try:
            paths = [
                path
                for each in chosen(pattern, MAX_FILES)
                for path in self._files.find(each, folder)
            ]
        except OSError as error:
            self.doubt(f"{place}: include {pattern}: {reason(error)}")
            return
        if not paths:
            self.note(f"{place}: include {pattern}: there is no such file")
        for path in paths:
            if path in self._open or len(self._open) >= MAX_DEPTH:
                self.doubt(f"{place}: include {path}: a file within itself, or too deep")
                continue
            try:
                self.file(path)
            except OSError as error:
                self.doubt(f"{place}: include {path}: {reason(error)}")
