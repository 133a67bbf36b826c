"""The process that stands between ExaBGP and the watchdog: loses, delays, refuses, adds lines.

Runs by itself, as whatever user ExaBGP has become, under Debian's own Python:
standard library only, no import from the tests.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import IO, Any


class Filter:
    """Passes lines both ways, and does to them what the test has told it."""

    def __init__(self, path: str, command: list[str]) -> None:
        """Call the test, and start the watchdog."""
        self._control = socket.socket(socket.AF_UNIX)
        self._control.connect(path)
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._lock = threading.Lock()
        self._rules: dict[str, Any] = {}
        self._command = ""

    def run(self) -> None:
        """Pass lines until one side goes."""
        signal.signal(signal.SIGTERM, lambda *_: self._child.terminate())
        for target in (self._obey, self._answers):
            threading.Thread(target=target, daemon=True).start()
        self._commands()
        os._exit(self._child.wait())

    def _obey(self) -> None:
        for line in self._control.makefile(encoding="ascii"):
            match json.loads(line):
                case {"inject": str(text)}:
                    self._to_child(text.encode("latin-1"))
                case rules:
                    self._rules = rules
            self._control.sendall(b"ok\n")

    def _commands(self) -> None:
        for raw in _stream(self._child.stdout):
            self._command = raw.decode()
            if self._concerns("refuse"):
                self._say("refused")
                self._to_child(b"error\n")
                continue
            sys.stdout.buffer.write(raw)
            sys.stdout.buffer.flush()

    def _answers(self) -> None:
        for raw in sys.stdin.buffer:
            if raw in {b"done\n", b"error\n"}:
                if self._concerns("lose"):
                    del self._rules["lose"]
                    self._say("lost")
                    continue
                if self._concerns("delay"):
                    seconds = self._rules.pop("seconds")
                    del self._rules["delay"]
                    time.sleep(seconds)
                    self._say("delayed")
            self._to_child(raw)
        _stream(self._child.stdin).close()

    def _concerns(self, rule: str) -> bool:
        return rule in self._rules and self._rules[rule] in self._command

    def _to_child(self, data: bytes) -> None:
        with self._lock:
            _stream(self._child.stdin).write(data)
            _stream(self._child.stdin).flush()

    def _say(self, what: str) -> None:
        self._control.sendall(f"{what} {self._command.strip()}\n".encode())


def _stream(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


if __name__ == "__main__":
    Filter(sys.argv[1], sys.argv[3:]).run()
