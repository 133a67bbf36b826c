"""The command of a roll: what is refused before anything is drained, and what signals do while it runs."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speaker.cli.commands import UsageError
from speaker.cli.roll_command import NotRolledError, check_program, check_words, ended_with, run
from tests.support.lab.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

HEEDS = 'while grep -q "^SigIgn:.*[2367abef]$" /proc/$PPID/status; do sleep 0.05; done'
"""Waits until the roll heeds SIGINT: it ignores it while it starts the command."""
AGAIN = 'while kill -s "$1" $PPID; do sleep 0.05; done'
"""Signals the roll, until it is ended itself."""


@pytest.fixture(autouse=True)
def as_typed() -> Iterator[None]:
    """Have signals do what they do to a command that was typed, also where the tests run in the background, or by nohup."""
    others = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in others}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, how in before.items():
        signal.signal(number, how)


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It is run without a shell, with the machine's name in its arguments and its environment; what is not there is named."""
    script = "import os, sys; print(sys.argv[1:], os.environ['VIP_MACHINE']); sys.exit(4)"
    assert run([sys.executable, "-c", script, "{machine}.example", "$HOME; x"], "lb2") == 4
    assert capfd.readouterr().out == "['lb2.example', '$HOME; x'] lb2\n"
    absent = str(tmp_path / "absent")
    with pytest.raises(NotRolledError, match=f"'{absent}': {os.strerror(2)}; write a program"):
        run([absent], "lb2")
    assert run(["sh", "-c", "kill -9 $$"], "lb2") == -9
    assert (ended_with(-9), ended_with(3)) == ("signal 9", "exit status 3")


def test_how_it_ended_is_known_where_ends_are_ignored() -> None:
    """A command that failed has not succeeded, whatever was done about SIGCHLD where the roll was started from."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert run(["sh", "-c", "exit 3"], "lb1") == 3
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    """A program that can't be run for each machine is refused; where it is found by PATH, or by its path, it is not."""
    check_program(["sh"], ["lb1"])
    check_program([sys.executable], ["lb1"])
    for name in ("lb1", "lb2"):
        (tmp_path / name).write_text("#!/bin/sh\n")
    (tmp_path / "lb1").chmod(0o755)
    check_program([f"{tmp_path}/{{machine}}"], ["lb1"])
    for program, found in (
        (f"{tmp_path}/{{machine}}", f"{tmp_path}/lb2"),
        (str(tmp_path), str(tmp_path)),
        ("no-such-program", "no-such-program"),
        ("", ""),
    ):
        with pytest.raises(UsageError, match=f"roll: '{found}': no such program here"):
            check_program([program], ["lb1", "lb2"])


def test_words_that_are_no_text() -> None:
    """Words that JSON can't have are refused in words."""
    check_words(["ssh", "é"])
    with pytest.raises(UsageError, match=r"roll: 'a\\udcff': not UTF-8"):
        check_words(["ssh", os.fsdecode(b"a\xff")])


def test_interrupted_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """At ^C the command goes on to its end, and the roll stops then, though it ended well."""
    done = tmp_path / "done"
    script = f'{HEEDS}; kill -INT $PPID; kill -INT $$; sleep 0.5; touch "$0"'
    with pytest.raises(
        NotRolledError, match="lb1: SIGINT; the command has ended with exit status 0, and is run"
    ):
        run(["sh", "-c", script, str(done)], "lb1")
    assert done.exists()
    said = capfd.readouterr().err
    assert "lb1: ^C: the roll stops when the command has ended" in said
    assert "SIGTERM to the command" not in said
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("name", "status"),
    [("INT", "exit status 7"), ("TERM", "exit status 7"), ("HUP", "exit status 8")],
)
def test_what_ends_it(name: str, status: str, capfd: pytest.CaptureFixture[str]) -> None:
    """At the second ^C the command is sent SIGTERM, SIGTERM and SIGHUP are passed on; it ends in its own way, and is waited for."""
    script = f"trap 'sleep 0.3; exit 7' TERM; trap 'sleep 0.3; exit 8' HUP; {AGAIN}"
    with pytest.raises(NotRolledError, match=f"lb1: SIG{name}; .* ended with {status}, and is run"):
        run(["sh", "-c", script, "sh", name], "lb1")
    sent = "HUP" if name == "HUP" else "TERM"
    assert f"lb1: SIG{name}: SIG{sent} to the command" in capfd.readouterr().err


def test_what_is_ignored_stays_so() -> None:
    """By nohup a roll outlives its terminal: it goes on, and so does the command."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert run(["sh", "-c", "kill -HUP $PPID; kill -HUP $$; sleep 0.3; exit 5"], "lb1") == 5


def ignores_interrupts(pid: int) -> bool:
    """Tell whether a process ignores SIGINT, as the kernel tells."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (ignored,) = [line.split()[1] for line in lines if line.startswith("SigIgn:")]
    return bool(int(ignored, 16) >> (signal.SIGINT - 1) & 1)


def test_on_a_terminal() -> None:
    """What a terminal sends at ^C does not end the command, which may read there all the same: ssh asks for a password."""
    ours, its = pty.openpty()
    script = (
        "from speaker.cli.roll_command import run, NotRolledError\n"
        "try:\n"
        " run(['sh', '-c', 'echo begun; read word </dev/tty; echo \"well: $word\"'], 'lb1')\n"
        "except NotRolledError as error:\n"
        " print(error)\n"
    )
    # setsid makes the terminal its own, so that ^C is sent to all in the foreground there
    words = ["setsid", "--ctty", "env", "--default-signal=INT", sys.executable, "-c", script]
    program = subprocess.Popen(words, stdin=its, stdout=its, stderr=its)
    os.close(its)
    written = b""

    def until(word: bytes) -> None:
        nonlocal written
        while word not in written:
            written += os.read(ours, 1 << 16)

    try:
        until(b"begun\r\n")
        eventually(lambda: not ignores_interrupts(program.pid), within=60, what="it heeds ^C")
        os.write(ours, b"\x03")
        until(b"the roll stops when")
        os.write(ours, b"word\n")
        until(b"SIGINT; the command has ended with exit status 0")
        assert b"well: word" in written
        assert program.wait(60) == 0
    finally:
        program.kill()
        program.wait()
        os.close(ours)
