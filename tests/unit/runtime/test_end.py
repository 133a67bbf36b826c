"""The end of the process that ExaBGP spawns, over real pipes: it comes, in time, without a traceback."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.fakes.site import write_config
from tests.support.lab.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_CHECKS = '[health]\nsource = "none"\n'


class Spawned:
    """A vip_watchdog between two pipes, whose other ends are held here."""

    def __init__(self, directory: Path, more: str) -> None:
        self.socket = directory / "control.sock"
        self._log = directory / "log"
        config = write_config(directory, more)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "speaker.vip_watchdog", "--config", config],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def told_to_end(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def lose_exabgp(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def wait(self) -> int:
        """Return the exit status, once there is one."""
        eventually(self.has_ended, within=8, what="the end of vip_watchdog")
        return self.process.wait()

    def has_ended(self) -> bool:
        return self.process.poll() is not None


@contextmanager
def spawned(directory: Path, more: str = NO_CHECKS) -> Iterator[Spawned]:
    """Have one that serves its socket, and that has more in its vip.toml."""
    it = Spawned(directory, more)
    try:
        eventually(it.socket.exists, within=10, what="the control socket")
        yield it
    finally:
        it.process.kill()
        it.process.wait()
        for pipe in (it.process.stdin, it.process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.mark.parametrize("cause", [Spawned.told_to_end, Spawned.lose_exabgp])
def test_a_socket_that_can_not_be_removed(tmp_path: Path, cause: Callable[[Spawned], None]) -> None:
    """What stands in the way of the socket's removal does not keep a watchdog alive that is to end."""
    with spawned(tmp_path) as it:
        it.socket.unlink()
        it.socket.mkdir()
        cause(it)
        assert it.wait() == 0
        assert "Traceback" not in it.log
        it.socket.rmdir()
    with spawned(tmp_path):
        pass  # nobody holds it any more


def test_more_signals_during_the_end(tmp_path: Path) -> None:
    """Whatever it is sent while it ends, it ends as it was told to, and says nothing of it."""
    with spawned(tmp_path) as it:
        it.told_to_end()
        while not it.has_ended():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                it.process.send_signal(number)
            time.sleep(0.001)
        assert it.wait() == 0
        assert "Traceback" not in it.log
        assert "KeyboardInterrupt" not in it.log


MANY = "".join(f'[vip."v{n}"]\naddresses = ["2001:db8:1::{n}"]\n' for n in range(1, 401))


@pytest.mark.parametrize("cause", [Spawned.told_to_end, Spawned.lose_exabgp])
def test_while_it_loads(tmp_path: Path, cause: Callable[[Spawned], None]) -> None:
    """It ends as it was told to also where a thread checks a new vip.toml, whose stack Python would unwind."""
    with spawned(tmp_path, NO_CHECKS + MANY) as it:
        it.process.send_signal(signal.SIGHUP)
        cause(it)
        assert it.wait() == 0, it.log
        assert "Traceback" not in it.log


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """What is started in here heeds Ctrl-C, also where these tests run behind a shell's `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _sleeps(pid: int) -> bool:
    """Tell whether a process waits. Python tells of an interrupt in the making of its HTTP response itself."""
    return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_an_interrupted_command(tmp_path: Path) -> None:
    """Ctrl-C while vip_mgmt waits for an answer: one line, and exit 1, because the intent may be recorded."""
    config = write_config(tmp_path, NO_CHECKS)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        command = [sys.executable, "-m", "speaker.vip_mgmt", "--config", str(config)]
        command += ["-d", "192.0.2.1"]
        with (
            heeding_interrupts(),
            subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
        ):
            connection, _ = listener.accept()  # it asks
            assert connection.recv(1 << 16)
            eventually(partial(_sleeps, process.pid), within=8, what="vip_mgmt waiting")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
            connection.close()
    assert process.returncode == 1
    assert said == ("bgp_mgt: interrupted; the intent may be recorded, see vip_mgmt status\n")
