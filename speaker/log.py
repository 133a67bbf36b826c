"""The log: to stderr and syslog, by a thread of its own, and nothing in a line acts on a terminal."""

from __future__ import annotations

import atexit
import io
import json
import logging
import logging.handlers
import os
import queue
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from policy.wording import count
from speaker.journal import SYSLOG, is_twice
from speaker.printable import printable, reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

WATCHDOG = "vip_watchdog"
SHADOW = "vip_watchdog: shadow"
WAITING = 10_000
"""How many lines may wait to be written."""
AT_ONCE, EACH_SECOND = 100_000, 20
"""How many lines may come at once, such as one for each prefix, and in each second from then on."""
LENGTH = 1 << 16
"""How many characters of a message are written."""


def set_up(tag: str, level: int = logging.INFO) -> None:
    """Send this program's log to stderr and, where there is one, to syslog.

    A thread writes it: a full pipe or a stopped syslog must not stop the program, because
    ExaBGP waits for it; nor its end, for which that thread, if it is stuck, holds no lock.
    Where both are the journal's, each line goes there once: by syslog's way, which has the tag.
    """
    handlers: list[logging.Handler] = []
    trouble = ""
    twice = is_twice(sys.stderr, os.environ)
    if sys.stderr is not None:
        handlers.append(_Stderr(_unbuffered_stderr()))
        handlers[0].setFormatter(logging.Formatter(f"{tag}: %(message)s"))
    if SYSLOG.is_socket():
        try:
            syslog = Syslog(SYSLOG, [*handlers], alone=twice)
        except OSError as error:
            trouble = f"syslog: {SYSLOG}: {reason(error)}; logging to stderr only"
        else:
            syslog.ident = f"{tag}: "
            handlers = [syslog] if twice else [*handlers, syslog]
    _forms[:] = [handlers[0]] if handlers else []
    for handler in handlers:
        handler.lock = cast("threading.RLock", NeverLocked())
    logging.logProcesses = logging.logThreads = logging.logMultiprocessing = False
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, *handlers)
    listener.start()
    _listeners.append(listener)
    atexit.register(end)
    queueing = Queueing(records)
    queueing.setFormatter(Printable("%(message)s"))
    logging.basicConfig(level=level, handlers=[queueing], force=True)
    if trouble:
        logging.getLogger(__name__).error("%s", trouble)


_forms: list[logging.Handler] = []
"""Where the form of a line can be chosen: stderr, or what stands for it in the journal."""


_listeners: list[logging.handlers.QueueListener] = []
"""Those that write."""


def end() -> None:
    """Write what is left, for a second at most."""
    while _listeners:
        stopper = threading.Thread(target=_listeners.pop().stop, daemon=True)
        stopper.start()
        stopper.join(1.0)


def write_json() -> None:
    """Write each line as a JSON object from now on: on stderr, or where its lines go to the journal."""
    for handler in _forms:
        handler.setFormatter(JsonLine())


class JsonLine(logging.Formatter):
    """A line as JSON: `time`, `level`, `part` (of the program) and `message`, made printable before."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        part = record.name.removeprefix("speaker.")
        return json.dumps(
            {
                "time": when.replace("+00:00", "Z"),
                "level": record.levelname.lower(),
                "part": part,
                "message": record.getMessage(),
            }
        )


class NeverLocked:
    """Stands where a handler has its lock, which only one thread uses: the end must not wait for it.

    Not None, for which Python asked until 3.12: from 3.13 on, every handler enters its lock.
    """

    def acquire(self) -> bool:
        """Have it at once."""
        return True

    def release(self) -> None:
        """Give nothing back."""

    def __enter__(self) -> bool:
        return True

    def __exit__(self, *error: object) -> None:
        pass

    def _at_fork_reinit(self) -> None:
        """Do what Python asks of its locks in a process that was forked."""


class Printable(logging.Formatter):
    """Makes a message fit for a terminal and syslog. Its further lines can't be taken for others."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, and what was raised where that goes with it."""
        text = super().format(record)
        if (more := len(text) - LENGTH) > 0:
            text = f"{text[:LENGTH]}… and {count(more, 'more character')}"
        return printable(text, keep="\n").replace("\n", "\n  ")


class _Stderr(logging.StreamHandler[io.TextIOWrapper]):
    """Writes to stderr."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say nothing: stderr is not read, or its disk is full; syslog has the line."""


class Syslog(logging.handlers.SysLogHandler):
    """Writes to syslog. Where that can't be done, it says so once, elsewhere.

    Args:
        path: its socket.
        elsewhere: where else lines are written.
        alone: whether that happens only to those that syslog does not take.
    """

    def __init__(
        self, path: Path, elsewhere: Sequence[logging.Handler], *, alone: bool = False
    ) -> None:
        super().__init__(str(path), logging.handlers.SysLogHandler.LOG_DAEMON)
        self._path = path
        self._elsewhere = elsewhere
        self._is_alone = alone
        self._is_lost = self._was_lost = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        self._is_lost = False
        super().emit(record)
        self._was_lost = self._is_lost

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say that a line could not be written, where the one before could."""
        self._is_lost = True
        if not self._was_lost:
            text = f"syslog: {self._path}: {sys.exc_info()[1]}; logging to stderr only until it is back"
            for handler in self._elsewhere:
                handler.emit(logging.makeLogRecord({"msg": text, "levelno": logging.ERROR}))
        if self._is_alone:
            for handler in self._elsewhere:
                handler.emit(record)


class Queueing(logging.handlers.QueueHandler):
    """Puts lines in a queue, and drops them while none is written, or too many come for the disk."""

    def __init__(
        self,
        records: queue.SimpleQueue[logging.LogRecord],
        steady: Callable[[], float] = time.monotonic,
        at_once: int = AT_ONCE,
    ) -> None:
        super().__init__(records)
        self._records = records
        self._steady = steady
        self._at_once, self._left, self._counted = at_once, float(at_once), steady()
        self._dropped, self._why = 0, ""

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put a line in the queue."""
        if why := self._full():
            self._dropped, self._why = self._dropped + 1, why
            return
        if self._dropped:
            text = f"log: {count(self._dropped, 'line')} dropped, because {self._why}"
            self._dropped = 0
            super().enqueue(logging.makeLogRecord({"msg": text, "levelno": logging.ERROR}))
        super().enqueue(record)

    def _full(self) -> str:
        """Return why no line can be taken, nothing where one can."""
        if self._records.qsize() >= WAITING:
            return "stderr or syslog accepted none"
        now = self._steady()
        self._left = min(self._at_once, self._left + EACH_SECOND * (now - self._counted))
        self._counted = now
        if self._left < 1:
            return f"there were more than {EACH_SECOND} a second for long"
        self._left -= 1
        return ""


def _unbuffered_stderr() -> io.TextIOWrapper:
    """Return stderr without a buffer, whose lock Python would wait for at the end."""
    raw = io.FileIO(2, "w", closefd=False)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
