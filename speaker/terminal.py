"""What the commands print: answers on stdout, the rest on stderr. A reader who left stops nothing."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from speaker.errors import SpeakerError
from speaker.journal import is_twice
from speaker.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


MIN_WIDTH, USUAL_WIDTH, USUAL_HEIGHT = 40, 80, 24
"""Columns below which nothing is made to fit, and those and the lines of a terminal that does not say."""


AFTER, EACH_TICK = 1.0, 0.5
"""When it is said that something takes its time, in seconds, and how often from then on."""


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


def would_stand_twice() -> bool:
    """Tell whether what is said on stderr and in syslog would stand in the journal twice, as under systemctl reload."""
    return is_twice(sys.stderr, os.environ)


def has_colours() -> bool:
    """Tell whether the terminal that answers go to may be given colours: see no-color.org."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def show(screen: str) -> None:
    """Print a screen on stdout whose texts are printable already, and whose colours act on the terminal.

    Raises:
        OutputError: it could not be written.
    """
    _write(screen, keep="\n\x1b")


def tell(text: str) -> None:
    """Print an answer on stdout, in whatever characters that has.

    Nothing is said of a reader who has seen enough, such as `head`, nor of a stdout that is closed.

    Raises:
        OutputError: it could not be written, such as to a full disk.
    """
    _write(text, keep="\n\t")


def _write(text: str, keep: str) -> None:
    if sys.stdout is None:
        return
    _progress.erase()
    shown = printable(text, keep=keep)
    encoding = sys.stdout.encoding or "utf-8"
    try:
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
    try:
        columns = _given("COLUMNS") or os.get_terminal_size(1).columns
    except OSError:  # it has none
        columns = 0
    return max(columns or USUAL_WIDTH, MIN_WIDTH)


def height() -> int:
    """Return how many lines the terminal has that answers go to."""
    try:
        lines = _given("LINES") or os.get_terminal_size(1).lines
    except OSError:
        lines = 0
    return lines or USUAL_HEIGHT


def _given(variable: str) -> int:
    """Return a number of the environment; 0 where it has none, or none that a terminal could have."""
    text = os.environ.get(variable, "")
    return int(text) if re.fullmatch("[0-9]{1,5}", text) else 0


def say(line: str) -> None:
    """Print a line on stderr, if there is one that takes it: it must not stop what is being done."""
    if sys.stderr is None:
        return
    _progress.erase()
    with suppress(OSError):
        print(printable(line, keep="\n\t"), file=sys.stderr)


class _Progress:
    """The line on stderr that says how long something has taken; another line that is said takes its place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_shown = False

    def show(self, text: str) -> None:
        """Show it in the place of the last one, cut to the terminal's width."""
        with self._lock:
            self._write(f"\r{printable(text)[: USUAL_WIDTH - 1]}\x1b[K")
            self._is_shown = True

    def erase(self) -> None:
        """Erase it, where it is shown."""
        with self._lock:
            if self._is_shown:
                self._write("\r\x1b[K")
            self._is_shown = False

    @staticmethod
    def _write(text: str) -> None:
        if sys.stderr is not None:
            with suppress(OSError):
                sys.stderr.write(text)
                sys.stderr.flush()


_progress = _Progress()


@contextmanager
def waiting(what: str, after: float = AFTER) -> Iterator[None]:
    """Say on a terminal's stderr what is waited for, and for how long already, while the context lasts.

    Args:
        what: is being done.
        after: from when on that is said, in seconds.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    is_done, began = threading.Event(), time.monotonic()

    def tick() -> None:
        left = after
        while not is_done.wait(left):
            _progress.show(f"{what} … {time.monotonic() - began:.0f} s")
            left = EACH_TICK

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_done.set()
        thread.join()
        _progress.erase()


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows with their columns aligned; the last column is as long as it likes."""
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
