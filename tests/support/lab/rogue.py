"""Owns a BGP peer that says what a test wants it to say, for what no well-kept daemon would say."""

import json
import socket
import sys
from pathlib import Path

from tests.support.lab.eventually import SLOW
from tests.support.lab.netns import Namespace
from tests.support.lab.session import Session


class Rogue:
    """The peer, which waits for ExaBGP and holds one session after the other."""

    def __init__(self, host: Namespace, session: Session, capabilities: bytes = b"") -> None:
        """Start it.

        Args:
            host: where it runs.
            session: as its side sees it.
            capabilities: what its OPEN has beside those that a session needs.
        """
        path = host.directory / "rogue.sock"
        listener = socket.create_server(str(path), family=socket.AF_UNIX)
        host.cleanup.callback(listener.close)
        script = Path(__file__).with_name("rogue_script.py")
        argv = [sys.executable, str(script), session.local, str(session.local_asn), str(path)]
        self.process = host.spawn([*argv, capabilities.hex()], log="rogue.log")
        listener.settimeout(30 * SLOW)
        self._control, _ = listener.accept()
        self._control.settimeout(30 * SLOW)
        host.cleanup.callback(self._control.close)

    def wait_until_up(self) -> None:
        """Wait until its next session is up."""
        assert self._control.recv(3) == b"up\n", self.process.log()

    def say(self, kind: int, body: bytes) -> None:
        """Send a message of a kind."""
        self._control.sendall(json.dumps([kind, body.hex()]).encode() + b"\n")

    def end(self, text: str) -> None:
        """End the session by a NOTIFICATION with a text."""
        self._control.sendall(json.dumps(text).encode() + b"\n")
