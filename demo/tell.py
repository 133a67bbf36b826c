"""The router's process: passes what its ExaBGP hears on to the demo, line by line.

ExaBGP runs it as a file: `python tell.py SOCKET`.
"""

from __future__ import annotations

import socket
import sys


def main(path: str) -> None:
    """Copy stdin to a unix socket until either ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as demo:
        demo.connect(path)
        for line in sys.stdin.buffer:
            demo.sendall(line)


if __name__ == "__main__":
    main(sys.argv[1])
