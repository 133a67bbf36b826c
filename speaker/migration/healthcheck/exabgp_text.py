"""exabgp.conf as ExaBGP reads it: statements and sections, each with its line.

ExaBGP's own rules: a statement ends in its line, which a backslash at the end goes on; a backslash changes the
character after it, in quotes as well; brackets and commas are words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf.statement import MigrationError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 20
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_CODE = 4
"""So many hexadecimal digits come after `\\u`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A statement of a section: where it stands, and its words."""

    where: str
    words: tuple[str, ...]


@dataclass(slots=True)
class ConfSection:
    """`neighbor 192.0.2.1 { … }`: its head, its statements, and the sections in it."""

    head: Entry
    entries: list[Entry] = field(default_factory=list)
    sections: list[ConfSection] = field(default_factory=list)

    def values(self, key: str) -> list[Entry]:
        """Return the statements that begin with a word."""
        return [each for each in self.entries if each.words[0] == key]

    def inside(self, *kinds: str) -> Iterator[ConfSection]:
        """Yield the sections of some kinds that stand in it."""
        return (each for each in self.sections if each.head.words[0] in kinds)


def parse(file: str, text: str) -> ConfSection:
    """Parse a file; return a section with all of it.

    Raises:
        MigrationError: ExaBGP would not read it; says the line.
    """
    top = ConfSection(Entry(file, ()))
    open_: list[ConfSection] = [top]
    for where, words, end in _statements(file, text):
        entry = Entry(where, tuple(words))
        if end == "}":
            if words or len(open_) == 1:
                raise MigrationError(f"{where}: }} ends no section; correct it")
            open_.pop()
        elif not words:
            if end == "{":
                raise MigrationError(f"{where}: {{ begins a section without a name; correct it")
        elif end == "{":
            if len(open_) > MAX_DEPTH:
                raise MigrationError(f"{where}: sections in {MAX_DEPTH} others; correct it")
            open_[-1].sections.append(ConfSection(entry))
            open_.append(open_[-1].sections[-1])
        else:
            open_[-1].entries.append(entry)
    if len(open_) > 1:
        raise MigrationError(f"{open_[-1].head.where}: the section has no end; add a }}")
    return top


def _statements(file: str, text: str) -> Iterator[tuple[str, list[str], str]]:
    for number, line in _lines(text):
        where = f"{file}:{number}"
        words: list[str] = []
        word = quoted = ""
        for char in "".join(_unescaped(where, line)):
            if char in "\"'":  # within quotes of the other kind, too: there it takes their place
                words += [word] if quoted == char else []
                word = "" if quoted == char else word
                quoted = "" if quoted == char else char
            elif quoted or char not in " \t\r\n,[]{};#":
                word += char
            else:
                words += [word] if word else []
                words += [char] if char in ",[]" else []
                word = ""
                if char == "#":
                    break
                if char in "{};":
                    yield where, words, char
                    words = []
        if word or words:
            raise MigrationError(f"{where}: the statement does not end in its line; add a ;")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines, those that a backslash continues as one, by the number of the first."""
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first if begun else number
        begun += line.rstrip()
        if not begun.endswith("\\"):
            yield first, begun
            begun = ""
    if begun:
        yield first, begun


def _unescaped(where: str, line: str) -> Iterator[str]:
    """Yield the characters of a line. Those that were escaped count as any other, as they do for ExaBGP."""
    found = iter(line)
    for char in found:
        if char != "\\":
            yield char
            continue
        code = next(found, "")
        if code == "u":
            digits = "".join(next(found, "") for _ in range(_CODE))
            if len(digits) != _CODE or not set(digits) <= set("0123456789abcdefABCDEF"):
                raise MigrationError(f"{where}: \\u{digits} is no character; correct it")
            yield chr(int(digits, 16))
        elif code:
            yield _ESCAPES.get(code, code)
        else:
            raise MigrationError(f"{where}: the text ends with a backslash; remove it")
