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


def main(control_path: str) -> None:
    """Serve one test over a unix socket until it goes, or ExaBGP does."""
    control = socket.socket(socket.AF_UNIX)
    control.connect(control_path)
    reading = threading.Event()
    reading.set()

    def tell(**message: object) -> None:
        control.sendall(json.dumps(message).encode() + b"\n")

    def read_stdin() -> None:
        while True:
            reading.wait()
            chunk = os.read(0, 65536)
            tell(read=chunk.decode())
            if not chunk:
                os._exit(0)

    def on_sigterm(number: int, _frame: object) -> None:
        tell(signal=number)
        os._exit(0)

    signal.signal(signal.SIGTERM, on_sigterm)
    tell(pid=os.getpid(), uid=os.getuid(), gid=os.getgid(), cwd=os.getcwd(), umask=os.umask(0o137))  # noqa: PTH109
    threading.Thread(target=read_stdin, daemon=True).start()
    for line in control.makefile(encoding="ascii"):
        match json.loads(line):
            case {"write": text}:
                data = text.encode()
                while data:
                    data = data[os.write(1, data) :]
            case {"reading": bool(wanted)}:
                (reading.set if wanted else reading.clear)()
            case {"readable": path}:
                tell(readable=os.access(path, os.R_OK))
            case {"exit": int(status)}:
                os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
