"""The text of keepalived's files, line by line: comments, definitions, what a line is repeated for. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DEFINITION = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*(.*)", re.DOTALL)
CONDITION = re.compile(r"@(\^?)([^ \t\n]+)[ \t]+(.*)", re.DOTALL)
_ITEMS = re.compile(r"\{([^{}]*)\}|([^,{}\s]+)")
_SPECIAL = re.compile(r'[!#"\\]')
_PIECE = re.compile(r'\\.?|[!#"]|[^!#"\\]+')
_CHOICE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line is. `str()` is `/etc/keepalived/keepalived.conf:12`."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class ConfLine:
    """A line that keepalived takes, and where it comes from."""

    place: Place
    text: str


def joined(raw: Sequence[str], path: str) -> Iterator[ConfLine]:
    """Yield the lines of a file without comments; those of one definition are one, with breaks."""
    parts: list[str] = []
    start = 0
    for number, text in enumerate(raw, 1):
        line, goes_on = _uncommented(text.rstrip("\r"))
        if not parts:
            start, goes_on = number, goes_on and _defines(line)
        parts += [line] if line else []
        if not goes_on:
            yield from _line_of(parts, path, start)
            parts = []
    yield from _line_of(parts, path, start)


def _defines(line: str) -> bool:
    condition = CONDITION.fullmatch(line)
    return DEFINITION.fullmatch(line if condition is None else condition[3]) is not None


def _line_of(parts: Sequence[str], path: str, start: int) -> Iterator[ConfLine]:
    if parts:
        yield ConfLine(Place(path, start), "\n".join(parts))


def _uncommented(text: str) -> tuple[str, bool]:
    r"""Return a line without its comment and the space around it, and whether it goes on (`\\`)."""
    text = text.strip(" \t")
    if _SPECIAL.search(text) is None:
        return text, False
    kept: list[str] = []
    quoted = comment = goes_on = False
    for match in _PIECE.finditer(text):
        piece = match[0]
        if piece == "\\":
            goes_on = True
            break
        if piece == '"' and not comment:
            quoted = not quoted
        comment = comment or (not quoted and piece in {"!", "#"})
        if not comment:
            kept.append(piece[1:] if not quoted and piece in {"\\!", "\\#"} else piece)
    return "".join(kept).strip(" \t"), goes_on


def turns_of(kind: str, head: str) -> Iterator[list[tuple[str, str]]] | None:
    """Return what `~SEQ(head)` or `~LST(head)` sets its parameters to, one turn after the other."""
    if kind == "LST":
        names, *values = [
            (match[1] or match[2]).replace(",", " ").split() for match in _ITEMS.finditer(head)
        ] or [[]]
        if not names or not values or any(len(value) != len(names) for value in values):
            return None
        return ([*zip(names, value, strict=True)] for value in values)
    name, *texts = [part.strip() for part in head.split(",")]
    try:
        numbers = _numbers([int(text, 0) for text in texts])
    except ValueError:
        return None
    shown: Callable[[int], str] = "{:x}".format if kind == "SEQx" else str
    return ([(name, shown(number))] for number in numbers)


def _numbers(given: Sequence[int]) -> range:
    """Return the numbers of `~SEQ`, given the end; the start and the end; or the step between them.

    Raises:
        ValueError: it is not one of these, or gives none.
    """
    match given:
        case [end]:
            start, step = (-1, -1) if end < 0 else (1, 1)
        case [start, end]:
            step = 1 if start <= end else -1
        case [start, step, end]:
            pass
        case _:
            raise ValueError
    numbers = range(start, end + (1 if step > 0 else -1), step)
    if not numbers:
        raise ValueError
    return numbers


def chosen(pattern: str, limit: int) -> list[str]:
    """Return the patterns that `{a,b}` makes of one, as csh does; itself where that is too much."""
    found = [pattern]
    while any(_CHOICE.search(each) for each in found):
        found = [each for one in found for each in _chosen(one)]
        if len(found) > limit:
            return [pattern]
    return found


def _chosen(pattern: str) -> list[str]:
    match = _CHOICE.search(pattern)
    if match is None:
        return [pattern]
    return [
        pattern[: match.start()] + each + pattern[match.end() :] for each in match[1].split(",")
    ]
