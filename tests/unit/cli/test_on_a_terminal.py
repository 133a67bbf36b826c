"""vip_mgmt on a pseudo-terminal of 80 columns: its table, what refreshes, what takes its time."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.fakes.site import write_config
from tests.support.lab.eventually import eventually
from tests.unit.test_vip_mgmt import PEER, V4, V6, reconciler, state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REASON = (
    "down: 0 realservers: tcp/80 [red]down[/red] with 0, and what follows makes this a long reason"
)
STATUS = {
    "dc": "par1",
    "backend": "exabgp",
    "peers": [PEER],
    "trouble": ["vip.toml: \x1b[2Jfaulty"],
    "routes": [state(), state(V6, announced=False, as_wanted=False, wanted=True, reason=REASON)],
}


class Terminal:
    """A program on a terminal, and what it has written there until now."""

    def __init__(self, program: subprocess.Popen[bytes], ours: int) -> None:
        self.program, self._ours, self.written = program, ours, ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 1 << 16)
            except OSError:  # its end is closed
                return
            self.written += data.decode()

    def end(self) -> int:
        """Return its exit status, once all was read."""
        status = self.program.wait(60)
        self._reader.join(60)
        return status


@contextmanager
def run(directory: Path, *arguments: str, **environ: str) -> Iterator[Terminal]:
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    inherited = {n: v for n, v in os.environ.items() if n not in ("COLUMNS", "LINES", "NO_COLOR")}
    program = subprocess.Popen(
        # A shell in the background would have it ignore what interrupts it.
        ["env", "--default-signal=INT", sys.executable, "-m", "speaker.vip_mgmt", *arguments],
        stdin=its,
        stdout=its,
        stderr=its,
        env=inherited | {"VIP_CONFIG": str(write_config(directory)), "TERM": "xterm"} | environ,
    )
    os.close(its)
    terminal = Terminal(program, ours)
    try:
        yield terminal
    finally:
        program.kill()
        terminal.end()
        os.close(ours)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n")


def test_status(tmp_path: Path) -> None:
    """The table fits 80 columns, what is not as wanted is first, and no text of outside acts or is markup."""
    with reconciler(tmp_path, status=STATUS), run(tmp_path, "status") as terminal:
        assert terminal.end() == 1
    shown = plain(terminal.written)
    assert terminal.written != shown
    assert "\x1b" not in shown
    assert "TROUBLE: vip.toml: \\x1b[2Jfaulty" in shown
    assert "[red]down[/red]" in shown
    assert shown.index(V6) < shown.index(V4)
    assert max(map(len, shown.split("\n"))) <= 80


def test_sizes_that_no_terminal_has(tmp_path: Path) -> None:
    """They count as none: its own size is taken."""
    for columns in ("9" * 5000, "²", "-1", "0"):
        environ = {"COLUMNS": columns, "LINES": columns}
        with reconciler(tmp_path, status=STATUS), run(tmp_path, "status", **environ) as terminal:
            assert terminal.end() == 1
        assert "Traceback" not in terminal.written
        assert max(map(len, plain(terminal.written).split("\n"))) <= 80


def test_no_color(tmp_path: Path) -> None:
    """NO_COLOR and a dumb terminal get no colours, and the same words."""
    for environ in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with reconciler(tmp_path, status=STATUS), run(tmp_path, "status", **environ) as terminal:
            assert terminal.end() == 1
        assert "\x1b" not in terminal.written
        assert re.search(rf"^! +{V6} +no ", terminal.written, re.MULTILINE)


def test_watch(tmp_path: Path) -> None:
    """The screen refreshes, says what changed, goes on while nobody answers, and gives the terminal back."""
    answer: dict[str, Any] = STATUS | {"routes": [state()]}
    with run(tmp_path, "status", "--watch") as terminal:
        with reconciler(tmp_path, status=answer):
            eventually(lambda: "Ctrl-C ends" in terminal.written, within=20, what="a first screen")
            answer["routes"] = [state(announced=False, as_wanted=False)]
            said = f"vip-1.tld {V4}: announced yes -> no"
            eventually(lambda: said in terminal.written, within=20, what="what changed")
        gone = "shown is what was last known"
        eventually(
            lambda: gone in terminal.written or "?" in terminal.written, within=30, what="it"
        )
        terminal.program.send_signal(signal.SIGINT)
        assert terminal.end() == 0
    assert terminal.written.startswith("\x1b[?1049h")
    assert terminal.written.rstrip().endswith("\x1b[?1049l")


def test_what_takes_its_time(tmp_path: Path) -> None:
    """What takes longer than a second is said on the terminal, for how long, and erased at its end."""
    go_on = threading.Event()
    with reconciler(tmp_path, status=STATUS, hold=go_on), run(tmp_path, "status") as terminal:
        eventually(lambda: "waiting for an answer … " in terminal.written, within=30, what="a word")
        go_on.set()
        assert terminal.end() == 1
    assert "\r\x1b[K" in terminal.written
    assert V6 in terminal.written.rpartition("\r\x1b[K")[2]


def test_watch_to_a_pipe(tmp_path: Path) -> None:
    """Without a terminal there is nothing to refresh: it says what to use."""
    done = subprocess.run(
        [sys.executable, "-m", "speaker.vip_mgmt", "status", "--watch"],
        env=os.environ | {"VIP_CONFIG": str(write_config(tmp_path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 255
    assert "history --follow" in done.stderr
