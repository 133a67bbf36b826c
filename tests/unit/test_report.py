"""The log of a program that nobody listens to."""

import os
import subprocess
import sys

CLOSE_STDERR = """
import os, sys
if sys.stderr is not None:  # as what started this program would have closed it
    os.close(2)
    os.execv(sys.executable, sys.orig_argv)
"""
PROGRAM = """
import logging
from speaker import report
report.set_up("vip_watchdog")
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
