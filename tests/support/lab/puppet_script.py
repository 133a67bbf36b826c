"""The process that ExaBGP spawns for a test: tells all that it reads, does what it is told.

Runs by itself, as whatever user ExaBGP has become, under Debian's own Python:
standard library only, no import from the tests.
"""

import json
import os
import signal
import socket
import sys
import threading
from pathlib import Path


def identity() -> dict[str, object]:
    """Return who it is and what it was given."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines())
    return {
        "pid": os.getpid(),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "cwd": str(Path.cwd()),
        "umask": int(fields["Umask"], 8),
        "capabilities": int(fields["CapEff"], 16),
        "environment": dict(os.environ),
    }


class Helper:
    """The two ways: ExaBGP's on stdin and stdout, the test's on a unix socket."""

    def __init__(self, path: str) -> None:
        """Call the test.

        Args:
            path: where it listens.
        """
        self._control = socket.socket(socket.AF_UNIX)
        self._control.connect(path)
        self._reading = threading.Event()
        self._reading.set()

    def serve(self) -> None:
        """Do what the test says, until it goes or ExaBGP does."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._tell(**identity())
        threading.Thread(target=self._read_stdin, daemon=True).start()
        for line in self._control.makefile(encoding="ascii"):
            self._obey(json.loads(line))

    def _obey(self, message: dict[str, object]) -> None:
        match message:
            case {"write": str(text)}:
                data = text.encode()
                while data:
                    data = data[os.write(1, data) :]
            case {"reading": bool(wanted)}:
                (self._reading.set if wanted else self._reading.clear)()
            case {"readable": str(path)}:
                self._tell(readable=os.access(path, os.R_OK))
            case {"exit": int(status)}:
                os._exit(status)

    def _read_stdin(self) -> None:
        while self._reading.wait():
            chunk = os.read(0, 65536)
            self._tell(read=chunk.decode())
            if not chunk:
                os._exit(0)

    def _on_sigterm(self, number: int, _frame: object) -> None:
        self._tell(signal=number)
        os._exit(0)

    def _tell(self, **message: object) -> None:
        self._control.sendall(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    Helper(sys.argv[1]).serve()
