"""What ends: a block, a configuration before its file does, or a file within a line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speaker.migration.bgpd_conf import blocks
from speaker.migration.bgpd_conf.statement import CommandMode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from speaker.migration.bgpd_conf.statement import Statement

_LEAVES = (("end",), ("exit",), ("quit",))
_WHOLE = (*_LEAVES, ("exit-address-family",), ("line", "vty"))
"""What ends a file, and is not a part of something else."""
_UNCONCERNED = (CommandMode.LINE, CommandMode.INTERFACE, CommandMode.OTHER)
_CUT = "the file ends without a line end: it may be cut short; add a line end if it is whole"
_UNREAD = "bgpd reads nothing that stands after it; remove it, or what stands after it"


def with_faults(statements: Sequence[Statement], content: bytes) -> Iterator[tuple[Statement, str]]:
    """Yield each statement of a file with what is wrong about its place, or nothing.

    Args:
        statements: all of the file.
        content: of the file.
    """
    last_line = content.count(b"\n") + 1  # of which the line end is missing, or which is empty
    last = max((i for i, each in enumerate(statements) if each.words not in _LEAVES), default=-1)
    for index, statement in enumerate(statements):
        if statement.line == last_line and not _is_whole(statement):
            yield statement, _CUT
        elif _ends_all(statement) and index < last:
            yield statement, _UNREAD
        else:
            yield statement, ""


def ends_block(statement: Statement) -> bool:
    """Return whether a line says nothing but that a block ends."""
    if statement.words in (*_LEAVES, ("exit-address-family",)):
        return True
    is_alone = len(statement.words) == 1 and statement.mode is not CommandMode.TOP
    return is_alone and statement.words[0] in blocks.ENDS


def _is_whole(statement: Statement) -> bool:
    """Return whether a line that may be cut short says the same as it stands."""
    return statement.words in _WHOLE or statement.mode in _UNCONCERNED


def _ends_all(statement: Statement) -> bool:
    """Return whether bgpd leaves its configuration there."""
    return statement.words == ("end",) or (
        statement.mode is CommandMode.TOP and statement.words in _LEAVES
    )
