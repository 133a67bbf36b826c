"""Owns one long-lived process of the lab: its log, its signals, its end."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support.lab.eventually import eventually

PATIENCE = 60.0
"""Seconds until a process that does not end is a failure."""


class Process:
    """A child of the test run, stopped by its own process id and nothing else."""

    def __init__(
        self, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Start `argv`, its output appended to `log`.

        Args:
            argv: the command and its arguments.
            log: where stdout and stderr go.
            env: added to the environment of the test run.
        """
        self.name = " ".join(argv)
        self.log_file = log
        with log.open("ab") as sink:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._popen.poll()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.exit_status is None

    def children(self) -> list[int]:
        """Return the process ids of its direct children."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        try:
            return [int(pid) for pid in path.read_text().split()]
        except FileNotFoundError:
            return []

    def log(self) -> str:
        """Return all that it has printed."""
        return self.log_file.read_text(errors="backslashreplace")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        self._popen.send_signal(number)

    def wait(self, within: float = PATIENCE) -> int:
        """Wait for its end and return the exit status.

        Raises:
            AssertionError: it still runs; says the end of its log.
        """
        try:
            return self._popen.wait(within)
        except subprocess.TimeoutExpired:
            message = f"still runs after {within:g} s: {self.name}\n{self.log()[-2000:]}"
            raise AssertionError(message) from None

    def terminate(self, within: float = PATIENCE) -> int:
        """Ask it to stop, wait for that, and return the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def kill(self) -> None:
        """End it at once."""
        self._popen.kill()
        self._popen.wait()

    def stop(self) -> None:
        """End it, politely if it will, and what it leaves behind in its process group."""
        self.signal(signal.SIGTERM)
        with suppress(AssertionError):
            eventually(self._ended, within=0.5, what="its end")
        if self._popen.returncode is None:
            # Nobody has waited for it yet, so that the group's id is still its own.
            os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()

    def _ended(self) -> bool:
        if self._popen.returncode is not None:
            return True
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, flags) is not None

    def ready(self, check: Callable[[], object], what: str, within: float = 10) -> None:
        """Wait until `check` holds, or say why the process died.

        Raises:
            RuntimeError: it died.
            AssertionError: it did not get ready in time.
        """

        def holds() -> bool:
            if not self.alive:
                message = f"died with status {self.exit_status}: {self.name}\n{self.log()}"
                raise RuntimeError(message)
            return bool(check())

        eventually(holds, within=within, what=f"{what} of {self.name}")
