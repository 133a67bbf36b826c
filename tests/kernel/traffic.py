"""Owns TCP connections that last: a server that says who it is and when it ends, clients that tell what they got."""

import sys

from tests.support.lab.netns import Namespace
from tests.support.lab.process import Process

PORT = 8080
_SERVER = """
import socketserver, sys, time
class Last(socketserver.StreamRequestHandler):
    def handle(self):
        end = time.monotonic() + float(self.rfile.readline())
        self.wfile.write(sys.argv[1].encode() + b"\\n")
        while time.monotonic() < end:
            self.wfile.write(b".")
            time.sleep(0.1)
        self.wfile.write(b"end")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
Server(("0.0.0.0", int(sys.argv[2])), Last).serve_forever()
"""
_CLIENT = """
import socket, sys
to, seconds = sys.argv[1:]
who = "nobody"
try:
    with socket.create_connection((to, 80), timeout=3) as connection:
        connection.settimeout(3)
        connection.sendall(seconds.encode() + b"\\n")
        with connection.makefile("rb") as stream:
            who = stream.readline().decode().strip()
            print("connected", who, flush=True)
            got = stream.read()
    print(who, "ended" if got.endswith(b"end") else "cut: closed", flush=True)
except OSError as error:
    print(who, "cut:", error, flush=True)
"""


_PROBE = """
import socket, sys, time
to, every = sys.argv[1], float(sys.argv[2])
while True:
    began = time.time()
    try:
        with socket.create_connection((to, 80), timeout=1) as connection:
            connection.settimeout(1)
            connection.sendall(b"0\\n")
            with connection.makefile("rb") as stream:
                who = stream.readline().decode().strip() or "nobody"
    except OSError:
        who = "nobody"
    print(f"{began:.3f} {who}", flush=True)
    time.sleep(max(every - (time.time() - began), 0))
"""


def serve(host: Namespace, name: str) -> Process:
    """Have a host answer, with a name."""
    return host.spawn([sys.executable, "-c", _SERVER, name, str(PORT)], log="server.log")


class Connection:
    """A connection from a host that is to last for some seconds.

    Args:
        host: the client.
        to: the address.
        seconds: how long it is to last.
        number: of this one.
    """

    def __init__(self, host: Namespace, to: str, seconds: float, number: int) -> None:
        argv = [sys.executable, "-c", _CLIENT, to, f"{seconds:g}"]
        self._process = host.spawn(argv, log=f"client-{number}.log")

    @property
    def lines(self) -> list[str]:
        """What it has told: `connected par1`, and then `par1 ended` or `par1 cut: …`."""
        return self._process.log().splitlines()


class Prober:
    """New connections from a host, one after the other: when each began, and who answered.

    Args:
        host: the client.
        to: the address.
        every: how much later the next one begins, in seconds.
        number: of this one.
    """

    def __init__(self, host: Namespace, to: str, every: float, number: int) -> None:
        argv = [sys.executable, "-c", _PROBE, to, f"{every:g}"]
        self._process = host.spawn(argv, log=f"prober-{number}.log")

    def seen(self) -> list[tuple[float, str]]:
        """Return each connection: seconds since the epoch when it began, and who answered, or `nobody`."""
        lines = (line.split() for line in self._process.log().splitlines())
        return [(float(line[0]), line[1]) for line in lines if len(line) == 2]

    def stop(self) -> None:
        """Make no more."""
        self._process.stop()
