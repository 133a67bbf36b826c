"""ExaBGP's configuration as it shows it: sections in braces, in each other, with quoted texts. No I/O.

It writes a line for each statement, each `NAME … {` and each `}`. A text in quotes is written as it
is: braces and semicolons in it mean nothing, and it may go on over several lines. It has no quotes
itself, because ExaBGP's own reader takes none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speaker.backends.base import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(slots=True)
class Section:
    """What stands before a brace, and between it and its counterpart, in order."""

    head: str
    statements: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)

    def value(self, name: str) -> str | None:
        """Return what follows a statement's first word, None where there is no such statement."""
        values = (text for word, _, text in map(_parted, self.statements) if word == name)
        return next(values, None)

    def named(self, head: str) -> Iterator[Section]:
        """Yield the sections with a head: a section may be written several times."""
        return (section for section in self.sections if section.head == head)


def _parted(statement: str) -> tuple[str, str, str]:
    return statement.partition(" ")


def parse_sections(lines: Iterable[str]) -> list[Section]:
    """Parse an answer into its outermost sections.

    Raises:
        BackendError: a section is not closed, or closed twice, or a text has no end. What stands in
            them is not shown: it may be a password.
    """
    outermost = Section("")
    path = [outermost]
    for text in _whole(lines):
        if text == "}":
            if len(path) == 1:
                raise _unknown_form("a } without its {")
            path.pop()
        elif text.endswith("{"):
            section = Section(text[:-1].rstrip())
            path[-1].sections.append(section)
            path.append(section)
        elif text:
            path[-1].statements.append(text.removesuffix(";"))
    if len(path) > 1:
        raise _unknown_form(f"{path[1].head}: a {{ without its }}")
    if outermost.statements:
        raise _unknown_form("a statement outside of every section")
    return outermost.sections


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """Yield each line, and those that one quoted text goes on over as one."""
    begun: list[str] = []
    quoted = False
    for line in lines:
        begun.append(line)
        quoted ^= line.count('"') % 2 == 1
        if not quoted:
            yield "\n".join(begun).strip()
            begun = []
    if begun:
        raise _unknown_form("a string without its end")


def _unknown_form(what: str) -> BackendError:
    return BackendError(f"ExaBGP: show neighbor configuration: {what}; is this ExaBGP 4.2 or 5.0?")
