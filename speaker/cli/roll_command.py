"""The command that a roll runs for a machine: found before anything is drained, run without a shell, and waited for, whatever signals come.

Theory of operation. The roll's lock must not end before the command does, or a second roll could begin beside it. The command can't hold
the lock itself: ssh and sudo close what they inherit, and a daemon that it starts would hold it for ever. So the roll
outlives its command: what would end the roll is passed on to the command, and its end is waited for.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from speaker.cli.commands import UsageError
from speaker.cli.messages import tell_operator
from speaker.errors import SpeakerError
from speaker.printable import reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

NAME = "{machine}"
"""What stands for a machine's name in the arguments of the command."""
VARIABLE = "VIP_MACHINE"
"""Where the command finds it."""
EVERY = 0.1
"""How often it is looked whether a signal came, in seconds."""

SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
"""What would end the roll, and be the end of its lock."""


class NotRolledError(SpeakerError):
    """A machine did not do what it was to do, or the command did not."""


def check_words(command: Sequence[str]) -> None:
    """Refuse words that can't be recorded.

    Raises:
        UsageError: one is not UTF-8.
    """
    for word in command:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"roll: {word[:80]!r}: not UTF-8, so the command can't be recorded; nothing was changed: put that into a script, and have it run"
            ) from error


def check_program(command: Sequence[str], machines: Collection[str]) -> None:
    """Refuse a command whose program is not here.

    Args:
        command: its words.
        machines: for which it is to be run, such as `lb1`.

    Raises:
        UsageError: it is not there, or can't be run.
    """
    for program in dict.fromkeys(command[0].replace(NAME, machine) for machine in machines):
        if shutil.which(program) is None:
            raise UsageError(
                f"roll: {program[:80]!r}: no such program here, or it can't be run; nothing was changed: write one that is found by PATH, or its path"
            )


def run(command: Sequence[str], machine: str) -> int:
    """Run the command for a machine, and return its exit status; a signal's is negative.

    ^C lets the command end, and then stops the roll; ^C again sends it SIGTERM. What else would end the roll is passed on. It is waited for in any case.

    Raises:
        NotRolledError: it can't be started, or the roll is to stop, now that it has ended.
    """
    # Where whoever started this ignores it, the kernel forgets how a command ended, and Python takes that for success.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    words = [word.replace(NAME, machine) for word in command]
    tell_operator(f"{machine}: {shown(words)}")
    heard: list[signal.Signals] = []
    with _heard(heard.append):
        with _without_interrupt():
            child = _started(words, machine)
        status = _waited(child, machine, heard)
    if heard:
        raise NotRolledError(
            f"{machine}: {heard[0].name}; the command has ended with {ended_with(status)}, and is run again when the roll goes on"
        )
    return status


def _started(words: Sequence[str], machine: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(words, env={**os.environ, VARIABLE: machine})
    except OSError as error:
        raise NotRolledError(
            f"{words[0]!r}: {reason(error)}; write a program that is there, and its arguments"
        ) from error


def _waited(child: subprocess.Popen[bytes], machine: str, heard: Sequence[signal.Signals]) -> int:
    """Wait for the end of the command, and heed the signals that come meanwhile; return its exit status."""
    done = 0
    while True:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(EVERY)
        for number in heard[done:]:
            _heed(child, machine, number, heard[:done])
            done += 1


def _heed(
    child: subprocess.Popen[bytes],
    machine: str,
    number: signal.Signals,
    before: Sequence[signal.Signals],
) -> None:
    """Do what a signal is for, which came after others."""
    if number is signal.SIGINT and number not in before:
        tell_operator(
            f"{machine}: ^C: the roll stops when the command has ended, which is waited for; ^C again ends the command (SIGTERM)"
        )
        return
    sent = signal.SIGTERM if number is signal.SIGINT else number
    tell_operator(f"{machine}: {number.name}: {sent.name} to the command; its end is waited for")
    child.send_signal(sent)


@contextmanager
def _heard(note: Callable[[signal.Signals], object]) -> Iterator[None]:
    """Have signals noted while the context lasts, but for those that are ignored: by nohup, or in the background."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = {number: was for number, was in before.items() if was is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, lambda found, _: note(signal.Signals(found)))
    try:
        yield
    finally:
        for number, was in heeded.items():
            signal.signal(number, was)


@contextmanager
def _without_interrupt() -> Iterator[None]:
    """Have what is started in the context ignore SIGINT: a terminal sends ^C to all that it runs, and the command is to end by itself.

    Of a process group of its own it could not read from the terminal, and ssh could ask for no password.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def ended_with(status: int) -> str:
    """Return how a command ended, in words."""
    return f"exit status {status}" if status >= 0 else f"signal {-status}"


def shown(words: Sequence[str]) -> str:
    """Return a command as one line, of a bounded length."""
    return " ".join(
        word if word.isprintable() and word and " " not in word else repr(word) for word in words
    )[:200]
