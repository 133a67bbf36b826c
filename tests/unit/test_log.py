"""The log of a program that nobody listens to."""

import json
import logging
import os
import queue
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from speaker.journal import is_journal
from speaker.log import (
    EACH_SECOND,
    LENGTH,
    WAITING,
    JsonLine,
    Printable,
    Queueing,
    Syslog,
)
from tests.support.fakes.site import write_config

CLOSE_STDERR = """
import os, sys
if sys.stderr is not None:  # as what started this program would have closed it
    os.close(2)
    os.execv(sys.executable, sys.orig_argv)
"""
PROGRAM = """
import logging
from speaker.log import set_up
set_up("vip_watchdog")
for _ in range({lines}):
    logging.warning("x" * 1000)
"""
PATIENCE = 60.0


def run(lines: int, stderr: int | None) -> subprocess.CompletedProcess[str]:
    """Run a program that logs, and ends then; without a stderr where it is None."""
    return subprocess.run(
        [sys.executable, "-c", CLOSE_STDERR * (stderr is None) + PROGRAM.format(lines=lines)],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


ENTERS_LOCKS = """
import json
import logging
def handle(self, record, before=logging.Handler.handle):
    with self.lock:
        return before(self, record)
def flush(self, before=logging.StreamHandler.flush):
    with self.lock:
        before(self)
logging.Handler.handle, logging.StreamHandler.flush = handle, flush
"""
"""What Python does from 3.13 on, which Debian 13 has."""


def test_newer_pythons() -> None:
    """Every line is written where handlers enter their lock, and the end has nothing to say."""
    argv = [sys.executable, "-c", ENTERS_LOCKS + PROGRAM.format(lines=2)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, f"vip_watchdog: {'x' * 1000}\n" * 2)


def test_nobody_reads_it() -> None:
    """A pipe that is full, and is read by nobody, does not hold up the end."""
    read, write = os.pipe()
    try:
        done = run(300, write)
    finally:
        os.close(read)
        os.close(write)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_is_written_until_the_end() -> None:
    """What was logged just before the end is written, every line with the program's name."""
    done = run(50, subprocess.PIPE)
    assert done.returncode == 0
    assert done.stderr == f"vip_watchdog: {'x' * 1000}\n" * 50


def test_no_stderr() -> None:
    """Without a stderr nothing goes to stdout, where ExaBGP reads commands, nor to another file."""
    done = run(3, None)
    assert (done.returncode, done.stdout) == (0, "")


class Elsewhere(logging.Handler):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def line(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text, "levelno": logging.WARNING})


def test_syslog_restarts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While syslog is gone that is said once, elsewhere, and in one line; it is used as soon as it is back."""
    path = tmp_path / "log"

    def serve() -> socket.socket:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(str(path))
        return server

    elsewhere = Elsewhere()
    with serve() as first:
        syslog = Syslog(path, [elsewhere])
        syslog.emit(line("one"))
        assert b"one" in first.recv(100)
    path.unlink()
    for text in ("two", "three"):
        syslog.emit(line(text))
    assert len(elsewhere.lines) == 1
    assert elsewhere.lines[0].startswith(f"syslog: {path}: ")
    with serve() as second:
        syslog.emit(line("four"))
        assert b"four" in second.recv(100)
    syslog.close()
    assert capsys.readouterr().err == ""


def test_the_journal_has_both(tmp_path: Path) -> None:
    """Where syslog alone is written to, what it does not take is written elsewhere, each line once."""
    path = tmp_path / "log"
    elsewhere = Elsewhere()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        syslog = Syslog(path, [elsewhere], alone=True)
        syslog.emit(line("one"))
        assert b"one" in server.recv(100)
    path.unlink()
    for text in ("two", "three"):
        syslog.emit(line(text))
    syslog.close()
    assert elsewhere.lines[0].startswith(f"syslog: {path}: ")
    assert elsewhere.lines[1:] == ["two", "three"]


@pytest.mark.parametrize("is_it", [True, False])
def test_stderr_is_the_journal(tmp_path: Path, *, is_it: bool) -> None:
    """Only the very stream that JOURNAL_STREAM names is the journal's: it may have been led elsewhere since."""
    with (tmp_path / "stderr").open("w") as stream, (tmp_path / "other").open("w") as other:
        found = os.fstat((stream if is_it else other).fileno())
        assert is_journal(stream, {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}) == is_it
    assert not is_journal(stream, {})
    assert not is_journal(None, {})


def test_nobody_writes() -> None:
    """While nobody writes, no more than so many lines wait; how many were dropped is said then."""
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    queueing = Queueing(records)
    for _ in range(WAITING + 5):
        queueing.emit(line("x"))
    assert records.qsize() == WAITING
    for _ in range(WAITING):
        records.get()
    queueing.emit(line("y"))
    said = [records.get().getMessage() for _ in range(records.qsize())]
    assert said == ["log: 5 lines dropped, because stderr or syslog accepted none", "y"]


def test_too_many_lines() -> None:
    """Whoever can cause lines fills no disk: past so many at once, so many a second, and how many were left out."""
    now = [0.0]
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    queueing = Queueing(records, lambda: now[0], at_once=50)

    def written(count: int) -> list[str]:
        found = []
        for _ in range(count):
            queueing.emit(line("x"))
            while not records.empty():
                found.append(records.get().getMessage())
        return found

    assert written(57) == ["x"] * 50
    now[0] += 1.0
    said = f"log: 7 lines dropped, because there were more than {EACH_SECOND} a second for long"
    assert written(EACH_SECOND + 9) == [said, *["x"] * EACH_SECOND]
    now[0] += 100.0
    assert len(written(200)) == 51


def test_a_long_message() -> None:
    """A message of any length takes no more than so much of the log."""
    record = logging.makeLogRecord({"msg": "%s", "args": ("y" * (LENGTH + 5),)})
    assert Printable("%(message)s").format(record) == f"{'y' * LENGTH}… and 5 more characters"


def test_json() -> None:
    """A line as JSON is one line: its time, level, part and message, in which nothing acts on a terminal."""
    record = logging.LogRecord(
        "speaker.reconcile.apply", logging.WARNING, "", 0, "a\x1bb\nc", (), None
    )
    record.created = 0.5
    record.msg = Printable("%(message)s").format(record)
    text = JsonLine().format(record)
    assert text.isprintable()
    assert json.loads(text) == {
        "time": "1970-01-01T00:00:00.500Z",
        "level": "warning",
        "part": "reconcile.apply",
        "message": "a\\x1bb\n  c",
    }


@pytest.mark.parametrize("arguments", [[], ["--log-format", "text"], ["--log-format", "json"]])
def test_the_form_is_chosen(tmp_path: Path, arguments: list[str]) -> None:
    """`--log-format` beats `[node] log`: what the watchdog says on stderr is text or JSON."""
    file = write_config(tmp_path)
    file.write_text(file.read_text().replace("[node]\n", '[node]\nlog = "json"\n'))
    done = subprocess.run(
        [sys.executable, "-m", "speaker.vip_watchdog", "--config", str(file), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    first = done.stderr.splitlines()[0]
    assert first.startswith("vip_watchdog: ") == ("text" in arguments)
    if "text" not in arguments:
        assert json.loads(first)["level"] == "critical"
