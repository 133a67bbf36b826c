"""Owns the test's hand in ExaBGP: a helper process that says and tells what the test wants."""

import json
import queue
import shutil
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.lab.netns import Namespace

PATIENCE = 30.0
"""Seconds until a helper that does not answer is a failure."""


class NoReplyError(Exception):
    """ExaBGP has not answered a command in time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """ExaBGP's answer to one command: plain lines, then a status line."""

    status: str
    lines: tuple[str, ...] = ()


class Helper:
    """One life of the helper process, from its call to its end."""

    def __init__(self, connection: socket.socket) -> None:
        """Listen to a helper that has called.

        Args:
            connection: where it tells what it reads from ExaBGP.
        """
        self.ended = threading.Event()
        self.signals: list[int] = []
        self.events: list[str] = []
        self._connection = connection
        self._plain: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        # A thread, because a helper that nobody listens to would stop ExaBGP.
        threading.Thread(target=self._listen, daemon=True).start()
        self.identity = self._told.get(timeout=PATIENCE)

    def ask(self, line: str, within: float = PATIENCE) -> Reply:
        """Send one command and wait for its status, `done` or `error`.

        Raises:
            NoReplyError: none came.
        """
        self.send(line)
        return self.reply(within, what=line)

    def send(self, *lines: str) -> None:
        """Send commands without waiting."""
        self._tell(write="".join(f"{line}\n" for line in lines))

    def reply(self, within: float = PATIENCE, what: str = "a command") -> Reply:
        """Wait for the next status line and return it with the plain lines before it."""
        lines: list[str] = []
        while True:
            try:
                line = self._plain.get(timeout=within)
            except queue.Empty:
                message = f"no reply within {within:g} s to {what!r}, only {lines}"
                raise NoReplyError(message) from None
            if line in {"done", "error"}:
                return Reply(line, tuple(lines))
            lines.append(line)

    def readable(self, path: str) -> bool:
        """Ask whether it may read a file."""
        self._tell(readable=path)
        return bool(self._told.get(timeout=PATIENCE)["readable"])

    def stop_reading(self) -> None:
        """Leave stdin alone; a read that already waits still takes what comes first."""
        self._tell(reading=False)

    def start_reading(self) -> None:
        """Read stdin again."""
        self._tell(reading=True)

    def exit(self, status: int = 0) -> None:
        """Make it exit, and wait until it has."""
        self._tell(exit=status)
        self.wait()

    def wait(self, within: float = PATIENCE) -> None:
        """Wait until it has gone, told to or not."""
        assert self.ended.wait(within), f"the helper still runs after {within:g} s"

    def states(self, peer: str) -> list[str]:
        """Return the session states that ExaBGP has told of a neighbour, in order."""
        # Not strict, because 4.x puts the control characters of a shutdown message as they are.
        messages = [json.loads(event, strict=False) for event in self.events]
        neighbors = [message["neighbor"] for message in messages if message["type"] == "state"]
        return [neighbor["state"] for neighbor in neighbors if neighbor["address"]["peer"] == peer]

    def close(self) -> None:
        """Let go of it; it exits then."""
        self._connection.close()

    def _tell(self, **message: object) -> None:
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self) -> None:
        rest = ""
        with self._connection.makefile(encoding="ascii") as messages:
            for message in map(json.loads, messages):
                match message:
                    case {"read": text}:
                        *lines, rest = (rest + text).split("\n")
                        for line in lines:
                            self._sort(line)
                    case {"signal": number}:
                        self.signals.append(number)
                    case _:
                        self._told.put(message)
        self.ended.set()

    def _sort(self, line: str) -> None:
        if line.startswith("{"):
            self.events.append(line)
        else:
            self._plain.put(line)


class Puppet:
    """The place where helpers call: once at the start, and again each time ExaBGP starts one anew."""

    def __init__(self, host: Namespace) -> None:
        """Open it.

        Args:
            host: its folder holds the script and the socket, within reach of any user.
        """
        script = host.directory / "puppet.py"
        shutil.copyfile(Path(__file__).with_name("puppet_script.py"), script)
        script.chmod(0o644)
        path = host.directory / "puppet.sock"
        self._listener = socket.create_server(str(path), family=socket.AF_UNIX)
        path.chmod(0o777)
        self._host = host
        host.cleanup.callback(self._listener.close)
        self.run = ["/usr/bin/python3", str(script), str(path)]

    def helper(self, within: float = PATIENCE) -> Helper:
        """Wait for the next helper that ExaBGP starts."""
        self._listener.settimeout(within)
        try:
            connection, _ = self._listener.accept()
        except TimeoutError:
            message = f"ExaBGP started no helper within {within:g} s"
            raise AssertionError(message) from None
        connection.settimeout(None)
        helper = Helper(connection)
        self._host.cleanup.callback(helper.close)
        return helper
