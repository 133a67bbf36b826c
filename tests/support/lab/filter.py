"""Owns the test's hand between ExaBGP and the watchdog."""

import json
import queue
import shutil
import socket
import threading
from pathlib import Path

from tests.support.lab.netns import Namespace

PATIENCE = 30.0
"""Seconds until a process that does not obey is a failure."""


class Filter:
    """A process that ExaBGP spawns and that spawns the watchdog; it obeys the test.

    Without a rule every line passes.
    """

    def __init__(self, host: Namespace) -> None:
        script = host.directory / "filter.py"
        shutil.copyfile(Path(__file__).with_name("filter_script.py"), script)
        script.chmod(0o644)
        path = host.directory / "filter.sock"
        self._listener = socket.create_server(str(path), family=socket.AF_UNIX)
        path.chmod(0o777)
        host.cleanup.callback(self._listener.close)
        self.wrapper = ["/usr/bin/python3", str(script), str(path), "--"]
        self.happened: list[str] = []
        """What it did to lines: `lost COMMAND`, `delayed COMMAND`, `refused COMMAND`."""
        self._connection: socket.socket | None = None
        self._obeyed: queue.SimpleQueue[str] = queue.SimpleQueue()

    def attach(self) -> None:
        """Wait for the process that ExaBGP has just started."""
        self._listener.settimeout(PATIENCE)
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(None)
        threading.Thread(target=self._listen, args=(self._connection,), daemon=True).start()

    def pass_all(self) -> None:
        """Let every line pass."""
        self._tell({})

    def lose(self, text: str) -> None:
        """Lose the reply to the next command with a text in it."""
        self._tell({"lose": text})

    def delay(self, text: str, seconds: float) -> None:
        """Hold back the reply to the next command with a text in it, and all that follows."""
        self._tell({"delay": text, "seconds": seconds})

    def refuse(self, text: str) -> None:
        """Answer `error` to every command with a text in it, in ExaBGP's place."""
        self._tell({"refuse": text})

    def inject(self, data: bytes) -> None:
        """Write bytes to the watchdog as if ExaBGP had."""
        self._tell({"inject": data.decode("latin-1")})

    def _tell(self, message: dict[str, object]) -> None:
        assert self._connection is not None, "not attached"
        self._connection.sendall(json.dumps(message).encode() + b"\n")
        self._obeyed.get(timeout=PATIENCE)

    def _listen(self, connection: socket.socket) -> None:
        with connection, connection.makefile(encoding="ascii") as lines:
            for line in lines:
                if line == "ok\n":
                    self._obeyed.put(line)
                else:
                    self.happened.append(line.strip())
