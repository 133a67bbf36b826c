"""The process that ExaBGP spawns for the contract: passes bytes both ways to the test's own driver.

Runs by itself, under Debian's own Python: standard library only, no import from the tests.
"""

import os
import socket
import sys
import threading


def from_exabgp(test: socket.socket) -> None:
    """Pass on what ExaBGP says."""
    while chunk := os.read(0, 65536):
        test.sendall(chunk)
    os._exit(0)


def to_exabgp(test: socket.socket) -> None:
    """Pass on what the test says."""
    while chunk := test.recv(65536):
        while chunk:
            chunk = chunk[os.write(1, chunk) :]
    os._exit(0)


if __name__ == "__main__":
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(sys.argv[1])
    threading.Thread(target=from_exabgp, args=(connection,), daemon=True).start()
    to_exabgp(connection)
