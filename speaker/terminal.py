"""What the commands print: answers on stdout, the rest on stderr. A reader who left stops nothing."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


MIN_WIDTH, USUAL_WIDTH = 40, 80
"""Columns below which nothing is made to fit, and those of a terminal that does not say."""


class OutputError(SpeakerError):
    """The answer could not be written; what was done is done."""


def has_reader() -> bool:
    """Tell whether somebody may still read stdout: one who left has sent it to nowhere, see `tell`."""
    try:
        return sys.stdout is not None and not os.path.samestat(
            os.fstat(sys.stdout.fileno()), Path(os.devnull).stat()
        )
    except (OSError, ValueError):
        return True


def tell(text: str) -> None:
    """Print an answer on stdout, in whatever characters that has.

    Nothing is said of a reader who has seen enough, such as `head`, nor of a stdout that is closed.

    Raises:
        OutputError: it could not be written, such as to a full disk.
    """
    if sys.stdout is None:
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        shown = printable(text, keep="\n\t")
        print(shown.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        # What is left in the buffer would be tried again, and fail, at the program's end.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            raise OutputError(
                f"stdout: {error.strerror}; the answer is incomplete, ask again"
            ) from error


def width() -> int | None:
    """Return how many columns the terminal has that answers go to; None where they go elsewhere."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    given = os.environ.get("COLUMNS", "")
    try:
        columns = int(given) if given.isdecimal() else os.get_terminal_size(1).columns
    except OSError:  # it has none
        columns = 0
    return max(columns or USUAL_WIDTH, MIN_WIDTH)


def say(line: str) -> None:
    """Print a line on stderr, if there is one that takes it: it must not stop what is being done."""
    if sys.stderr is None:
        return
    with suppress(OSError):
        print(printable(line, keep="\n\t"), file=sys.stderr)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows with their columns aligned; the last column is as long as it likes."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
