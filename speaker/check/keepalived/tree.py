"""keepalived's lines -> a tree of statements, each with its words and its block."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speaker.check.keepalived.lines import read_lines
from speaker.check.keepalived.text import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePath

    from speaker.check.keepalived.lines import ConfLines, Files
    from speaker.check.keepalived.text import ConfLine

MAX_DEPTH = 32
_BRACE = re.compile(r'"[^"]*"?|[{}]')
_WORD = re.compile(r'"([^"]*)"?|([^\s"]+)')


@dataclass(slots=True)
class ConfStatement:
    """A keyword with its words, and the statements of the block behind it."""

    place: Place
    words: tuple[str, ...]
    block: list[ConfStatement] = field(default_factory=list)
    _last: dict[str, ConfStatement] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The keyword."""
        return self.words[0]

    def add(self, statement: ConfStatement) -> None:
        """Add a statement to the block."""
        self.block.append(statement)
        self._last[statement.name] = statement

    def all(self, *names: str) -> Iterator[ConfStatement]:
        """Yield the statements of the block with one of some names."""
        return (each for each in self.block if each.name in names)

    def last(self, name: str) -> ConfStatement | None:
        """Return the statement of a name that holds: the last one.

        Each checker asks it of its realserver and of its virtual server, so it may not walk through their blocks.
        """
        return self._last.get(name)


@dataclass(frozen=True, slots=True)
class Tree:
    """All statements, under one without a name. `complete`: none may be missing for a note."""

    top: ConfStatement
    notes: tuple[str, ...]
    complete: bool


def read_tree(path: PurePath, files: Files, config_id: str) -> Tree:
    """Read keepalived's file and all that it includes.

    Args:
        path: the file.
        files: reads files.
        config_id: which lines with `@` are taken (`keepalived -i`, by default the machine's name).

    Raises:
        ConfError: the file itself can't be read.
    """
    return tree_of(read_lines(path, files, config_id), str(path))


def tree_of(read: ConfLines, path: str) -> Tree:
    """Return the tree of what was read."""
    planting = _Planting(ConfStatement(Place(path, 0), ("",)))
    for line in read.lines:
        if not planting.take(line):
            break
    planting.end()
    fault = planting.fault
    notes = (*read.notes, fault) if fault else tuple(read.notes)
    return Tree(planting.top, notes, read.complete and not fault)


class _Planting:
    """Puts statements into the blocks that are open. The first fault of braces ends it."""

    def __init__(self, top: ConfStatement) -> None:
        self.top = top
        self.fault = ""
        self._open = [top]
        self._may_open = False
        """Whether the last statement may have a block."""

    def take(self, line: ConfLine) -> bool:
        """Take a line, and tell whether to go on."""
        for part in _parts(line.text):
            if part == "{":
                self._down(line.place)
            elif part == "}":
                self._up(line.place)
            elif words := _words(part):
                self._open[-1].add(ConfStatement(line.place, words))
            if part.endswith("$"):
                self.fault = (
                    f"{line.place}: a parameter that is not known: the rest is not understood"
                )
            if self.fault:
                return False
            self._may_open = part not in {"{", "}"}
        return True

    def end(self) -> None:
        """See that no block is open any more."""
        if len(self._open) > 1 and not self.fault:
            block = self._open[-1]
            self.fault = f"{block.place}: {block.name!r}: its block has no end: not understood"

    def _down(self, place: Place) -> None:
        if not self._may_open or len(self._open) > MAX_DEPTH:
            self.fault = f"{place}: '{{' of no statement, or too deep: the rest is not understood"
        else:
            self._open.append(self._open[-1].block[-1])

    def _up(self, place: Place) -> None:
        if len(self._open) == 1:
            self.fault = f"{place}: '}}' of no block: the rest is not understood"
        else:
            self._open.pop()


def _parts(text: str) -> Iterator[str]:
    """Yield the statements and the braces of a line. Braces in quotes are none."""
    start = 0
    for match in _BRACE.finditer(text):
        if match[0] in {"{", "}"}:
            if before := text[start : match.start()].strip():
                yield before
            yield match[0]
            start = match.end()
    if rest := text[start:].strip():
        yield rest


def _words(text: str) -> tuple[str, ...]:
    """Return the words of a statement; quotes keep one together."""
    return tuple(match[2] or match[1] or "" for match in _WORD.finditer(text))
